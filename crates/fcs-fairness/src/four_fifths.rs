//! The four-fifths rule, as it is: a comparison of two observed rates, without any measure of chance.
//!
//! At a true ratio of exactly 0.80 it fires in nine of ten streams that are looked at every hundred
//! decisions. It is here because readers ask for it, beside the verdict and never in its place: nothing
//! automatic may rest on it.

use serde::{Deserialize, Serialize};

use crate::GroupCounters;

/// The ratio below which the rule fires.
pub const FOUR_FIFTHS: f64 = 0.8;

/// What to print beside the answer, wherever it is shown.
pub const LABEL: &str = "four-fifths rule of thumb (29 CFR 1607.4(D), made for employment): observed \
                         rates only, no measure of chance; not evidence, and no ground for a rollback";

/// The answer of the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The observed ratio is below 0.8.
    Below,
    /// The observed ratio is at least 0.8.
    AtLeast,
    /// A group is too small for the policy, or the reference group approved nobody.
    NotApplied,
}

/// The answer with the ratio it is about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FourFifths {
    /// The approval rate of the group divided by that of the reference group.
    pub observed_ratio: Option<f64>,
    /// What the rule says.
    pub answer: Answer,
}

/// Applies the rule to groups of at least `minimum_group_size` decisions.
pub fn four_fifths(
    group: &GroupCounters,
    reference: &GroupCounters,
    minimum_group_size: u64,
) -> FourFifths {
    let smaller = group.decisions().min(reference.decisions());
    let applies = smaller >= minimum_group_size.max(1) && reference.approved > 0;
    if !applies {
        return FourFifths {
            observed_ratio: None,
            answer: Answer::NotApplied,
        };
    }
    let rate = |counters: &GroupCounters| counters.approved as f64 / counters.decisions() as f64;
    let ratio = rate(group) / rate(reference);
    let answer = if ratio < FOUR_FIFTHS {
        Answer::Below
    } else {
        Answer::AtLeast
    };
    FourFifths {
        observed_ratio: Some(ratio),
        answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(approved: u64, denied: u64) -> GroupCounters {
        GroupCounters {
            approved,
            denied,
            ..GroupCounters::default()
        }
    }

    #[test]
    fn published_counts_of_loans_give_their_ratios() {
        // HMDA sample of 2018: approved of all, group and reference.
        let white = counters(1_854, 3_623 - 1_854);
        let black = four_fifths(&counters(141, 340 - 141), &white, 30);
        assert!((black.observed_ratio.unwrap() - 0.810_399).abs() < 5e-7);
        assert_eq!(black.answer, Answer::AtLeast);
        let hispanic = four_fifths(
            &counters(167, 508 - 167),
            &counters(2_072, 3_808 - 2_072),
            30,
        );
        assert!((hispanic.observed_ratio.unwrap() - 0.604_171).abs() < 5e-7);
        assert_eq!(hispanic.answer, Answer::Below);
    }

    #[test]
    fn small_groups_and_undefined_ratios_get_no_answer() {
        for (group, reference, minimum) in [
            (counters(9, 20), counters(500, 500), 30),
            (counters(0, 0), counters(500, 500), 0),
            (counters(50, 50), counters(0, 100), 30),
        ] {
            let answer = four_fifths(&group, &reference, minimum);
            assert_eq!(
                (answer.answer, answer.observed_ratio),
                (Answer::NotApplied, None)
            );
        }
    }
}
