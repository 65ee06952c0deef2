//! Constant tensors and the attributes of a node.

use super::proto::{self, attribute_type, element_type};
use super::refusal::{Read, Refusal, shortened};
use super::unpack::Unpacking;
use super::value::Element;
use crate::read::error::FieldProblem;

/// Attributes of one node; the tree operators have about twenty.
const ATTRIBUTES_MAX: usize = 64;

/// A constant, flattened.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Constant {
    pub(super) element: Element,
    /// Number of dimensions; 0 for a single number.
    pub(super) rank: usize,
    /// Whether all dimensions but the last are 1, so that it stands for one row.
    pub(super) is_row: bool,
    /// The last dimension; 1 for a single number.
    pub(super) width: usize,
    pub(super) numbers: Numbers,
}

/// Numbers as they are stored: whole numbers past 2^53 would not survive as doubles.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Numbers {
    Real(Vec<f64>),
    Whole(Vec<i64>),
    Texts(Vec<Vec<u8>>),
}

impl Constant {
    pub(super) fn new(tensor: proto::Tensor) -> Read<Self> {
        if tensor.data_location != 0 {
            return Err(Refusal::unsupported("data_location", "external", "none"));
        }
        let raw = &tensor.raw_data;
        let (element, numbers) = match tensor.data_type {
            element_type::FLOAT => {
                let numbers = stored(tensor.float_data, raw, f32::from_le_bytes)?;
                let widened = numbers.into_iter().map(f64::from).collect();
                (Element::Float, Numbers::Real(widened))
            }
            element_type::DOUBLE => {
                let numbers = stored(tensor.double_data, raw, f64::from_le_bytes)?;
                (Element::Double, Numbers::Real(numbers))
            }
            element_type::INT64 => {
                let numbers = stored(tensor.int64_data, raw, i64::from_le_bytes)?;
                (Element::Whole, Numbers::Whole(numbers))
            }
            element_type::INT32 => {
                let numbers = stored(tensor.int32_data, raw, i32::from_le_bytes)?;
                let widened = numbers.into_iter().map(i64::from).collect();
                (Element::Whole, Numbers::Whole(widened))
            }
            element_type::UINT8 => {
                let numbers = stored(tensor.int32_data, raw, |[byte]: [u8; 1]| byte.into())?;
                let widened = numbers.into_iter().map(i64::from).collect();
                (Element::Whole, Numbers::Whole(widened))
            }
            element_type::STRING => (Element::Text, Numbers::Texts(tensor.string_data)),
            other => {
                return Err(Refusal::unsupported(
                    "data_type",
                    &other.to_string(),
                    "float, double, uint8, int32, int64 and string",
                ));
            }
        };
        let constant = Self {
            element,
            rank: tensor.dims.len(),
            is_row: tensor.dims.iter().rev().skip(1).all(|dim| *dim == 1),
            width: tensor
                .dims
                .last()
                .map_or(1, |dim| usize::try_from(*dim).unwrap_or(0)),
            numbers,
        };
        let expected = tensor.dims.iter().try_fold(1_i64, |product, dim| {
            product.checked_mul((*dim).max(0)).filter(|_| *dim >= 0)
        });
        let found = constant.len();
        match expected.and_then(|expected| usize::try_from(expected).ok()) {
            Some(expected) if expected == found => Ok(constant),
            Some(expected) => Err(Refusal::wrong_length("data", expected, found)),
            None => Err(Refusal::out_of_range("dims", "lengths from 0")),
        }
    }

    pub(super) fn len(&self) -> usize {
        match &self.numbers {
            Numbers::Real(numbers) => numbers.len(),
            Numbers::Whole(numbers) => numbers.len(),
            Numbers::Texts(texts) => texts.len(),
        }
    }

    /// Its whole numbers.
    pub(super) fn whole(&self) -> Read<&[i64]> {
        match &self.numbers {
            Numbers::Whole(numbers) => Ok(numbers),
            _ => Err(Refusal::out_of_range("", "whole numbers")),
        }
    }

    /// Its numbers as doubles.
    pub(super) fn real(&self) -> Read<Vec<f64>> {
        match &self.numbers {
            Numbers::Real(numbers) => Ok(numbers.clone()),
            Numbers::Whole(numbers) => Ok(numbers.iter().map(|number| *number as f64).collect()),
            Numbers::Texts(_) => Err(Refusal::out_of_range("", "numbers")),
        }
    }
}

/// The typed list, or the raw bytes as one.
fn stored<T, const SIZE: usize>(
    typed: Vec<T>,
    raw: &[u8],
    from_bytes: impl Fn([u8; SIZE]) -> T,
) -> Read<Vec<T>> {
    if raw.is_empty() {
        return Ok(typed);
    }
    let (chunks, rest) = raw.as_chunks::<SIZE>();
    if !typed.is_empty() || !rest.is_empty() {
        return Err(Refusal::out_of_range(
            "raw_data",
            "whole numbers of the tensor's type alone",
        ));
    }
    Ok(chunks.iter().map(|bytes| from_bytes(*bytes)).collect())
}

/// The attributes of a node that have not been taken yet.
pub(super) struct Attributes(Vec<Attribute>);

/// An attribute, and its tensor when it is one.
struct Attribute {
    message: proto::Attribute,
    tensor: Option<proto::Tensor>,
}

impl Attributes {
    pub(super) fn new(encoded: &[Vec<u8>], unpacking: &mut Unpacking) -> Read<Self> {
        if encoded.len() > ATTRIBUTES_MAX {
            return Err(Refusal::out_of_range("attribute", "at most 64 attributes"));
        }
        let mut attributes: Vec<Attribute> = Vec::with_capacity(encoded.len());
        for (index, bytes) in encoded.iter().enumerate() {
            let path = format!("attribute[{index}]");
            let message: proto::Attribute = unpacking.decode(bytes, &path)?;
            let name = shortened(&message.name);
            if attributes
                .iter()
                .any(|other| other.message.name == message.name)
            {
                return Err(Refusal::new(name, FieldProblem::Repeated));
            }
            let tensor = unpacking.decode_one(&message.t, &name)?;
            attributes.push(Attribute { message, tensor });
        }
        Ok(Self(attributes))
    }

    /// Takes an attribute of a type.
    fn take(
        &mut self,
        name: &'static str,
        kind: i32,
        expected: &'static str,
    ) -> Read<Option<proto::Attribute>> {
        let taken = self.take_whole(name, kind, expected)?;
        Ok(taken.map(|attribute| attribute.message))
    }

    fn take_whole(
        &mut self,
        name: &'static str,
        kind: i32,
        expected: &'static str,
    ) -> Read<Option<Attribute>> {
        let has_name = |attribute: &Attribute| attribute.message.name == name;
        let Some(position) = self.0.iter().position(has_name) else {
            return Ok(None);
        };
        let attribute = self.0.swap_remove(position);
        if attribute.message.kind != kind {
            let problem = FieldProblem::WrongType { expected };
            return Err(Refusal::new(name, problem));
        }
        Ok(Some(attribute))
    }

    pub(super) fn float(&mut self, name: &'static str) -> Read<Option<f64>> {
        let attribute = self.take(name, attribute_type::FLOAT, "a float")?;
        Ok(attribute.map(|attribute| f64::from(attribute.f)))
    }

    pub(super) fn int(&mut self, name: &'static str) -> Read<Option<i64>> {
        let attribute = self.take(name, attribute_type::INT, "an int")?;
        Ok(attribute.map(|attribute| attribute.i))
    }

    pub(super) fn string(&mut self, name: &'static str) -> Read<Option<String>> {
        let attribute = self.take(name, attribute_type::STRING, "a string")?;
        Ok(attribute.map(|attribute| String::from_utf8_lossy(&attribute.s).into_owned()))
    }

    pub(super) fn floats(&mut self, name: &'static str) -> Read<Option<Vec<f64>>> {
        let attribute = self.take(name, attribute_type::FLOATS, "a list of floats")?;
        Ok(attribute.map(|attribute| attribute.floats.into_iter().map(f64::from).collect()))
    }

    pub(super) fn ints(&mut self, name: &'static str) -> Read<Option<Vec<i64>>> {
        let attribute = self.take(name, attribute_type::INTS, "a list of ints")?;
        Ok(attribute.map(|attribute| attribute.ints))
    }

    pub(super) fn strings(&mut self, name: &'static str) -> Read<Option<Vec<Vec<u8>>>> {
        let attribute = self.take(name, attribute_type::STRINGS, "a list of strings")?;
        Ok(attribute.map(|attribute| attribute.strings))
    }

    pub(super) fn tensor(&mut self, name: &'static str) -> Read<Option<Constant>> {
        let attribute = self.take_whole(name, attribute_type::TENSOR, "a tensor")?;
        let tensor = attribute.and_then(|attribute| attribute.tensor);
        let constant = tensor.map(Constant::new).transpose();
        constant.map_err(|refusal| refusal.within(name))
    }

    /// Numbers that are a list of floats or, in double precision, a tensor whose name ends in `_as_tensor`.
    pub(super) fn reals(
        &mut self,
        name: &'static str,
        as_tensor: &'static str,
    ) -> Read<Option<Vec<f64>>> {
        let floats = self.floats(name)?;
        let tensor = self.tensor(as_tensor)?;
        match (floats, tensor) {
            (Some(_), Some(_)) => Err(Refusal::out_of_range(as_tensor, "left out beside the list")),
            (floats, None) => Ok(floats),
            (None, Some(tensor)) => {
                let numbers = tensor.real().map_err(|refusal| refusal.within(as_tensor))?;
                Ok(Some(numbers))
            }
        }
    }

    /// Drops attributes that cannot change an output.
    pub(super) fn ignore(&mut self, names: &[&str]) {
        self.0
            .retain(|attribute| !names.contains(&attribute.message.name.as_str()));
    }

    /// Refuses what was not taken.
    pub(super) fn finish(self) -> Read<()> {
        match self.0.first() {
            None => Ok(()),
            Some(attribute) => Err(Refusal::new(
                shortened(&attribute.message.name),
                FieldProblem::Refused {
                    why: "an attribute that is not known".to_owned(),
                },
            )),
        }
    }
}
