use fcs_core::EValue;

use super::beta::ln_beta_share;
use super::{Counts, Tally};

/// Evidence that requests do not go to the arms in the proportion of the weights, in either direction.
///
/// Every comparison of the arms rests on that proportion: a gateway that missed a change of weight, or an arm
/// that loses requests before they are counted, makes it wrong. Per weight `B(1 + K, 1 + N - K) / (w^K
/// (1 - w)^(N - K))` for `K` of `N` requests, Robbins' mixture; their product over weights is an e-process
/// too. The usual alpha is 1e-4, because it is a guard and not the question.
pub fn sample_ratio_mismatch(counts: &Counts) -> EValue {
    let of_weight = |(weight, arms): (super::Weight, super::Arms)| {
        let (candidate, requests) = (arms.candidate.requests(), arms.requests());
        let tally = Tally::new(requests, candidate).unwrap_or_default();
        ln_beta_share(tally, weight.share())
    };
    EValue::from_ln(counts.compared().map(of_weight).sum())
}
