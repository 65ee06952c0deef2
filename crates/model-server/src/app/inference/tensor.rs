//! Input tensors: datatypes and shapes.

use fcs_core::{ApiError, redacted_debug};

use super::invalid;
use super::payload::Payload;

redacted_debug!(InputTensor);

/// Dimensions of a tensor.
const DIMENSIONS_MAX: usize = 8;

/// The datatypes of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datatype {
    /// One byte, 0 or 1.
    Bool,
    /// Unsigned, 8 bits.
    Uint8,
    /// Unsigned, 16 bits.
    Uint16,
    /// Unsigned, 32 bits.
    Uint32,
    /// Unsigned, 64 bits.
    Uint64,
    /// Signed, 8 bits.
    Int8,
    /// Signed, 16 bits.
    Int16,
    /// Signed, 32 bits.
    Int32,
    /// Signed, 64 bits.
    Int64,
    /// Half precision.
    Fp16,
    /// Single precision.
    Fp32,
    /// Double precision.
    Fp64,
    /// Byte strings.
    Bytes,
    /// Brain floating point.
    Bf16,
}

impl Datatype {
    const ALL: [(Self, &'static str); 14] = [
        (Self::Bool, "BOOL"),
        (Self::Uint8, "UINT8"),
        (Self::Uint16, "UINT16"),
        (Self::Uint32, "UINT32"),
        (Self::Uint64, "UINT64"),
        (Self::Int8, "INT8"),
        (Self::Int16, "INT16"),
        (Self::Int32, "INT32"),
        (Self::Int64, "INT64"),
        (Self::Fp16, "FP16"),
        (Self::Fp32, "FP32"),
        (Self::Fp64, "FP64"),
        (Self::Bytes, "BYTES"),
        (Self::Bf16, "BF16"),
    ];

    /// Reads the name of a datatype.
    ///
    /// # Errors
    /// `InvalidArgument` for another text.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        Self::ALL
            .into_iter()
            .find(|(_, name)| *name == text)
            .map(|(datatype, _)| datatype)
            .ok_or_else(|| {
                let shown: String = text.chars().take(32).collect();
                invalid(
                    "DATATYPE_UNKNOWN",
                    format!("{shown:?} is no datatype of the protocol"),
                )
            })
    }

    /// The name of the datatype.
    pub fn name(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(datatype, _)| *datatype == self)
            .map_or("", |(_, name)| name)
    }
}

/// A tensor as the caller sent it.
pub struct InputTensor {
    /// Name.
    pub name: String,
    /// Datatype.
    pub datatype: Datatype,
    /// Sizes of the dimensions, as they came.
    pub shape: Vec<i64>,
    /// The elements.
    pub payload: Payload,
}

impl InputTensor {
    /// The sizes of the dimensions and the number of elements.
    ///
    /// # Errors
    /// `InvalidArgument` for a negative size, too many dimensions, or a product beyond `elements_max`.
    pub(super) fn dimensions(&self, elements_max: usize) -> Result<(Vec<usize>, usize), ApiError> {
        let fail = |reason, what: String| Err(invalid(reason, format!("{}: {what}", self.shown())));
        if self.shape.len() > DIMENSIONS_MAX {
            let what = format!("at most {DIMENSIONS_MAX} dimensions are possible");
            return fail("SHAPE_INVALID", what);
        }
        let mut sizes = Vec::with_capacity(self.shape.len());
        for size in &self.shape {
            match usize::try_from(*size) {
                Ok(size) => sizes.push(size),
                Err(_) => {
                    return fail("SHAPE_INVALID", format!("{size} is no size of a dimension"));
                }
            }
        }
        let product = sizes
            .iter()
            .try_fold(1_usize, |product, size| product.checked_mul(*size));
        match product {
            Some(count) if count <= elements_max => Ok((sizes, count)),
            _ => fail(
                "BATCH_TOO_LARGE",
                format!(
                    "the shape {:?} holds more than the {elements_max} elements that are possible",
                    self.shape
                ),
            ),
        }
    }

    /// The tensor in an error text.
    pub(super) fn shown(&self) -> String {
        let name: String = self.name.chars().take(64).collect();
        format!("input {name:?}")
    }
}
