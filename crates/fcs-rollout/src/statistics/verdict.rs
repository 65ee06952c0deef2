use serde::{Deserialize, Serialize};

/// What is known of a candidate by one rule. Only [`Verdict::Clear`] may promote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Shown to be worse than what is tolerated.
    Breach,
    /// Shown to be as good as was asked for.
    Clear,
    /// Neither is shown yet. Normal for a small weight.
    Insufficient {
        /// What is missing at best.
        needed: Needed,
    },
    /// There is nothing that could be judged.
    NoData {
        /// Why.
        reason: Absence,
    },
}

/// The least that brings an answer. `None` is where that answer cannot come this way, or not within ten million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needed {
    /// Bad requests that make a breach if the candidate has all of them, at the present weight.
    pub bad_requests_to_breach: Option<u64>,
    /// Bad requests that clear the candidate if the stable arm has all of them, at the present weight.
    pub bad_requests_to_clear: Option<u64>,
    /// Requests of the candidate that clear it if none of them is bad.
    pub good_requests_to_clear: Option<u64>,
    /// Microseconds for which a threshold must go on being exceeded to make a breach.
    pub exceeding_micros_to_breach: Option<u64>,
}

/// Why there is nothing to judge. Never good news, and never a breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absence {
    /// Nothing came.
    Missing,
    /// What came last is too old.
    Stale,
    /// What came is not a finite number.
    NotANumber,
    /// What came rests on too few requests.
    TooFewRequests,
    /// The arms did not get the requests that they should have got, so they cannot be compared.
    SampleRatioMismatch,
}
