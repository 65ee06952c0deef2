//! `data` of a JSON tensor: elements in nested or flat arrays, read row by row without a tree in between.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use crate::app::inference::{JsonData, JsonElements};
use crate::app::score::ROWS_MAX;

/// Depth of the arrays.
const DEPTH_MAX: usize = 8;
/// Elements of a tensor.
const ELEMENTS_MAX: usize = ROWS_MAX * 1_024;
/// Integers up to here are exact in double precision.
const EXACT_MAX: u64 = 1 << 53;

/// Reads `data`. For `#[serde(deserialize_with)]`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<JsonData>, D::Error> {
    let mut collector = Collector::default();
    let level = Level {
        collector: &mut collector,
        depth: 0,
    };
    level.deserialize(from)?;
    Ok(Some(JsonData {
        nesting: collector.sizes.into_iter().flatten().collect(),
        elements: collector.elements,
    }))
}

#[derive(Default)]
struct Collector {
    /// Size of the arrays at each depth; the same for all of a depth.
    sizes: Vec<Option<usize>>,
    /// Depth of the elements.
    leaf: Option<usize>,
    elements: JsonElements,
}

impl Collector {
    /// Ends an array of so many members.
    fn close<E: Error>(&mut self, depth: usize, size: usize) -> Result<(), E> {
        if self.sizes.len() <= depth {
            self.sizes.resize(depth + 1, None);
        }
        if *self.sizes[depth].get_or_insert(size) == size {
            return Ok(());
        }
        Err(E::custom("the arrays of data have different lengths"))
    }

    /// Takes an element at a depth.
    fn push<E: Error>(&mut self, depth: usize, element: Element<'_>) -> Result<(), E> {
        if depth == 0 {
            return Err(E::custom("data is an array"));
        }
        if *self.leaf.get_or_insert(depth) != depth {
            return Err(E::custom("the elements of data are not all equally deep"));
        }
        if self.elements.len() >= ELEMENTS_MAX {
            return Err(E::custom(format!(
                "data holds more than {ELEMENTS_MAX} elements"
            )));
        }
        match (&mut self.elements, element) {
            (JsonElements::Nulls(count), Element::Null)
            | (JsonElements::Bools(count), Element::Bool) => *count += 1,
            (JsonElements::Numbers(numbers), Element::Number(number)) => numbers.push(number),
            (JsonElements::Numbers(numbers), Element::Null) => numbers.push(f64::NAN),
            (JsonElements::Texts(texts), Element::Text(text)) => texts.push(Some(text.to_owned())),
            (JsonElements::Texts(texts), Element::Null) => texts.push(None),
            (JsonElements::Nulls(count), first) => {
                let nulls = *count;
                self.elements = first.with_nulls_before(nulls);
            }
            _ => return Err(E::custom("the elements of data are of different kinds")),
        }
        Ok(())
    }
}

enum Element<'a> {
    Null,
    Number(f64),
    Text(&'a str),
    Bool,
}

impl Element<'_> {
    fn with_nulls_before(self, nulls: usize) -> JsonElements {
        match self {
            Self::Null => JsonElements::Nulls(nulls + 1),
            Self::Number(number) => {
                let mut numbers = vec![f64::NAN; nulls];
                numbers.push(number);
                JsonElements::Numbers(numbers)
            }
            Self::Text(text) => {
                let mut texts = vec![None; nulls];
                texts.push(Some(text.to_owned()));
                JsonElements::Texts(texts)
            }
            Self::Bool => JsonElements::Bools(nulls + 1),
        }
    }
}

/// One value at a depth: an element, or an array of values one deeper.
struct Level<'a> {
    collector: &'a mut Collector,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of numbers, texts or nulls, nested or flat")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        if self.depth >= DEPTH_MAX {
            return Err(A::Error::custom(format!(
                "data is deeper than {DEPTH_MAX} arrays"
            )));
        }
        let mut size = 0;
        loop {
            let member = Level {
                collector: self.collector,
                depth: self.depth + 1,
            };
            if members.next_element_seed(member)?.is_none() {
                return self.collector.close(self.depth, size);
            }
            size += 1;
        }
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.collector.push(self.depth, Element::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.collector.push(self.depth, Element::Bool)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.collector.push(self.depth, Element::Number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        if number > EXACT_MAX {
            return Err(E::custom("integers beyond 2^53 have no exact double"));
        }
        self.visit_f64(number as f64)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        if number.unsigned_abs() > EXACT_MAX {
            return Err(E::custom("integers beyond 2^53 have no exact double"));
        }
        self.visit_f64(number as f64)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.collector.push(self.depth, Element::Text(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<JsonData, String> {
        let mut json = serde_json::Deserializer::from_str(text);
        deserialize(&mut json)
            .map(|data| data.expect("data"))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn nested_and_flat_arrays_hold_the_same_elements() {
        for (text, nesting) in [
            ("[1,2.5,null,4]", vec![4]),
            ("[[1,2.5],[null,4]]", vec![2, 2]),
            ("[[[1],[2.5]],[[null],[4]]]", vec![2, 2, 1]),
        ] {
            let data = read(text).unwrap();
            assert_eq!(data.nesting, nesting, "{text}");
            let JsonElements::Numbers(numbers) = data.elements else {
                panic!("{text}: not numbers");
            };
            assert_eq!(numbers[..2], [1.0, 2.5]);
            assert!(numbers[2].is_nan());
        }
        assert_eq!(read("[]").unwrap().nesting, [0]);
        let texts = read(r#"[null,"a"]"#).unwrap().elements;
        assert!(
            matches!(texts, JsonElements::Texts(texts) if texts == [None, Some("a".to_owned())])
        );
    }

    #[test]
    fn what_is_no_tensor_is_refused() {
        let deep = "[".repeat(9) + &"]".repeat(9);
        for text in [
            "1",
            "null",
            "{}",
            "[[1,2],[3]]",
            "[1,[2]]",
            "[[1],2]",
            r#"[1,"a"]"#,
            "[1,true]",
            "[9007199254740993]",
            "[NaN]",
            "[1e999]",
            "[{}]",
            &deep,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
