//! The file formats of a model.

/// A format that [`Model::read`](crate::Model::read) reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// The text that LightGBM's `save_model` writes, versions v3 and v4.
    LightGbmText,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 1] = [Self::LightGbmText];

    /// The name that a manifest uses, for example `lightgbm-text`.
    pub fn name(self) -> &'static str {
        match self {
            Self::LightGbmText => "lightgbm-text",
        }
    }

    /// The format with a manifest's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// What the first bytes of a file look like; `None` when they look like no format that is read.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        bytes.starts_with(b"tree\n").then_some(Self::LightGbmText)
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}
