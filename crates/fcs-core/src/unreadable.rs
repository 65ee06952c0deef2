//! What is wrong with JSON, without what stands in it.

use serde_json::Error;
use serde_json::error::Category;

/// The JSON cannot be read. The parser's own error quotes the values that it stumbles over; this one goes into logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line}, column {column}")]
pub struct UnreadableJson {
    what: &'static str,
    line: usize,
    column: usize,
}

impl From<Error> for UnreadableJson {
    fn from(error: Error) -> Self {
        let what = match error.classify() {
            Category::Io => "no bytes",
            Category::Syntax => "no JSON",
            Category::Data => "other data than expected",
            Category::Eof => "an early end",
        };
        Self {
            what,
            line: error.line(),
            column: error.column(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_told_and_not_the_value() {
        let error = serde_json::from_str::<Vec<u8>>("[1,\n\"Ada\"]").unwrap_err();
        assert!(error.to_string().contains("Ada"));
        let told = UnreadableJson::from(error).to_string();
        assert_eq!(told, "other data than expected at line 2, column 5");
    }
}
