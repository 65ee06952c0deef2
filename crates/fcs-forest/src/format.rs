//! The file formats of a model.

use crate::read::{onnx, plain};

/// A format that [`Model::read`](crate::Model::read) reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// The text that LightGBM's `save_model` writes, versions v3 and v4.
    LightGbmText,
    /// The JSON that XGBoost's `save_model` writes, versions 1.7 to 3.
    XgBoostJson,
    /// The same model as Universal Binary JSON.
    XgBoostUbj,
    /// An ONNX model of the `ai.onnx.ml` operators.
    Onnx,
    /// A linear model as TOML: see `docs/guides/model-formats.md`, as for the next three.
    LinearToml,
    /// A linear model as JSON.
    LinearJson,
    /// A scorecard as TOML.
    ScorecardToml,
    /// A scorecard as JSON.
    ScorecardJson,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 8] = [
        Self::LightGbmText,
        Self::XgBoostJson,
        Self::XgBoostUbj,
        Self::Onnx,
        Self::LinearToml,
        Self::LinearJson,
        Self::ScorecardToml,
        Self::ScorecardJson,
    ];

    /// The name that a manifest uses, for example `lightgbm-text`.
    pub fn name(self) -> &'static str {
        match self {
            Self::LightGbmText => "lightgbm-text",
            Self::XgBoostJson => "xgboost-json",
            Self::XgBoostUbj => "xgboost-ubj",
            Self::Onnx => "onnx",
            Self::LinearToml => "linear-toml",
            Self::LinearJson => "linear-json",
            Self::ScorecardToml => "scorecard-toml",
            Self::ScorecardJson => "scorecard-json",
        }
    }

    /// The format with a manifest's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// What the first bytes of a file look like; `None` when they look like no format that is read.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"tree\n") {
            return Some(Self::LightGbmText);
        }
        if onnx::detect(bytes) {
            return Some(Self::Onnx);
        }
        xgboost(bytes).or_else(|| plain::detect(bytes))
    }
}

/// Which of XGBoost's formats the first bytes of a file look like.
fn xgboost(bytes: &[u8]) -> Option<Format> {
    let inside = bytes.trim_ascii_start().strip_prefix(b"{")?;
    let is_learner = |text: &[u8]| text.starts_with(b"learner") || text.starts_with(b"version");
    if let Some(name) = inside.trim_ascii_start().strip_prefix(b"\"") {
        return is_learner(name).then_some(Format::XgBoostJson);
    }
    // The name's length: a marker and an integer, of eight bytes in all files that XGBoost writes.
    let name = inside.strip_prefix(b"L")?.get(8..)?;
    is_learner(name).then_some(Format::XgBoostUbj)
}

impl std::fmt::Display for Format {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_format() {
        for (bytes, format) in [
            (&b"tree\nversion=v4"[..], Some(Format::LightGbmText)),
            (b"{\"learner\":{", Some(Format::XgBoostJson)),
            (b"\n { \"version\": [3", Some(Format::XgBoostJson)),
            (b"{L\0\0\0\0\0\0\0\x07learner{", Some(Format::XgBoostUbj)),
            (b"{\"weights\":{", None),
            (b"{L\0\0", None),
            (b"{", None),
            (b"", None),
        ] {
            assert_eq!(Format::detect(bytes), format, "{bytes:?}");
        }
        for format in Format::ALL {
            assert_eq!(Format::from_name(format.name()), Some(format));
        }
    }
}
