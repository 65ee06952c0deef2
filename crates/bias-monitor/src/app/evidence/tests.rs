use fcs_fairness::alarm::Change;
use fcs_fairness::anytime::watch::{Grounds, Verdict};
use fcs_fairness::policy::Policy;

use super::*;
use crate::app::facts::{KnownGroup, Source};

const MINUTE: i64 = 60_000_000;

fn terms(groups: &str) -> Terms {
    let text = format!(
        "format = 1\nname = 'test'\nversion = 1\njurisdiction = 'US'\neffective_from = '2026-01-01'\n\
         rationale = 'a test'\n[[attributes]]\nname = 'sex'\nreference = 'male'\ngroups = [{groups}]\n"
    );
    Terms::new(Policy::from_toml(&text).unwrap()).unwrap()
}

fn turn(terms: &Terms, minute: i64) -> Turn<'_> {
    Turn {
        terms,
        now: UnixMicros(minute * MINUTE),
        settle_micros: 10 * MINUTE,
    }
}

fn candidate(log_index: u64, group: Option<&str>, approved: bool) -> Candidate {
    let known = |group: &str| {
        let known = KnownGroup {
            group: group.parse().unwrap(),
            source: Source::SelfReported,
        };
        ("sex".parse().unwrap(), known)
    };
    Candidate {
        log_index,
        at: UnixMicros(0),
        model: "m/1".parse().unwrap(),
        approved,
        groups: group.map(known).into_iter().collect(),
    }
}

/// Decisions in turn of both groups; nobody of the second is approved from `denied_from` on.
fn candidates(count: u64, denied_from: u64) -> Vec<Candidate> {
    (1..=count)
        .map(|index| match index % 2 {
            0 => candidate(index, Some("male"), true),
            _ => candidate(index, Some("female"), index < denied_from),
        })
        .collect()
}

fn verdict(turned: &Turned) -> Verdict {
    let watched = turned.ledger.watched.values().next().unwrap();
    watched.judgement.as_ref().unwrap().verdict
}

#[test]
fn a_group_that_is_denied_raises_an_alarm() {
    let terms = terms("");
    let turned = turn(&terms, 1).run(Ledger::default(), &candidates(400, 1));
    assert_eq!(turned.ledger.last_index, 400);
    assert_eq!(verdict(&turned), Verdict::Breach);
    assert_eq!(turned.news.len(), 1);
    assert_eq!(turned.news[0].entry.change, Change::Raised);
    assert_eq!(turned.news[0].watched.group, "female".parse().unwrap());
    let again = turn(&terms, 1).run(turned.ledger, &[]);
    assert!(again.news.is_empty(), "it lasts, and is told once");
}

#[test]
fn equal_groups_are_cleared_and_a_silent_feed_is_stale() {
    let terms = terms("");
    let turned = turn(&terms, 1).run(Ledger::default(), &candidates(400, u64::MAX));
    assert_eq!(verdict(&turned), Verdict::Clear);
    let later = turn(&terms, 120).run(turned.ledger, &[]);
    assert_eq!(verdict(&later), Verdict::Stale);
}

#[test]
fn a_group_that_the_policy_names_is_missed() {
    let terms = terms("'female'");
    let reference: Vec<_> = (1..=50)
        .map(|index| candidate(index, Some("male"), true))
        .collect();
    let turned = turn(&terms, 1).run(Ledger::default(), &reference);
    let watched = turned.ledger.watched.values().next().unwrap();
    let judgement = watched.judgement.as_ref().unwrap();
    assert_eq!(judgement.verdict, Verdict::InsufficientEvidence);
    assert_eq!(judgement.grounds, Grounds::MissingGroup);
}

#[test]
fn a_decision_waits_for_what_is_known_of_its_applicant_but_not_for_ever() {
    let terms = terms("");
    let waiting = [
        candidate(1, Some("male"), true),
        candidate(2, None, true),
        candidate(3, Some("male"), true),
    ];
    let turned = turn(&terms, 9).run(Ledger::default(), &waiting);
    assert_eq!(turned.ledger.last_index, 1);
    let turned = turn(&terms, 10).run(Ledger::default(), &waiting);
    assert_eq!(turned.ledger.last_index, 3);
}

#[test]
fn turns_of_any_size_lead_to_the_same_evidence() {
    let terms = terms("");
    let all = candidates(400, 200);
    let whole = turn(&terms, 1).run(Ledger::default(), &all);
    let mut ledger = Ledger::default();
    for part in all.chunks(7) {
        // A look in between may find an answer, after which bets begin anew; here it only takes decisions in.
        for candidate in part {
            turn(&terms, 1).record(&mut ledger.watched, candidate);
            ledger.last_index = candidate.log_index;
        }
    }
    let parts = turn(&terms, 1).run(ledger, &[]);
    assert_eq!(parts.ledger, whole.ledger);
}

#[test]
fn another_policy_begins_anew_and_keeps_alarms() {
    let first = terms("");
    let turned = turn(&first, 1).run(Ledger::default(), &candidates(400, 1));
    let mut ledger = turned.ledger;
    ledger.begin_anew();
    let second = terms("'divers'");
    let turned = turn(&second, 1).run(ledger, &candidates(400, 1));
    let alarms = |group: &str| {
        let watched = turned.ledger.watched.iter();
        let mut found = watched.filter(|(id, _)| id.group.as_str() == group);
        found.next().unwrap().1.clone()
    };
    assert!(alarms("female").alarm.holds(), "nothing has cleared it");
    assert_eq!(alarms("female").judgement, None, "it is not watched");
    assert!(alarms("divers").judgement.is_some());
}
