use fcs_fairness::alarm::Change;
use fcs_fairness::anytime::watch::{Grounds, Verdict};
use fcs_fairness::policy::Policy;

use super::*;
use crate::app::facts::{KnownGroup, Source};
use crate::app::proxies::ProxyName;

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
        memberships: Memberships::new(),
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

/// A policy that watches race by probabilities.
fn proxy_terms() -> Terms {
    let text = "format = 1\nname = 'test'\nversion = 1\njurisdiction = 'US'\neffective_from = '2026-01-01'\n\
                rationale = 'a test'\n[[attributes]]\nname = 'race'\nreference = 'white'\nchannel = 'proxy'\n";
    Terms::new(Policy::from_toml(text).unwrap()).unwrap()
}

/// A decision about somebody who is black with this probability, by one version and, the other way round, an older.
fn guessed(log_index: u64, black: f64, approved: bool) -> Candidate {
    let said = |version: &str, black: f64| {
        let proxy = ProxyName {
            attribute: "race".parse().unwrap(),
            source: "bisg".parse().unwrap(),
            version: version.parse().unwrap(),
        };
        let shares = [("black", black), ("white", 1.0 - black)];
        let own = shares.map(|(group, share)| (group.parse().unwrap(), share));
        (proxy, KnownMembership::new(own.into()).unwrap())
    };
    Candidate {
        memberships: [said("1", 1.0 - black), said("2", black)].into(),
        ..candidate(log_index, None, approved)
    }
}

fn of_proxy(terms: &Terms, is_denied: impl Fn(f64) -> bool) -> Turned {
    let share = |index: u64| {
        if index.is_multiple_of(2) {
            0.0625
        } else {
            0.9375
        }
    };
    let all: Vec<_> = (1..=1_000)
        .map(|index| guessed(index, share(index), !is_denied(share(index))))
        .collect();
    turn(terms, 1).run(Ledger::default(), &all)
}

#[test]
fn probabilities_show_a_breach_and_clear_nothing() {
    let terms = proxy_terms();
    let turned = of_proxy(&terms, |black| black > 0.5);
    assert_eq!(turned.ledger.last_index, 1_000, "they settle decisions");
    let (id, watched) = turned.ledger.watched.first_key_value().unwrap();
    assert_eq!(
        (turned.ledger.watched.len(), id.group.as_str()),
        (1, "black")
    );
    assert!(watched.is_by_proxy());
    assert_eq!(verdict(&turned), Verdict::Breach);
    assert_eq!(turned.news[0].entry.change, Change::Raised);
    let turned = of_proxy(&terms, |_| false);
    assert_eq!(verdict(&turned), Verdict::InsufficientEvidence);
    let judgement = turned
        .ledger
        .watched
        .values()
        .next()
        .unwrap()
        .judgement
        .clone();
    assert_eq!(judgement.unwrap().clear_ln_e, None);
}

#[test]
fn a_value_is_no_probability_and_a_probability_no_value() {
    let by_value = candidates(50, 1);
    let turned = turn(&proxy_terms(), 10).run(Ledger::default(), &by_value);
    assert!(turned.ledger.watched.is_empty());
    let by_proxy: Vec<_> = (1..=50).map(|index| guessed(index, 0.5, true)).collect();
    let terms = terms("");
    let turned = turn(&terms, 9).run(Ledger::default(), &by_proxy);
    assert_eq!(turned.ledger.last_index, 0, "values may still come");
    let turned = turn(&terms, 10).run(turned.ledger, &by_proxy);
    assert!(turned.ledger.watched.is_empty() && turned.ledger.last_index == 50);
}
