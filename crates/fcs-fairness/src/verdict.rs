use serde::{Deserialize, Serialize};

use crate::{Confidence, GroupCounters, adverse_impact_ratio};

/// What a group's adverse impact ratio must satisfy, and how sure a verdict must be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// The lowest acceptable adverse impact ratio; 0.8 is the four-fifths rule of 29 CFR 1607.4(D).
    pub air_floor: f64,
    /// A group with fewer decisions, or compared with a reference group of fewer, gets no verdict.
    pub minimum_group_size: u64,
    /// The confidence of every interval.
    pub confidence: Confidence,
}

/// The answer to "does this group's adverse impact ratio reach the floor?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The whole interval lies below the floor.
    Breach,
    /// The whole interval lies at or above the floor.
    Clear,
    /// The interval contains the floor, decisions are too few, or the ratio is undefined.
    InsufficientEvidence,
}

/// Compares a group's adverse impact ratio with the floor.
///
/// The interval is valid for one look at a sample whose size was fixed beforehand. It is NOT valid
/// under continuous watching: an alarm or an automatic action that asks again after every decision
/// will sooner or later see a breach where there is none. Use it for reports, not for gates.
pub fn verdict(
    group: &GroupCounters,
    reference: &GroupCounters,
    thresholds: &Thresholds,
) -> Verdict {
    let smallest = group.decisions().min(reference.decisions());
    if smallest < thresholds.minimum_group_size {
        return Verdict::InsufficientEvidence;
    }
    match adverse_impact_ratio(group, reference, thresholds.confidence) {
        Some(ratio) if ratio.upper < thresholds.air_floor => Verdict::Breach,
        Some(ratio) if ratio.lower >= thresholds.air_floor => Verdict::Clear,
        Some(_) | None => Verdict::InsufficientEvidence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(approved: u64, total: u64) -> GroupCounters {
        GroupCounters {
            approved,
            denied: total - approved,
            ..GroupCounters::default()
        }
    }

    fn thresholds() -> Thresholds {
        let confidence = Confidence::try_from(0.95).unwrap();
        Thresholds {
            air_floor: 0.8,
            minimum_group_size: 100,
            confidence,
        }
    }

    #[test]
    fn the_interval_decides_and_not_the_value() {
        let reference = group(5_000, 10_000);
        assert_eq!(
            verdict(&group(1_000, 10_000), &reference, &thresholds()),
            Verdict::Breach
        );
        assert_eq!(
            verdict(&group(4_900, 10_000), &reference, &thresholds()),
            Verdict::Clear
        );
        // Ratios of 0.79 and 0.81 from 200 decisions: neither side is shown.
        for approved in [79, 81] {
            let actual = verdict(&group(approved, 200), &reference, &thresholds());
            assert_eq!(actual, Verdict::InsufficientEvidence, "{approved}");
        }
    }

    #[test]
    fn small_groups_on_either_side_get_no_verdict() {
        assert_eq!(
            verdict(&group(0, 99), &group(5_000, 10_000), &thresholds()),
            Verdict::InsufficientEvidence
        );
        assert_eq!(
            verdict(&group(10, 10_000), &group(99, 99), &thresholds()),
            Verdict::InsufficientEvidence
        );
        assert_eq!(
            verdict(&group(0, 100), &group(5_000, 10_000), &thresholds()),
            Verdict::Breach
        );
    }

    #[test]
    fn a_floor_equal_to_the_lower_limit_is_reached() {
        let (one, other) = (group(450, 1_000), group(500, 1_000));
        let ratio = adverse_impact_ratio(&one, &other, thresholds().confidence).unwrap();
        let at = Thresholds {
            air_floor: ratio.lower,
            ..thresholds()
        };
        assert_eq!(verdict(&one, &other, &at), Verdict::Clear);
        let at = Thresholds {
            air_floor: ratio.upper,
            ..thresholds()
        };
        assert_eq!(verdict(&one, &other, &at), Verdict::InsufficientEvidence);
    }

    #[test]
    fn an_undefined_ratio_or_floor_is_no_evidence() {
        assert_eq!(
            verdict(&group(50, 200), &group(0, 200), &thresholds()),
            Verdict::InsufficientEvidence
        );
        let undefined = Thresholds {
            air_floor: f64::NAN,
            ..thresholds()
        };
        assert_eq!(
            verdict(&group(50, 200), &group(150, 200), &undefined),
            Verdict::InsufficientEvidence
        );
    }
}
