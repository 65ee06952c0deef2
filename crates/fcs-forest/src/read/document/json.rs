//! A cursor over JSON (RFC 8259), which also knows the numbers `NaN`, `Infinity` and `-Infinity` that XGBoost writes.

use super::{NESTING_MAX, Read, Refusal, Source, in_field, in_item};
use crate::read::error::FieldProblem;

/// A position in a JSON text.
pub(in crate::read) struct Json<'a> {
    text: &'a str,
    position: usize,
    nesting: usize,
}

impl<'a> Json<'a> {
    pub(in crate::read) fn new(bytes: &'a [u8]) -> Read<Self> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Refusal::syntax(error.valid_up_to(), "not UTF-8"))?;
        Ok(Self {
            text,
            position: 0,
            nesting: 0,
        })
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    fn error<T>(&self, what: &'static str) -> Read<T> {
        Err(Refusal::syntax(self.position, what))
    }

    /// The first byte of the next token, which is not taken.
    fn peek(&mut self) -> Read<u8> {
        while let Some(&byte) = self.bytes().get(self.position) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(byte);
            }
            self.position += 1;
        }
        self.error("cut off")
    }

    /// Takes the next token if it is this byte.
    fn takes(&mut self, byte: u8) -> Read<bool> {
        let is_next = self.peek()? == byte;
        self.position += usize::from(is_next);
        Ok(is_next)
    }

    /// Goes through what stands between two brackets, separated by commas.
    fn entries(
        &mut self,
        closing: u8,
        mut entry: impl FnMut(&mut Self, usize) -> Read<()>,
    ) -> Read<()> {
        if self.nesting == NESTING_MAX {
            return self.error("nested too deep");
        }
        self.nesting += 1;
        let mut index = 0;
        let mut is_closed = self.takes(closing)?;
        while !is_closed {
            entry(self, index)?;
            index += 1;
            is_closed = self.takes(closing)?;
            if !is_closed && !self.takes(b',')? {
                return self.error("neither a comma nor the end of the map or list");
            }
        }
        self.nesting -= 1;
        Ok(())
    }

    /// The characters of a number or word.
    fn word(&mut self) -> Read<&'a str> {
        self.peek()?;
        let start = self.position;
        let is_inside =
            |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        self.position += self.bytes()[start..].iter().take_while(is_inside).count();
        Ok(&self.text[start..self.position])
    }

    /// Refuses a value of another type than was asked for.
    fn wrong_type<T>(expected: &'static str) -> Read<T> {
        Err(Refusal::here(FieldProblem::WrongType { expected }))
    }

    fn escape(&mut self, into: &mut String) -> Read<()> {
        let escaped = self.bytes().get(self.position).copied();
        self.position += 1;
        into.push(match escaped {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => self.unicode_escape()?,
            _ => return self.error("unknown escape"),
        });
        Ok(())
    }

    /// The character after `\u`: four hexadecimal digits, or a pair of surrogates.
    fn unicode_escape(&mut self) -> Read<char> {
        let mut units = [self.code_unit()?, 0];
        let mut count = 1;
        if (0xd800..0xdc00).contains(&units[0]) && self.bytes()[self.position..].starts_with(b"\\u")
        {
            self.position += 2;
            units[1] = self.code_unit()?;
            count = 2;
        }
        let mut decoded = char::decode_utf16(units.into_iter().take(count));
        match decoded.next() {
            Some(Ok(character)) => Ok(character),
            _ => self.error("half a surrogate pair"),
        }
    }

    fn code_unit(&mut self) -> Read<u16> {
        let digits = self.text.get(self.position..self.position + 4);
        let unit = digits
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|digits| u16::from_str_radix(digits, 16).ok());
        match unit {
            Some(unit) => {
                self.position += 4;
                Ok(unit)
            }
            None => self.error("not four hexadecimal digits"),
        }
    }
}

impl Source for Json<'_> {
    fn map(&mut self, mut field: impl FnMut(&mut Self, &str) -> Read<()>) -> Read<()> {
        if !self.takes(b'{')? {
            return Self::wrong_type("a map");
        }
        self.entries(b'}', |json, _| {
            let name = json.text()?;
            if !json.takes(b':')? {
                return json.error("no colon after a name");
            }
            in_field(json, &name, &mut field)
        })
    }

    fn list(&mut self, mut item: impl FnMut(&mut Self, usize) -> Read<()>) -> Read<()> {
        if !self.takes(b'[')? {
            return Self::wrong_type("a list");
        }
        self.entries(b']', |json, index| in_item(json, index, &mut item))
    }

    fn text(&mut self) -> Read<String> {
        if !self.takes(b'"')? {
            return Self::wrong_type("a text");
        }
        let mut text = String::new();
        loop {
            let start = self.position;
            let is_plain = |byte: &&u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
            self.position += self.bytes()[start..].iter().take_while(is_plain).count();
            // Both ends are next to an ASCII character or an end of the document.
            text.push_str(&self.text[start..self.position]);
            let Some(&stop) = self.bytes().get(self.position) else {
                return self.error("cut off");
            };
            if stop < 0x20 {
                return self.error("control character in a text");
            }
            self.position += 1;
            if stop == b'"' {
                return Ok(text);
            }
            self.escape(&mut text)?;
        }
    }

    fn single(&mut self) -> Read<f32> {
        match self.word()? {
            "NaN" => Ok(f32::NAN),
            "Infinity" => Ok(f32::INFINITY),
            "-Infinity" => Ok(f32::NEG_INFINITY),
            // Rust's own words for them are not JSON.
            word if word.ends_with(|last: char| last.is_ascii_digit() || last == '.') => {
                word.parse().or_else(|_| Self::wrong_type("a number"))
            }
            _ => Self::wrong_type("a number"),
        }
    }

    fn integer(&mut self) -> Read<i64> {
        match self.word()? {
            "false" => Ok(0),
            "true" => Ok(1),
            word => word.parse().or_else(|_| Self::wrong_type("an integer")),
        }
    }

    fn skip(&mut self) -> Read<()> {
        match self.peek()? {
            b'{' => self.map(|json, _| json.skip()),
            b'[' => self.list(|json, _| json.skip()),
            b'"' => self.text().map(|_| ()),
            _ => match self.word()? {
                "null" | "true" | "false" => Ok(()),
                word => {
                    self.position -= word.len();
                    self.single().map(|_| ())
                }
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
