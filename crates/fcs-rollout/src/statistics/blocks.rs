use fcs_core::EValue;
use serde::{Deserialize, Serialize};

use super::{Arms, Tally};

/// Bad requests that each arm is thought to have had beforehand, and as many good ones.
const PRIOR: f64 = 0.18;

/// Compares two arms whose requests were *not* assigned at random, from blocks of requests of both.
///
/// For when a balancer fixes how many requests each arm gets in a block. The order of blocks matters, so shards
/// cannot be merged; [`super::arm`] is better wherever its assumption holds. Turner, Ly and Grünwald (2024),
/// "Generic E-variables for exact sequential k-sample tests that allow for optional stopping", Journal of
/// Statistical Planning and Inference 230, 106116 (arXiv 2106.02693), with predictions from earlier
/// blocks under a prior Beta(0.18, 0.18) per arm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockTest {
    seen: Arms,
    evidence: EValue,
}

impl Default for BlockTest {
    fn default() -> Self {
        Self {
            seen: Arms::default(),
            evidence: EValue::ONE,
        }
    }
}

impl BlockTest {
    /// Counts a block. The sizes of its arms must not depend on what becomes of its requests; a block without
    /// one of the arms says nothing and is left out.
    pub fn add(&mut self, block: Arms) {
        let (candidate, stable) = (block.candidate, block.stable);
        let size = candidate.requests() as f64 + stable.requests() as f64;
        if candidate.requests() == 0 || stable.requests() == 0 {
            return;
        }
        let of_candidate = predicted(self.seen.candidate);
        let of_stable = predicted(self.seen.stable);
        let of_both = (candidate.requests() as f64 * of_candidate
            + stable.requests() as f64 * of_stable)
            / size;
        let growth =
            ln_ratio(candidate, of_candidate, of_both) + ln_ratio(stable, of_stable, of_both);
        self.evidence = EValue::from_ln(self.evidence.ln() + growth);
        self.seen = self.seen.plus(block);
    }

    /// Evidence that the arms have different shares of bad requests.
    pub fn evidence(&self) -> EValue {
        self.evidence
    }
}

fn predicted(seen: Tally) -> f64 {
    (seen.bad() as f64 + PRIOR) / (seen.requests() as f64 + 2.0 * PRIOR)
}

/// `ln` of the likelihood of a share over that of another, both strictly between 0 and 1.
fn ln_ratio(tally: Tally, share: f64, other: f64) -> f64 {
    let bad = tally.bad() as f64 * libm::log(share / other);
    bad + tally.good() as f64 * libm::log((1.0 - share) / (1.0 - other))
}
