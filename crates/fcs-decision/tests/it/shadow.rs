use std::collections::BTreeMap;

use fcs_core::Digest;
use fcs_decision::record::Outcome;
use fcs_decision::shadow::{Comparison, DropReason, ReasonChange, Side, sample_salt};
use proptest::prelude::*;

fn side(outcome: Outcome, score: i32, reasons: &[&str]) -> Side {
    Side {
        model: "test-card/1".parse().unwrap(),
        outcome,
        score,
        probability: 0.5,
        reason_codes: reasons.iter().map(|code| (*code).to_owned()).collect(),
        record_digest: Digest::from_bytes([0; 32]),
    }
}

#[test]
fn pairs_are_counted_by_outcome_reasons_and_score() {
    use Outcome::{Approve, Deny, Incomplete};
    let mut comparison = Comparison::default();
    let pairs = [
        (
            side(Approve, 700, &[]),
            Ok(side(Deny, 560, &["R01", "R02"])),
        ),
        (
            side(Deny, 500, &["R01", "R02"]),
            Ok(side(Deny, 510, &["R02", "R01"])),
        ),
        (side(Deny, 500, &["R01"]), Ok(side(Approve, 650, &[]))),
        (side(Deny, 500, &["R01"]), Ok(side(Deny, 500, &["R01"]))),
        (side(Incomplete, 0, &["R09"]), Ok(side(Approve, 650, &[]))),
        (side(Approve, 700, &[]), Err(DropReason::Deadline)),
    ];
    for (live, shadow) in &pairs {
        comparison.add(live, shadow);
    }
    let outcomes = BTreeMap::from([
        ((Approve, Deny), 1),
        ((Deny, Deny), 2),
        ((Deny, Approve), 1),
        ((Incomplete, Approve), 1),
    ]);
    assert_eq!(comparison.outcomes, outcomes);
    assert_eq!(comparison.scored(), 5);
    assert_eq!(
        comparison.dropped,
        BTreeMap::from([(DropReason::Deadline, 1)])
    );
    assert_eq!(comparison.reasons_changed, 4, "another order is a change");
    let change = |added, removed| ReasonChange { added, removed };
    let reasons = BTreeMap::from([
        ("R01".to_owned(), change(1, 1)),
        ("R02".to_owned(), change(1, 0)),
        ("R09".to_owned(), change(0, 1)),
    ]);
    assert_eq!(comparison.reasons, reasons);
    assert_eq!(
        comparison.differences(),
        4,
        "an incomplete application has no score"
    );
    let quantiles = [0, 25, 50, 75, 100].map(|percent| comparison.difference_percentile(percent));
    assert_eq!(quantiles, [-140, -140, 0, 10, 150].map(Some));
    assert_eq!(comparison.difference_mean(), Some(5.0));
}

#[test]
fn nothing_has_no_quantile() {
    let nothing = Comparison::default();
    assert_eq!(
        (nothing.difference_percentile(50), nothing.difference_mean()),
        (None, None)
    );
}

#[test]
fn the_salt_of_a_sample_is_its_own() {
    assert_ne!(sample_salt("s", "a"), "s");
    assert_ne!(sample_salt("s", "a"), sample_salt("s", "b"));
}

proptest! {
    /// Against the definition on the sorted list.
    #[test]
    fn quantiles_are_those_of_the_sorted_list(
        scores in prop::collection::vec(-300..300_i32, 1..60),
        percent in 1..=100_u8,
    ) {
        let mut comparison = Comparison::default();
        for score in &scores {
            comparison.add(&side(Outcome::Deny, 500, &[]), &Ok(side(Outcome::Deny, 500 + score, &[])));
        }
        let mut sorted = scores.clone();
        sorted.sort_unstable();
        let place = (sorted.len() * usize::from(percent)).div_ceil(100);
        prop_assert_eq!(
            comparison.difference_percentile(percent),
            Some(i64::from(sorted[place - 1]))
        );
    }
}
