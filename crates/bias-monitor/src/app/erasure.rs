//! Applications that the gateway erased.

/// An application that was erased, and its decisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// The erasure's place among the gateway's.
    pub place: u64,
    /// What stands for the application id from now on.
    pub pseudonym: fcs_core::ApplicationId,
    /// The places in the log of its decisions.
    pub log_indices: Vec<u64>,
}
