//! From the text of a condition to a tree of it, by the grammar and the precedence of CEL.
//!
//! It reads a part of the Common Expression Language: literals, `score`, `features.NAME`, `request.NAME`,
//! `has(...)`, arithmetic, comparisons, `in [..]`, `!`, `&&`, `||` and parentheses. There are no calls, no macros and no
//! loops, so that the cost of an evaluation is bounded by the length of the text.

use super::expression::ExpressionError;

/// Longest text of a condition, in bytes.
pub(super) const TEXT_MAX: usize = 2_000;
/// Deepest nesting of a condition: parentheses, `!` and `-`.
pub(super) const DEPTH_MAX: usize = 24;
/// Operators of one level in a row at most.
const ROW_MAX: usize = 100;

/// One node with the place in the text where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) at: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Bool(bool),
    /// The number, and whether it is written without a point or exponent.
    Number(f64, bool),
    Text(String),
    /// `a` or `a.b`.
    Path(Vec<String>),
    /// `has(a.b)`.
    Has(Vec<String>),
    List(Vec<Node>),
    Not(Box<Node>),
    Negative(Box<Node>),
    Binary(Box<Node>, Binary, Box<Node>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Or,
    And,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// Binary operators by precedence, the loosest first; within a level they associate to the left.
const LEVELS: [&[(&str, Binary)]; 5] = [
    &[("||", Binary::Or)],
    &[("&&", Binary::And)],
    &[
        ("<=", Binary::LessOrEqual),
        (">=", Binary::GreaterOrEqual),
        ("==", Binary::Equal),
        ("!=", Binary::NotEqual),
        ("<", Binary::Less),
        (">", Binary::Greater),
        ("in", Binary::In),
    ],
    &[("+", Binary::Add), ("-", Binary::Subtract)],
    &[("*", Binary::Multiply), ("/", Binary::Divide)],
];

/// Reads a whole condition.
pub(super) fn read(text: &str) -> Result<Node, ExpressionError> {
    if text.len() > TEXT_MAX {
        return Err(ExpressionError::new(
            0,
            format!("longer than {TEXT_MAX} bytes"),
        ));
    }
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
    };
    let node = reader.level(0)?;
    reader.skip_space();
    if reader.rest().is_empty() {
        Ok(node)
    } else {
        Err(reader.unexpected("an operator or the end"))
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn level(&mut self, level: usize) -> Result<Node, ExpressionError> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.level(level + 1)?;
        let mut row = 0;
        while let Some(operator) = self.take_operator(operators) {
            row += 1;
            if row > ROW_MAX {
                let message = format!("more than {ROW_MAX} operators in a row");
                return Err(ExpressionError::new(self.at, message));
            }
            let right = self.level(level + 1)?;
            let at = left.at;
            let kind = Kind::Binary(Box::new(left), operator, Box::new(right));
            left = Node { at, kind };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node, ExpressionError> {
        self.skip_space();
        let at = self.at;
        let wrap: fn(Box<Node>) -> Kind = match self.rest().bytes().next() {
            Some(b'!') => Kind::Not,
            Some(b'-') => Kind::Negative,
            _ => return self.primary(),
        };
        self.at += 1;
        let inner = self.nested(Self::unary)?;
        Ok(Node {
            at,
            kind: wrap(Box::new(inner)),
        })
    }

    fn primary(&mut self) -> Result<Node, ExpressionError> {
        let at = self.at;
        let kind = match self.rest().chars().next() {
            Some('(') => {
                self.at += 1;
                let inner = self.nested(|reader| reader.level(0))?;
                self.expect(")")?;
                return Ok(inner);
            }
            Some('[') => self.list()?,
            Some(quote @ ('"' | '\'')) => Kind::Text(self.text_literal(quote)?),
            Some(first) if first.is_ascii_digit() => self.number()?,
            Some(first) if is_name_start(first) => self.name()?,
            _ => return Err(self.unexpected("a value")),
        };
        Ok(Node { at, kind })
    }

    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Node, ExpressionError>,
    ) -> Result<Node, ExpressionError> {
        if self.depth == DEPTH_MAX {
            let message = format!("nested deeper than {DEPTH_MAX}");
            return Err(ExpressionError::new(self.at, message));
        }
        self.depth += 1;
        let node = read(self)?;
        self.depth -= 1;
        Ok(node)
    }

    fn list(&mut self) -> Result<Kind, ExpressionError> {
        self.expect("[")?;
        let mut items = Vec::new();
        loop {
            items.push(self.unary()?);
            if self.take("]") {
                return Ok(Kind::List(items));
            }
            self.expect(",")?;
        }
    }

    fn name(&mut self) -> Result<Kind, ExpressionError> {
        let at = self.at;
        let path = self.path()?;
        match path.as_slice() {
            [word] if word == "true" || word == "false" => Ok(Kind::Bool(word == "true")),
            [word] if word == "has" => {
                self.expect("(")?;
                self.skip_space();
                let inner = self.path()?;
                self.expect(")")?;
                Ok(Kind::Has(inner))
            }
            [word] if word == "in" || word == "null" => {
                self.at = at;
                Err(self.unexpected("a value"))
            }
            _ => Ok(Kind::Path(path)),
        }
    }

    fn path(&mut self) -> Result<Vec<String>, ExpressionError> {
        let mut path = vec![self.word()?];
        while self.take(".") {
            self.skip_space();
            path.push(self.word()?);
        }
        Ok(path)
    }

    fn word(&mut self) -> Result<String, ExpressionError> {
        let rest = self.rest();
        if !rest.starts_with(is_name_start) {
            return Err(self.unexpected("a name"));
        }
        let end = rest.find(|c| !is_name_part(c)).unwrap_or(rest.len());
        let word = rest[..end].to_owned();
        self.at += end;
        Ok(word)
    }

    fn number(&mut self) -> Result<Kind, ExpressionError> {
        let start = self.at;
        self.digits();
        let mut whole = true;
        let bytes = self.text.as_bytes();
        if bytes.get(self.at) == Some(&b'.')
            && bytes.get(self.at + 1).is_some_and(u8::is_ascii_digit)
        {
            whole = false;
            self.at += 1;
            self.digits();
        }
        if matches!(bytes.get(self.at), Some(b'e' | b'E')) {
            whole = false;
            self.at += 1;
            if matches!(bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits();
        }
        let glued = self.rest().starts_with(|c| is_name_part(c) || c == '.');
        match self.text[start..self.at].parse::<f64>() {
            Ok(number) if number.is_finite() && !glued => Ok(Kind::Number(number, whole)),
            _ => Err(ExpressionError::new(
                start,
                "not a decimal number".to_owned(),
            )),
        }
    }

    fn digits(&mut self) {
        let rest = self.rest();
        self.at += rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
    }

    fn text_literal(&mut self, quote: char) -> Result<String, ExpressionError> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        let mut characters = self.text[self.at..].char_indices();
        while let Some((offset, character)) = characters.next() {
            match character {
                _ if character == quote => {
                    self.at += offset + quote.len_utf8();
                    return Ok(text);
                }
                '\\' => {
                    let escaped = characters.next().map(|(_, escaped)| escaped);
                    let Some(escaped @ ('\\' | '"' | '\'')) = escaped else {
                        let message = "only \\\\, \\\" and \\' are escapes here".to_owned();
                        return Err(ExpressionError::new(self.at + offset, message));
                    };
                    text.push(escaped);
                }
                character if character.is_control() => break,
                character => text.push(character),
            }
        }
        Err(ExpressionError::new(
            start,
            "the text does not end".to_owned(),
        ))
    }

    fn take_operator(&mut self, operators: &[(&str, Binary)]) -> Option<Binary> {
        self.skip_space();
        let rest = self.rest();
        let (spelling, operator) = operators.iter().find(|(spelling, operator)| {
            let after = rest.strip_prefix(spelling);
            after.is_some_and(|after| *operator != Binary::In || !after.starts_with(is_name_part))
        })?;
        self.at += spelling.len();
        Some(*operator)
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str) -> Result<(), ExpressionError> {
        if self.take(token) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("{token:?}")))
        }
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.find(|c| !" \t\r\n".contains(c)).unwrap_or(rest.len());
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn unexpected(&self, expected: &str) -> ExpressionError {
        let found = match self.rest().chars().next() {
            Some(character) => format!("{character:?}"),
            None => "the end".to_owned(),
        };
        ExpressionError::new(self.at, format!("expected {expected}, found {found}"))
    }
}

fn is_name_start(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_'
}

fn is_name_part(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}
