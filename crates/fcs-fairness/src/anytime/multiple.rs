//! Many groups and metrics at once.

use serde::{Deserialize, Serialize};

use super::{Alpha, EValue};
use fcs_core::ln_mean_exp;

/// How the number of questions that are asked is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Multiplicity {
    /// Not at all: each question on its own has a false alarm with a probability of at most alpha.
    Each,
    /// At each look at most a share alpha of the alarms is expected to be false, under any dependence
    /// (e-BH). A look must not be timed by what an unfinished block holds; a look by the clock is not.
    EBh,
    /// The probability of ever having any false alarm is at most alpha, under any dependence: each
    /// question has to reach `number of questions / alpha`.
    Bonferroni,
}

/// Which of these are rejected. The answers are in the order of the questions.
pub fn rejected(evidence: &[EValue], alpha: Alpha, multiplicity: Multiplicity) -> Vec<bool> {
    let questions = evidence.len() as f64;
    let bar = match multiplicity {
        Multiplicity::Each => alpha.bar(),
        Multiplicity::Bonferroni => raised(alpha, questions),
        Multiplicity::EBh => match e_bh_bar(evidence, alpha) {
            Some(bar) => bar,
            None => return vec![false; evidence.len()],
        },
    };
    evidence
        .iter()
        .map(|e_value| e_value.reaches(bar))
        .collect()
}

/// The e-Benjamini-Hochberg bar `m / (alpha k)` for the largest `k` whose `k` largest e-values reach it.
///
/// Wang, R. and Ramdas, A. (2022), "False discovery rate control with e-values", Journal of the Royal
/// Statistical Society B 84, 822-852.
fn e_bh_bar(evidence: &[EValue], alpha: Alpha) -> Option<EValue> {
    let mut descending: Vec<f64> = evidence.iter().map(|e_value| e_value.ln()).collect();
    descending.sort_by(|one, other| other.total_cmp(one));
    let questions = evidence.len() as f64;
    let bar_of = |alarms: usize| raised(alpha, questions / alarms as f64);
    (1..=descending.len())
        .rev()
        .find(|&alarms| EValue::from_ln(descending[alarms - 1]).reaches(bar_of(alarms)))
        .map(bar_of)
}

/// The bar `factor / alpha`.
fn raised(alpha: Alpha, factor: f64) -> EValue {
    EValue::from_ln(alpha.bar().ln() + libm::log(factor))
}

/// Evidence that at least one of the null hypotheses is wrong: the mean of the e-values, which is an
/// e-value under any dependence (Vovk and Wang (2021), "E-values: calibration, combination and
/// applications", Annals of Statistics 49, 1736-1754). `None` without questions.
pub fn any_wrong(evidence: &[EValue]) -> Option<EValue> {
    let logarithms: Vec<f64> = evidence.iter().map(|e_value| e_value.ln()).collect();
    (!logarithms.is_empty()).then(|| EValue::from_ln(ln_mean_exp(&logarithms)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn alpha() -> Alpha {
        Alpha::try_from(0.05).unwrap()
    }

    fn evidence(values: &[f64]) -> Vec<EValue> {
        values
            .iter()
            .map(|value| EValue::from_ln(value.ln()))
            .collect()
    }

    #[test]
    fn e_bh_takes_the_largest_number_that_carries_itself() {
        // Four questions: bars 80, 40, 26.7, 20 for one, two, three and four alarms.
        let answer = |values: &[f64]| rejected(&evidence(values), alpha(), Multiplicity::EBh);
        assert_eq!(answer(&[79.0, 1.0, 0.2, 3.0]), [false; 4]);
        assert_eq!(answer(&[81.0, 1.0, 0.2, 3.0]), [true, false, false, false]);
        assert_eq!(answer(&[41.0, 1.0, 41.0, 3.0]), [true, false, true, false]);
        assert_eq!(answer(&[21.0, 22.0, 23.0, 24.0]), [true; 4]);
        assert_eq!(answer(&[19.0, 22.0, 23.0, 24.0]), [false; 4]);
        assert!(answer(&[]).is_empty());
    }

    #[test]
    fn the_other_rules_have_one_bar() {
        let values = evidence(&[21.0, 41.0, 10.0]);
        assert_eq!(
            rejected(&values, alpha(), Multiplicity::Each),
            [true, true, false]
        );
        assert_eq!(
            rejected(&values, alpha(), Multiplicity::Bonferroni),
            [false; 3]
        );
        let values = evidence(&[21.0, 61.0, 10.0]);
        assert_eq!(
            rejected(&values, alpha(), Multiplicity::Bonferroni),
            [false, true, false]
        );
    }

    #[test]
    fn the_mean_is_evidence_against_all_together() {
        let mean = any_wrong(&evidence(&[1.0, 3.0])).unwrap();
        assert!((mean.ln() - 2_f64.ln()).abs() < 1e-12);
        assert_eq!(any_wrong(&[]), None);
    }

    proptest! {
        #[test]
        fn e_bh_lies_between_the_others(values in prop::collection::vec(0.001..500.0_f64, 1..12)) {
            let values = evidence(&values);
            let of = |multiplicity| rejected(&values, alpha(), multiplicity);
            let (each, e_bh, all) = (of(Multiplicity::Each), of(Multiplicity::EBh), of(Multiplicity::Bonferroni));
            for index in 0..values.len() {
                prop_assert!(!all[index] || e_bh[index]);
                prop_assert!(!e_bh[index] || each[index]);
            }
        }
    }
}
