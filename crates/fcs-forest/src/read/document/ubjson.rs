//! A cursor over Universal Binary JSON (draft 12, ubjson.org), as far as XGBoost writes it: big-endian numbers, maps
//! up to their end, lists that are plain, counted (`[#`) or counted and of one type (`[$d#`).

use super::{NESTING_MAX, Read, Refusal, Source, in_field, in_item};
use crate::read::error::FieldProblem;

/// A position in a UBJSON document.
pub(in crate::read) struct Ubjson<'a> {
    bytes: &'a [u8],
    position: usize,
    nesting: usize,
    /// The type of each item, inside a list of one type: its items have no marker of their own.
    item_marker: Option<u8>,
}

impl<'a> Ubjson<'a> {
    pub(in crate::read) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            position: 0,
            nesting: 0,
            item_marker: None,
        }
    }

    fn error<T>(&self, what: &'static str) -> Read<T> {
        Err(Refusal::syntax(self.position, what))
    }

    fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// The next bytes, whose number may be a lie.
    fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        if count > self.remaining() {
            return self.error("cut off");
        }
        let start = self.position;
        self.position += count;
        Ok(&self.bytes[start..self.position])
    }

    fn array<const COUNT: usize>(&mut self) -> Read<[u8; COUNT]> {
        let bytes = self.take(COUNT)?;
        let mut array = [0; COUNT];
        array.copy_from_slice(bytes);
        Ok(array)
    }

    /// The next byte that is not a no-op, which is not taken.
    fn peek(&mut self) -> Read<u8> {
        while let Some(&byte) = self.bytes.get(self.position) {
            if byte != b'N' {
                return Ok(byte);
            }
            self.position += 1;
        }
        self.error("cut off")
    }

    /// Takes the next byte if it is this one.
    fn takes(&mut self, byte: u8) -> Read<bool> {
        let is_next = self.peek()? == byte;
        self.position += usize::from(is_next);
        Ok(is_next)
    }

    /// The type of the next value.
    fn marker(&mut self) -> Read<u8> {
        if let Some(marker) = self.item_marker {
            return Ok(marker);
        }
        let marker = self.peek()?;
        self.position += 1;
        Ok(marker)
    }

    /// The integer of a type, or `None` for another type.
    fn integer_of(&mut self, marker: u8) -> Read<Option<i64>> {
        Ok(Some(match marker {
            b'i' => i8::from_be_bytes(self.array()?).into(),
            b'U' => u8::from_be_bytes(self.array()?).into(),
            b'I' => i16::from_be_bytes(self.array()?).into(),
            b'l' => i32::from_be_bytes(self.array()?).into(),
            b'L' => i64::from_be_bytes(self.array()?),
            _ => return Ok(None),
        }))
    }

    /// A length or count of things that take at least `bytes_each`.
    fn count(&mut self, bytes_each: usize) -> Read<usize> {
        let marker = self.peek()?;
        self.position += 1;
        let Some(count) = self.integer_of(marker)? else {
            return self.error("a length that is no integer");
        };
        match usize::try_from(count) {
            Ok(count) if count <= self.remaining() / bytes_each => Ok(count),
            _ => self.error("a length past the end of the document"),
        }
    }

    /// The characters of a text whose marker, if any, was taken.
    fn characters(&mut self) -> Read<&'a str> {
        let length = self.count(1)?;
        let start = self.position;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes)
            .map_err(|error| Refusal::syntax(start + error.valid_up_to(), "not UTF-8"))
    }

    fn enter(&mut self) -> Read<()> {
        if self.nesting == NESTING_MAX {
            return self.error("nested too deep");
        }
        self.nesting += 1;
        Ok(())
    }

    /// Refuses a value of another type than was asked for.
    fn wrong_type<T>(expected: &'static str) -> Read<T> {
        Err(Refusal::here(FieldProblem::WrongType { expected }))
    }

    /// Bytes of each item in a list of one type.
    fn item_bytes(&self, marker: u8) -> Read<usize> {
        match marker {
            b'i' | b'U' => Ok(1),
            b'I' => Ok(2),
            b'l' | b'd' => Ok(4),
            b'L' | b'D' => Ok(8),
            _ => self.error("a list of one type that is not a number"),
        }
    }

    /// Goes through the map whose marker was taken.
    fn fields(&mut self, mut field: impl FnMut(&mut Self, &str) -> Read<()>) -> Read<()> {
        self.enter()?;
        while !self.takes(b'}')? {
            let name = self.characters()?;
            in_field(self, name, &mut field)?;
        }
        self.nesting -= 1;
        Ok(())
    }

    /// Goes through the list whose marker was taken.
    fn items(&mut self, mut item: impl FnMut(&mut Self, usize) -> Read<()>) -> Read<()> {
        self.enter()?;
        if self.takes(b'$')? {
            let marker = self.marker()?;
            let bytes_each = self.item_bytes(marker)?;
            if !self.takes(b'#')? {
                return self.error("a list of one type without a count");
            }
            let count = self.count(bytes_each)?;
            self.item_marker = Some(marker);
            for index in 0..count {
                in_item(self, index, &mut item)?;
            }
            self.item_marker = None;
        } else if self.takes(b'#')? {
            for index in 0..self.count(1)? {
                in_item(self, index, &mut item)?;
            }
        } else {
            let mut index = 0;
            while !self.takes(b']')? {
                in_item(self, index, &mut item)?;
                index += 1;
            }
        }
        self.nesting -= 1;
        Ok(())
    }
}

impl Source for Ubjson<'_> {
    fn map(&mut self, field: impl FnMut(&mut Self, &str) -> Read<()>) -> Read<()> {
        match self.marker()? {
            b'{' => self.fields(field),
            _ => Self::wrong_type("a map"),
        }
    }

    fn list(&mut self, item: impl FnMut(&mut Self, usize) -> Read<()>) -> Read<()> {
        match self.marker()? {
            b'[' => self.items(item),
            _ => Self::wrong_type("a list"),
        }
    }

    fn text(&mut self) -> Read<String> {
        match self.marker()? {
            b'S' => self.characters().map(str::to_owned),
            _ => Self::wrong_type("a text"),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "the nearest single-precision number is what is meant"
    )]
    fn single(&mut self) -> Read<f32> {
        let marker = self.marker()?;
        match marker {
            b'd' => Ok(f32::from_be_bytes(self.array()?)),
            b'D' => Ok(f64::from_be_bytes(self.array()?) as f32),
            _ => match self.integer_of(marker)? {
                Some(integer) => Ok(integer as f32),
                None => Self::wrong_type("a number"),
            },
        }
    }

    fn integer(&mut self) -> Read<i64> {
        let marker = self.marker()?;
        match marker {
            b'F' => Ok(0),
            b'T' => Ok(1),
            _ => match self.integer_of(marker)? {
                Some(integer) => Ok(integer),
                None => Self::wrong_type("an integer"),
            },
        }
    }

    fn skip(&mut self) -> Read<()> {
        let marker = self.marker()?;
        match marker {
            b'{' => self.fields(|source, _| source.skip()),
            b'[' => self.items(|source, _| source.skip()),
            b'S' => self.characters().map(|_| ()),
            b'Z' | b'T' | b'F' => Ok(()),
            b'd' => self.take(4).map(|_| ()),
            b'D' => self.take(8).map(|_| ()),
            _ => match self.integer_of(marker)? {
                Some(_) => Ok(()),
                None => self.error("an unknown type"),
            },
        }
    }

    fn end(&mut self) -> Read<()> {
        match self.peek() {
            Err(_) => Ok(()),
            Ok(_) => self.error("something after the end of the document"),
        }
    }
}
