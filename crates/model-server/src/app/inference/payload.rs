//! The elements of a tensor in the forms in which they travel, and their way to numbers and texts.

use bytes::Bytes;
use fcs_core::{ApiError, redacted_debug};

use super::invalid;
use super::tensor::{Datatype, InputTensor};

redacted_debug!(Payload, Typed, JsonData, JsonElements, Column);

/// Integers up to here are exact in double precision.
const EXACT_MAX: i64 = 1 << 53;

/// The elements of a tensor as they travelled.
pub enum Payload {
    /// Little-endian, row by row, without padding.
    Raw(Bytes),
    /// The fields of `InferTensorContents` that hold something.
    Typed(Vec<Typed>),
    /// `data` of a JSON request.
    Json(JsonData),
}

/// One field of `InferTensorContents`.
pub enum Typed {
    /// `bool_contents`: how many.
    Bool(usize),
    /// `int_contents`.
    Int32(Vec<i32>),
    /// `int64_contents`.
    Int64(Vec<i64>),
    /// `uint_contents` or `uint64_contents`: how many.
    Unsigned(usize),
    /// `fp32_contents`.
    Fp32(Vec<f32>),
    /// `fp64_contents`.
    Fp64(Vec<f64>),
    /// `bytes_contents`.
    Bytes(Vec<Vec<u8>>),
}

/// A JSON array of elements, nested or flat, read row by row.
#[derive(Default)]
pub struct JsonData {
    /// The sizes of the nesting, outermost first.
    pub nesting: Vec<usize>,
    /// The elements.
    pub elements: JsonElements,
}

/// Elements of one kind; null is NaN among numbers and `None` among texts.
pub enum JsonElements {
    /// Nothing but nulls so far.
    Nulls(usize),
    /// Numbers.
    Numbers(Vec<f64>),
    /// Texts.
    Texts(Vec<Option<String>>),
    /// Truth values: how many.
    Bools(usize),
}

impl Default for JsonElements {
    fn default() -> Self {
        Self::Nulls(0)
    }
}

impl JsonElements {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Nulls(count) | Self::Bools(count) => *count,
            Self::Numbers(numbers) => numbers.len(),
            Self::Texts(texts) => texts.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The elements of a tensor, ready for rows.
pub(super) enum Column {
    /// Numbers, NaN for missing.
    Numbers(Vec<f64>),
    /// Texts; empty for missing.
    Texts(Vec<String>),
}

/// Reads `count` elements.
///
/// # Errors
/// `InvalidArgument` when the payload is not exactly that many elements of the tensor's datatype, or when the
/// datatype has no use here.
pub(super) fn decode(
    tensor: &InputTensor,
    sizes: &[usize],
    count: usize,
) -> Result<Column, ApiError> {
    let fail = |(reason, what): Refusal| invalid(reason, format!("{}: {what}", tensor.shown()));
    let column = match &tensor.payload {
        Payload::Raw(bytes) => raw(tensor.datatype, bytes, count).map_err(fail)?,
        Payload::Typed(fields) => typed(tensor.datatype, fields).map_err(fail)?,
        Payload::Json(data) => json(tensor.datatype, data, sizes).map_err(fail)?,
    };
    let found = match &column {
        Column::Numbers(numbers) => numbers.len(),
        Column::Texts(texts) => texts.len(),
    };
    if found != count {
        let what = format!("the shape {sizes:?} needs {count} elements, not {found}");
        return Err(fail(("ELEMENT_COUNT", what)));
    }
    Ok(column)
}

/// Stable reason and description.
type Refusal = (&'static str, String);

fn useless(datatype: Datatype) -> Refusal {
    let what = format!(
        "{} is not taken; send FP64, FP32, INT64, INT32, or BYTES for categories",
        datatype.name()
    );
    ("DATATYPE_WRONG", what)
}

fn raw(datatype: Datatype, bytes: &[u8], count: usize) -> Result<Column, Refusal> {
    let numbers = match datatype {
        Datatype::Fp64 => fixed(bytes, count, f64::from_le_bytes)?.collect(),
        Datatype::Fp32 => fixed(bytes, count, f32::from_le_bytes)?
            .map(f64::from)
            .collect(),
        Datatype::Int32 => fixed(bytes, count, i32::from_le_bytes)?
            .map(f64::from)
            .collect(),
        Datatype::Int64 => fixed(bytes, count, i64::from_le_bytes)?
            .map(exact)
            .collect::<Result<_, _>>()?,
        Datatype::Bytes => return byte_strings(bytes, count).map(Column::Texts),
        other => return Err(useless(other)),
    };
    Ok(Column::Numbers(numbers))
}

/// Elements of `SIZE` bytes each.
fn fixed<'a, T: 'a, const SIZE: usize>(
    bytes: &'a [u8],
    count: usize,
    read: fn([u8; SIZE]) -> T,
) -> Result<impl Iterator<Item = T> + 'a, Refusal> {
    let (elements, rest) = bytes.as_chunks::<SIZE>();
    if elements.len() != count || !rest.is_empty() {
        let needed = count.saturating_mul(SIZE);
        let what = format!("{count} elements are {needed} bytes, not {}", bytes.len());
        return Err(("RAW_LENGTH", what));
    }
    Ok(elements.iter().map(move |element| read(*element)))
}

/// Elements of a little-endian length of four bytes and that many bytes.
fn byte_strings(mut bytes: &[u8], count: usize) -> Result<Vec<String>, Refusal> {
    let short = || {
        (
            "RAW_LENGTH",
            format!("the bytes do not hold {count} strings"),
        )
    };
    let mut texts = Vec::with_capacity(count.min(bytes.len() / 4));
    for _ in 0..count {
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(short)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| short())?;
        let (text, rest) = rest.split_at_checked(length).ok_or_else(short)?;
        texts.push(utf8(text)?);
        bytes = rest;
    }
    if bytes.is_empty() {
        Ok(texts)
    } else {
        let what = format!("{} bytes are left after {count} strings", bytes.len());
        Err(("RAW_LENGTH", what))
    }
}

fn typed(datatype: Datatype, fields: &[Typed]) -> Result<Column, Refusal> {
    let field = match fields {
        [] => return empty(datatype),
        [field] => field,
        _ => {
            let what = "only one field of the contents may hold elements".to_owned();
            return Err(("CONTENTS_AMBIGUOUS", what));
        }
    };
    match (datatype, field) {
        (Datatype::Fp64, Typed::Fp64(numbers)) => Ok(Column::Numbers(numbers.clone())),
        (Datatype::Fp32, Typed::Fp32(numbers)) => Ok(Column::Numbers(
            numbers.iter().copied().map(f64::from).collect(),
        )),
        (Datatype::Int32, Typed::Int32(numbers)) => Ok(Column::Numbers(
            numbers.iter().copied().map(f64::from).collect(),
        )),
        (Datatype::Int64, Typed::Int64(numbers)) => {
            let numbers = numbers.iter().copied().map(exact);
            numbers.collect::<Result<_, _>>().map(Column::Numbers)
        }
        (Datatype::Bytes, Typed::Bytes(texts)) => {
            let texts = texts.iter().map(|text| utf8(text));
            texts.collect::<Result<_, _>>().map(Column::Texts)
        }
        (
            Datatype::Fp64 | Datatype::Fp32 | Datatype::Int32 | Datatype::Int64 | Datatype::Bytes,
            _,
        ) => {
            let what = format!("the contents are not in the field of {}", datatype.name());
            Err(("CONTENTS_MISMATCH", what))
        }
        (other, _) => Err(useless(other)),
    }
}

fn empty(datatype: Datatype) -> Result<Column, Refusal> {
    match datatype {
        Datatype::Bytes => Ok(Column::Texts(Vec::new())),
        Datatype::Fp64 | Datatype::Fp32 | Datatype::Int32 | Datatype::Int64 => {
            Ok(Column::Numbers(Vec::new()))
        }
        other => Err(useless(other)),
    }
}

fn json(datatype: Datatype, data: &JsonData, sizes: &[usize]) -> Result<Column, Refusal> {
    let is_flat = data.nesting.len() <= 1;
    if !is_flat && data.nesting != sizes {
        let what = format!(
            "the data is nested as {:?}, the shape is {sizes:?}",
            data.nesting
        );
        return Err(("NESTING_MISMATCH", what));
    }
    let wrong = || {
        let what = format!("the data does not hold elements of {}", datatype.name());
        Err(("ELEMENT_TYPE", what))
    };
    let numbers = match (datatype, &data.elements) {
        (Datatype::Bytes, JsonElements::Texts(texts)) => {
            let texts = texts.iter().map(|text| text.clone().unwrap_or_default());
            return Ok(Column::Texts(texts.collect()));
        }
        (Datatype::Bytes, JsonElements::Nulls(count)) => {
            return Ok(Column::Texts(vec![String::new(); *count]));
        }
        (Datatype::Bytes, _) => return wrong(),
        (_, JsonElements::Nulls(count)) => vec![f64::NAN; *count],
        (_, JsonElements::Numbers(numbers)) => numbers.clone(),
        _ => return wrong(),
    };
    let whole = |limit: f64| {
        let fits = |number: &f64| {
            number.is_nan() || (number.fract() == 0.0 && (-limit - 1.0..=limit).contains(number))
        };
        numbers.iter().all(fits)
    };
    match datatype {
        Datatype::Fp64 => Ok(Column::Numbers(numbers)),
        Datatype::Fp32 => Ok(Column::Numbers(numbers.into_iter().map(single).collect())),
        Datatype::Int32 if whole(f64::from(i32::MAX)) => Ok(Column::Numbers(numbers)),
        Datatype::Int64 if whole(EXACT_MAX as f64) => Ok(Column::Numbers(numbers)),
        Datatype::Int32 | Datatype::Int64 => wrong(),
        other => Err(useless(other)),
    }
}

/// The number in single precision, widened again; the same as if it had come as four bytes.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the caller declares single precision, so this is the number that it means"
)]
fn single(number: f64) -> f64 {
    f64::from(number as f32)
}

fn exact(number: i64) -> Result<f64, Refusal> {
    if (-EXACT_MAX..=EXACT_MAX).contains(&number) {
        return Ok(number as f64);
    }
    let what = "integers beyond 2^53 have no exact double".to_owned();
    Err(("INTEGER_TOO_LARGE", what))
}

fn utf8(bytes: &[u8]) -> Result<String, Refusal> {
    String::from_utf8(bytes.to_vec())
        .map_err(|_| ("NOT_UTF8", "the strings must be UTF-8".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tensor(datatype: Datatype, payload: Payload) -> InputTensor {
        InputTensor {
            name: "x".into(),
            datatype,
            shape: Vec::new(),
            payload,
        }
    }

    fn numbers(datatype: Datatype, payload: Payload, count: usize) -> Result<Vec<f64>, ApiError> {
        match decode(&tensor(datatype, payload), &[count], count)? {
            Column::Numbers(numbers) => Ok(numbers),
            Column::Texts(_) => panic!("not numbers"),
        }
    }

    fn json_numbers(numbers: Vec<f64>) -> Payload {
        Payload::Json(JsonData {
            nesting: vec![numbers.len()],
            elements: JsonElements::Numbers(numbers),
        })
    }

    proptest! {
        #[test]
        fn raw_typed_and_json_mean_the_same(values in prop::collection::vec(-1e6_f64..1e6, 0..20)) {
            let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let count = values.len();
            let fields = if count == 0 { vec![] } else { vec![Typed::Fp64(values.clone())] };
            for payload in [Payload::Raw(raw.into()), Payload::Typed(fields), json_numbers(values.clone())] {
                prop_assert_eq!(&numbers(Datatype::Fp64, payload, count).unwrap(), &values);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64), count in 0_usize..9) {
            for datatype in [Datatype::Fp64, Datatype::Fp32, Datatype::Int64, Datatype::Bytes] {
                let payload = Payload::Raw(bytes.clone().into());
                let _ = decode(&tensor(datatype, payload), &[count], count);
            }
        }

        #[test]
        fn strings_survive(texts in prop::collection::vec(".{0,8}", 0..8)) {
            let mut raw = Vec::new();
            for text in &texts {
                raw.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
                raw.extend(text.as_bytes());
            }
            let tensor = tensor(Datatype::Bytes, Payload::Raw(raw.into()));
            let Column::Texts(found) = decode(&tensor, &[texts.len()], texts.len()).unwrap() else {
                panic!("not texts");
            };
            prop_assert_eq!(found, texts);
        }
    }

    #[test]
    fn elements_must_be_exactly_what_the_tensor_says() {
        let reason =
            |datatype, payload, count| numbers(datatype, payload, count).unwrap_err().reason;
        let raw = |length: usize| Payload::Raw(vec![0; length].into());
        assert_eq!(reason(Datatype::Fp64, raw(15), 2), "RAW_LENGTH");
        assert_eq!(reason(Datatype::Fp64, raw(24), 2), "RAW_LENGTH");
        assert_eq!(reason(Datatype::Bool, raw(2), 2), "DATATYPE_WRONG");
        let both = vec![Typed::Fp64(vec![1.0]), Typed::Fp32(vec![1.0])];
        assert_eq!(
            reason(Datatype::Fp64, Payload::Typed(both), 1),
            "CONTENTS_AMBIGUOUS"
        );
        let other = vec![Typed::Fp32(vec![1.0])];
        assert_eq!(
            reason(Datatype::Fp64, Payload::Typed(other), 1),
            "CONTENTS_MISMATCH"
        );
        let large = vec![Typed::Int64(vec![i64::MAX])];
        assert_eq!(
            reason(Datatype::Int64, Payload::Typed(large), 1),
            "INTEGER_TOO_LARGE"
        );
        assert_eq!(
            reason(Datatype::Int32, json_numbers(vec![0.5]), 1),
            "ELEMENT_TYPE"
        );
        assert_eq!(
            reason(Datatype::Int32, json_numbers(vec![3e9]), 1),
            "ELEMENT_TYPE"
        );
        assert_eq!(
            reason(Datatype::Fp64, json_numbers(vec![0.5]), 2),
            "ELEMENT_COUNT"
        );
        let transposed = Payload::Json(JsonData {
            nesting: vec![3, 2],
            elements: JsonElements::Numbers(vec![0.0; 6]),
        });
        let refused = decode(&tensor(Datatype::Fp64, transposed), &[2, 3], 6).unwrap_err();
        assert_eq!(refused.reason, "NESTING_MISMATCH");
    }
}
