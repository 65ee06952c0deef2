//! What the cells of a decision or label column mean.

use std::collections::BTreeMap;

use fcs_fairness::tally::{Decision, Outcome};
use serde::Serialize;

use crate::cli::ValueArguments;
use crate::exit::CliError;

const DECISIONS: [(Decision, &[&str]); 3] = [
    (
        Decision::Approve,
        &[
            "1", "1.0", "true", "yes", "approve", "approved", "accept", "accepted",
        ],
    ),
    (Decision::Refer, &["refer", "referred", "review"]),
    (
        Decision::Deny,
        &[
            "0", "0.0", "false", "no", "deny", "denied", "decline", "declined", "reject",
            "rejected",
        ],
    ),
];

const OUTCOMES: [(Outcome, &[&str]); 2] = [
    (
        Outcome::Repaid,
        &["1", "1.0", "true", "yes", "repaid", "paid", "good"],
    ),
    (
        Outcome::Defaulted,
        &["0", "0.0", "false", "no", "defaulted", "default", "bad"],
    ),
];

/// What stands for a value that is not known, beside an empty cell.
const MISSING: [&str; 3] = ["na", "nan", "null"];

/// Whether a cell of a decision, a label or a score holds nothing.
pub(super) fn is_missing(cell: &str) -> bool {
    cell.is_empty() || MISSING.iter().any(|word| cell.eq_ignore_ascii_case(word))
}

/// The spellings of a column, and how often each was read.
pub(super) struct Spelling<T> {
    /// In lower case.
    known: BTreeMap<String, T>,
    seen: BTreeMap<String, (T, u64)>,
    /// What to do about a cell that is none of them.
    advice: &'static str,
}

/// How many decisions each spelling of a meaning stands for.
pub(super) type Spelled<T> = BTreeMap<T, BTreeMap<String, u64>>;

impl Spelling<Decision> {
    /// The spellings of decisions.
    pub(super) fn of_decisions(values: &ValueArguments) -> Result<Self, CliError> {
        let named = [
            (Decision::Approve, &values.approve),
            (Decision::Refer, &values.refer),
            (Decision::Deny, &values.deny),
        ];
        let advice = "other values are named with --approve-value, --refer-value and --deny-value";
        Self::new(&DECISIONS, &named, advice)
    }
}

impl Spelling<Outcome> {
    /// The spellings of labels.
    pub(super) fn of_outcomes(values: &ValueArguments) -> Result<Self, CliError> {
        let named = [
            (Outcome::Repaid, &values.repaid),
            (Outcome::Defaulted, &values.defaulted),
        ];
        let advice = "other values are named with --repaid-value and --defaulted-value";
        Self::new(&OUTCOMES, &named, advice)
    }
}

impl<T: Copy + Ord + Serialize> Spelling<T> {
    /// The named spellings, or the usual ones if none is named: "1" for default must not leave "0" with its usual
    /// meaning.
    fn new(
        usual: &[(T, &[&str])],
        named: &[(T, &Vec<String>)],
        advice: &'static str,
    ) -> Result<Self, CliError> {
        let mut known = BTreeMap::new();
        for (meaning, words) in named {
            for word in *words {
                let before = known.insert(word.trim().to_lowercase(), *meaning);
                if before.is_some_and(|before| before != *meaning) {
                    return Err(CliError::Usage(format!(
                        "{word:?} is named twice, with two meanings"
                    )));
                }
            }
        }
        if known.is_empty() {
            for (meaning, words) in usual {
                known.extend(words.iter().map(|word| ((*word).to_owned(), *meaning)));
            }
        }
        Ok(Self {
            known,
            seen: BTreeMap::new(),
            advice,
        })
    }

    /// The meaning of a cell that stands for so many decisions; `None` if it holds nothing. Fails with what is
    /// accepted.
    pub(super) fn read(&mut self, cell: &str, times: u64) -> Result<Option<T>, String> {
        if let Some((meaning, count)) = self.seen.get_mut(cell) {
            *count = count.saturating_add(times);
            return Ok(Some(*meaning));
        }
        match self.known.get(&cell.to_lowercase()) {
            Some(meaning) => {
                self.seen.insert(cell.to_owned(), (*meaning, times));
                Ok(Some(*meaning))
            }
            None if is_missing(cell) => Ok(None),
            None => Err(format!("is none of {}; {}", self.accepted(), self.advice)),
        }
    }

    fn accepted(&self) -> String {
        let words: Vec<&str> = self.known.keys().map(String::as_str).collect();
        words.join(", ")
    }

    /// How the cells were read.
    pub(super) fn spelled(self) -> Spelled<T> {
        let mut spelled = Spelled::new();
        for (cell, (meaning, count)) in self.seen {
            spelled.entry(meaning).or_default().insert(cell, count);
        }
        spelled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> ValueArguments {
        ValueArguments {
            approve: vec![],
            refer: vec![],
            deny: vec![],
            repaid: vec![],
            defaulted: vec![],
        }
    }

    #[test]
    fn the_usual_spellings_are_known_in_any_case() {
        let mut decisions = Spelling::of_decisions(&values()).unwrap();
        for (cell, expected) in [
            ("1", Some(Decision::Approve)),
            ("Approved", Some(Decision::Approve)),
            ("REVIEW", Some(Decision::Refer)),
            ("0.0", Some(Decision::Deny)),
            ("", None),
            ("NaN", None),
        ] {
            assert_eq!(decisions.read(cell, 1), Ok(expected), "{cell:?}");
        }
        let problem = decisions.read("withdrawn", 1).unwrap_err();
        assert!(
            problem.contains("approved") && problem.contains("--approve-value"),
            "{problem}"
        );
    }

    #[test]
    fn named_spellings_replace_the_usual_ones() {
        let named = ValueArguments {
            defaulted: vec!["1".into()],
            ..values()
        };
        let mut outcomes = Spelling::of_outcomes(&named).unwrap();
        assert_eq!(outcomes.read("1", 2), Ok(Some(Outcome::Defaulted)));
        assert!(
            outcomes.read("0", 1).is_err(),
            "0 is not left with its usual meaning"
        );
        assert_eq!(outcomes.spelled()[&Outcome::Defaulted]["1"], 2);
        let both = ValueArguments {
            approve: vec!["x".into()],
            deny: vec!["X".into()],
            ..values()
        };
        assert!(Spelling::of_decisions(&both).is_err());
    }
}
