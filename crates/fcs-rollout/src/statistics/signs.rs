use fcs_core::{EValue, ln_mean_exp};
use serde::{Deserialize, Serialize};

/// Chances of being slower that are bet on.
const CHANCES: [f64; 7] = [0.52, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9];

/// The i-th request of the candidate beside the i-th of the stable arm in the same moment: which was slower?
///
/// A sequential sign test, with the effect size of Mann and Whitney. It sees that most requests became a
/// little slower; a slow tail, such as 3 s more for one request in a hundred, it does not see. Ties are left
/// out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signs {
    /// Pairs in which the candidate was slower.
    pub slower: u64,
    /// Pairs in which the candidate was faster.
    pub faster: u64,
}

impl Signs {
    /// Evidence that the candidate is slower in more than half of the pairs:
    /// the mean over chances `t` of `(2 t)^slower (2 (1 - t))^faster`.
    pub fn evidence(self) -> EValue {
        let (slower, faster) = (self.slower as f64, self.faster as f64);
        let of_chance = |t: f64| slower * libm::log(2.0 * t) + faster * libm::log(2.0 * (1.0 - t));
        EValue::from_ln(ln_mean_exp(&CHANCES.map(of_chance)))
    }
}
