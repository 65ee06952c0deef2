use fcs_fairness::alarm::Change;
use fcs_fairness::anytime::watch::Verdict;
use fcs_fairness::policy::Policy;

use super::*;
use crate::app::facts::{KnownGroup, Source};
use crate::app::proxies::Memberships;

const MINUTE: i64 = 60_000_000;

fn terms() -> Terms {
    let text = "format = 1\nname = 'test'\nversion = 1\njurisdiction = 'US'\neffective_from = '2026-01-01'\n\
                rationale = 'a test'\n[[attributes]]\nname = 'sex'\nreference = 'male'\n";
    Terms::new(Policy::from_toml(text).unwrap()).unwrap()
}

fn arm(model: &str) -> ShadowArm {
    ShadowArm {
        name: "next".to_owned(),
        model: model.parse().unwrap(),
        since_generation: 3,
        after_index: 0,
    }
}

fn live(log_index: u64, group: Option<&str>, approved: bool) -> (u64, Candidate) {
    let known = |group: &str| {
        let known = KnownGroup {
            group: group.parse().unwrap(),
            source: Source::SelfReported,
        };
        ("sex".parse().unwrap(), known)
    };
    let candidate = Candidate {
        log_index,
        at: UnixMicros(0),
        model: "m/1".parse().unwrap(),
        approved,
        groups: group.map(known).into_iter().collect(),
        memberships: Memberships::new(),
    };
    (log_index, candidate)
}

/// Everybody is approved by the live model, men with even indices and women with odd ones.
fn ledger(count: u64) -> GapLedger {
    let group = |index| Some(["male", "female"][usize::from(index % 2 == 1)]);
    GapLedger {
        counted_index: count,
        decisions: (1..=count)
            .map(|index| live(index, group(index), true))
            .collect(),
        watched: BTreeMap::new(),
    }
}

fn page(after_index: u64, outcomes: &[(u64, Option<bool>)]) -> ShadowPage {
    let outcome = |(log_index, approved): &(u64, Option<bool>)| ShadowOutcome {
        log_index: *log_index,
        approved: *approved,
    };
    ShadowPage {
        after_index,
        outcomes: outcomes.iter().map(outcome).collect(),
        up_to_index: outcomes.last().map_or(after_index, |last| last.0),
    }
}

fn run(arm: &ShadowArm, page: &ShadowPage, minute: i64, ledger: GapLedger) -> GapTurned {
    let turn = GapTurn {
        terms: &terms(),
        now: UnixMicros(minute * MINUTE),
        settle_micros: 10 * MINUTE,
        arm,
        page,
    };
    turn.run(ledger)
}

/// The shadow refuses every third woman.
fn refusing(count: u64) -> Vec<(u64, Option<bool>)> {
    let approves = |index| index % 2 == 0 || index % 3 != 0;
    (1..=count)
        .map(|index| (index, Some(approves(index))))
        .collect()
}

#[test]
fn a_model_that_refuses_more_of_a_group_is_found_before_it_decides() {
    let turned = run(&arm("m/2"), &page(0, &refusing(400)), 1, ledger(400));
    assert_eq!((turned.last_index, turned.more), (400, false));
    let [news] = turned.news.as_slice() else {
        panic!("{:?}", turned.news);
    };
    assert_eq!(news.entry.change, Change::Raised);
    assert_eq!(news.watched.model, "m/2".parse().unwrap());
    assert_eq!(news.watched.baseline, Some("m/1".parse().unwrap()));
    assert_eq!(news.watched.group, "female".parse().unwrap());
}

#[test]
fn a_model_that_decides_the_same_is_cleared() {
    let same: Vec<_> = (1..u64::from(PAGE))
        .map(|index| (index, Some(true)))
        .collect();
    let mut watched = BTreeMap::new();
    // One page is not enough at a tolerance of 0.02: agreement is weak evidence.
    for _ in 0..4 {
        let known = GapLedger {
            watched,
            ..ledger(500)
        };
        let turned = run(&arm("m/2"), &page(0, &same), 1, known);
        assert_eq!(turned.news, []);
        watched = turned.watched;
    }
    let judgement = watched.values().next().unwrap().judgement.clone().unwrap();
    assert_eq!(judgement.verdict, Verdict::Clear);
}

#[test]
fn a_full_page_is_taken_without_a_look() {
    let turned = run(&arm("m/2"), &page(0, &refusing(500)), 1, ledger(500));
    assert!(turned.more && turned.news.is_empty());
    let rest = GapLedger {
        watched: turned.watched,
        ..ledger(500)
    };
    let turned = run(&arm("m/2"), &page(500, &[]), 1, rest);
    assert_eq!(turned.news.len(), 1, "it is found at the look after it");
}

#[test]
fn outcomes_wait_for_their_live_decision_and_for_its_applicant() {
    let mut known = ledger(3);
    known.counted_index = 5;
    // 4 is not a decision on credit, 5 is not known of anybody yet, 6 is not counted.
    known.decisions.extend([live(5, None, true)]);
    let outcomes: Vec<_> = (1..=6).map(|index| (index, Some(true))).collect();
    let turned = run(&arm("m/2"), &page(0, &outcomes), 9, known.clone());
    assert_eq!((turned.last_index, turned.more), (4, false));
    let turned = run(&arm("m/2"), &page(0, &outcomes), 10, known);
    assert_eq!(turned.last_index, 5);
}

#[test]
fn what_was_dropped_and_what_the_model_decided_itself_says_nothing() {
    let dropped: Vec<_> = (1..=400).map(|index| (index, None)).collect();
    let turned = run(&arm("m/2"), &page(0, &dropped), 1, ledger(400));
    assert_eq!(turned.last_index, 400);
    assert_eq!(turned.watched, BTreeMap::new());
    let turned = run(&arm("m/1"), &page(0, &refusing(400)), 1, ledger(400));
    assert_eq!(turned.watched, BTreeMap::new());
}

#[test]
fn an_end_of_the_page_without_outcomes_is_taken_too() {
    let empty = ShadowPage {
        up_to_index: 90,
        ..page(40, &[])
    };
    let turned = run(&arm("m/2"), &empty, 1, ledger(0));
    assert_eq!(turned.last_index, 90);
}
