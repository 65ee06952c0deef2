//! The conformance suite of the store, run on both engines.

use bias_monitor::app::change::{Change, Gap, Receipt};
use bias_monitor::app::facts::CreditOutcome::{Defaulted, Repaid};
use bias_monitor::app::facts::Outcome::{Approve, Deny, Refer};
use bias_monitor::app::report::MonitorStatus;
use bias_monitor::store::{self, WriteError};
use fcs_fairness::GroupCounters;

use crate::support::{Place, decision, demographics, event};

/// Each case becomes one test for each engine.
macro_rules! conformance {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $case() {
                use $crate::support::{Engine, Place};
                super::$case(&Place::new(Engine::Sqlite).await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $case() {
                use $crate::support::{Engine, Place};
                super::$case(&Place::new(Engine::Postgres).await).await;
            })+
        }
    };
}

pub(crate) use conformance;

conformance!(
    demographics_count_before_and_after_the_decision,
    every_decision_of_an_application_counts,
    what_was_counted_is_skipped,
    a_gap_stores_nothing,
    a_correction_moves_decisions_between_groups,
    outcomes_are_recorded_once_and_corrected_by_the_latest,
    outcomes_of_applications_that_were_not_approved_are_stored_but_not_counted,
    models_are_counted_apart,
    large_batches_are_written_whole,
    everything_outlives_a_restart,
    a_database_without_migrations_is_refused,
);

async fn demographics_count_before_and_after_the_decision(place: &Place) {
    let opened = place.open().await;
    opened
        .write(Change::Demographics(vec![demographics(
            "early",
            &[("sex", "female")],
        )]))
        .await;
    assert!(
        opened
            .store
            .tables(None, store::EVER)
            .await
            .unwrap()
            .attributes
            .is_empty(),
        "no decision yet"
    );
    opened
        .decide(&[
            decision(1, "early", Approve),
            decision(2, "late", Deny),
            decision(3, "never", Refer),
        ])
        .await;
    let late = demographics("late", &[("sex", "male"), ("age_band", "25-34")]);
    let receipt = opened.write(Change::Demographics(vec![late])).await;
    assert_eq!(
        receipt,
        Receipt {
            recorded: 2,
            unchanged: 0,
            last_index: 3
        }
    );

    let tables = opened.store.tables(None, store::EVER).await.unwrap();
    assert_eq!(tables.last_index, 3);
    assert_eq!(
        (
            tables.total.approved,
            tables.total.referred,
            tables.total.denied
        ),
        (1, 1, 1)
    );
    let sex = &tables.attributes["sex"];
    assert_eq!(sex["female"].approved, 1);
    assert_eq!(
        sex["male"],
        GroupCounters {
            denied: 1,
            score_sum: 574,
            score_square_sum: 574 * 574,
            ..GroupCounters::default()
        }
    );
    assert_eq!(tables.attributes["age_band"]["25-34"].decisions(), 1);
    opened.assert_equals_recount().await;
}

async fn every_decision_of_an_application_counts(place: &Place) {
    let opened = place.open().await;
    opened.decide(&[decision(1, "A", Deny)]).await;
    opened
        .write(Change::Demographics(vec![demographics(
            "A",
            &[("sex", "female")],
        )]))
        .await;
    opened
        .decide(&[
            decision(2, "A", Refer),
            decision(3, "A", Approve),
            decision(4, "A", Approve),
        ])
        .await;
    opened
        .write(Change::Outcomes(vec![event("e", "A", Repaid, 1)]))
        .await;
    let tables = opened.store.tables(None, store::EVER).await.unwrap();
    let female = tables.attributes["sex"]["female"];
    assert_eq!((female.approved, female.referred, female.denied), (2, 1, 1));
    assert_eq!(
        (female.approved_repaid, tables.total.approved_repaid),
        (2, 2)
    );
    opened.assert_equals_recount().await;
}

async fn what_was_counted_is_skipped(place: &Place) {
    let opened = place.open().await;
    let log: Vec<_> = (1..=10)
        .map(|index| decision(index, "A", Approve))
        .collect();
    opened.decide(&log[..6]).await;
    let receipt = opened.decide(&log[..6]).await;
    assert_eq!(
        receipt,
        Receipt {
            recorded: 0,
            unchanged: 6,
            last_index: 6
        }
    );
    let receipt = opened.decide(&log[3..]).await;
    assert_eq!(
        receipt,
        Receipt {
            recorded: 4,
            unchanged: 3,
            last_index: 10
        }
    );
    assert_eq!(
        opened
            .store
            .tables(None, store::EVER)
            .await
            .unwrap()
            .total
            .approved,
        10
    );
    opened.assert_equals_recount().await;
}

async fn a_gap_stores_nothing(place: &Place) {
    let opened = place.open().await;
    opened.decide(&[decision(1, "A", Approve)]).await;
    for batch in [
        vec![decision(3, "A", Deny)],
        vec![decision(2, "A", Deny), decision(4, "A", Deny)],
    ] {
        let found = batch.last().unwrap().log_index;
        let error = opened
            .store
            .write(&Change::Decisions(batch))
            .await
            .unwrap_err();
        let gap = Gap {
            expected: found - 1,
            found,
        };
        assert!(
            matches!(error, WriteError::Gap(it) if it == gap),
            "{error:?}"
        );
    }
    let status = opened.store.status().await.unwrap();
    assert_eq!((status.last_index, status.decisions), (1, 1));
    opened.decide(&[decision(2, "A", Deny)]).await;
    opened.assert_equals_recount().await;
}

async fn a_correction_moves_decisions_between_groups(place: &Place) {
    let opened = place.open().await;
    opened
        .decide(&[
            decision(1, "A", Approve),
            decision(2, "A", Deny),
            decision(3, "B", Approve),
        ])
        .await;
    opened
        .write(Change::Outcomes(vec![event("e", "A", Defaulted, 1)]))
        .await;
    let first = [
        demographics("A", &[("sex", "femal")]),
        demographics("B", &[("sex", "female")]),
    ];
    opened.write(Change::Demographics(first.to_vec())).await;
    let correction = vec![
        demographics("A", &[("sex", "male")]),
        demographics("A", &[("sex", "female")]),
        first[1].clone(),
    ];
    let receipt = opened.write(Change::Demographics(correction)).await;
    assert_eq!((receipt.recorded, receipt.unchanged), (2, 1));
    let sex = opened
        .store
        .tables(None, store::EVER)
        .await
        .unwrap()
        .attributes
        .remove("sex")
        .unwrap();
    assert_eq!(
        sex.keys().collect::<Vec<_>>(),
        ["female"],
        "groups without decisions are not shown"
    );
    assert_eq!(
        (
            sex["female"].approved,
            sex["female"].denied,
            sex["female"].approved_defaulted
        ),
        (2, 1, 1)
    );
    assert_eq!(opened.store.status().await.unwrap().demographics, 2);
    opened.assert_equals_recount().await;
}

async fn outcomes_are_recorded_once_and_corrected_by_the_latest(place: &Place) {
    let opened = place.open().await;
    let counted = async || {
        let total = opened.store.tables(None, store::EVER).await.unwrap().total;
        (total.approved_repaid, total.approved_defaulted)
    };
    // Before the decision.
    opened
        .write(Change::Outcomes(vec![event("e1", "A", Repaid, 10)]))
        .await;
    opened.decide(&[decision(1, "A", Approve)]).await;
    assert_eq!(counted().await, (1, 0));
    // The same event again, even with another content.
    let receipt = opened
        .write(Change::Outcomes(vec![event("e1", "A", Defaulted, 99)]))
        .await;
    assert_eq!(
        (receipt.recorded, receipt.unchanged, counted().await),
        (0, 1, (1, 0))
    );
    // A later event corrects, an earlier one does not, ties go to the greater identifier.
    opened
        .write(Change::Outcomes(vec![event("e2", "A", Defaulted, 20)]))
        .await;
    assert_eq!(counted().await, (0, 1));
    opened
        .write(Change::Outcomes(vec![event("e3", "A", Repaid, 5)]))
        .await;
    assert_eq!(counted().await, (0, 1));
    opened
        .write(Change::Outcomes(vec![event("E9", "A", Repaid, 20)]))
        .await;
    assert_eq!(
        counted().await,
        (0, 1),
        "capital letters come first in the order of bytes"
    );
    opened
        .write(Change::Outcomes(vec![event("e4", "A", Repaid, 20)]))
        .await;
    assert_eq!(counted().await, (1, 0));
    assert_eq!(opened.store.status().await.unwrap().outcomes, 5);
    let calibration = opened
        .store
        .tables(None, store::EVER)
        .await
        .unwrap()
        .calibration;
    assert_eq!(
        calibration
            .bins()
            .iter()
            .map(|bin| bin.labelled)
            .sum::<u64>(),
        1
    );
    opened.assert_equals_recount().await;
}

async fn outcomes_of_applications_that_were_not_approved_are_stored_but_not_counted(place: &Place) {
    let opened = place.open().await;
    opened
        .decide(&[decision(1, "A", Deny), decision(2, "B", Refer)])
        .await;
    let events = vec![event("e1", "A", Repaid, 1), event("e2", "B", Defaulted, 1)];
    assert_eq!(opened.write(Change::Outcomes(events)).await.recorded, 2);
    let tables = opened.store.tables(None, store::EVER).await.unwrap();
    assert_eq!(tables.total.approved_with_outcome(), 0);
    assert!(
        tables
            .calibration
            .bins()
            .iter()
            .all(|bin| bin.labelled == 0)
    );
    // Approved at the second try: the outcome that waited counts now.
    opened.decide(&[decision(3, "A", Approve)]).await;
    assert_eq!(
        opened
            .store
            .tables(None, store::EVER)
            .await
            .unwrap()
            .total
            .approved_repaid,
        1
    );
    opened.assert_equals_recount().await;
}

async fn models_are_counted_apart(place: &Place) {
    let opened = place.open().await;
    let mut other = decision(2, "A", Deny);
    other.decision.model = "demo/2".parse().unwrap();
    "canary".clone_into(&mut other.decision.arm);
    opened.decide(&[decision(1, "A", Approve), other]).await;
    opened
        .write(Change::Demographics(vec![demographics(
            "A",
            &[("sex", "female")],
        )]))
        .await;
    opened
        .write(Change::Outcomes(vec![event("e", "A", Repaid, 1)]))
        .await;
    let of = async |model: &str| {
        let tables = opened
            .store
            .tables(Some(&model.parse().unwrap()), store::EVER)
            .await
            .unwrap();
        let labelled: u64 = tables
            .calibration
            .bins()
            .iter()
            .map(|bin| bin.labelled)
            .sum();
        (
            tables.total.approved,
            tables.total.denied,
            tables.attributes.len(),
            labelled,
        )
    };
    assert_eq!(of("demo/1").await, (1, 0, 1, 1));
    assert_eq!(of("demo/2").await, (0, 1, 1, 0));
    assert_eq!(of("demo/3").await, (0, 0, 0, 0));
    assert_eq!(
        opened
            .store
            .tables(None, store::EVER)
            .await
            .unwrap()
            .total
            .decisions(),
        2
    );
    opened.assert_equals_recount().await;
}

async fn large_batches_are_written_whole(place: &Place) {
    let opened = place.open().await;
    let names: Vec<_> = (1..=1_000).map(|number| format!("A-{number:04}")).collect();
    let log: Vec<_> = names
        .iter()
        .zip(1..)
        .map(|(name, index)| decision(index, name, Approve))
        .collect();
    opened.decide(&log).await;
    let groups = ["a", "b", "c"];
    let items = names.iter().enumerate().map(|(number, name)| {
        demographics(
            name,
            &[
                ("sex", groups[number % 2]),
                ("age_band", groups[number % 3]),
                ("status", "one"),
            ],
        )
    });
    let receipt = opened.write(Change::Demographics(items.collect())).await;
    assert_eq!(receipt.recorded, 3_000);
    let events = names
        .iter()
        .map(|name| event(&format!("e-{name}"), name, Repaid, 1))
        .collect();
    assert_eq!(opened.write(Change::Outcomes(events)).await.recorded, 1_000);
    let tables = opened.store.tables(None, store::EVER).await.unwrap();
    assert_eq!(tables.total.approved_repaid, 1_000);
    assert_eq!(tables.attributes["sex"]["a"].approved_repaid, 500);
    opened.assert_equals_recount().await;
}

async fn everything_outlives_a_restart(place: &Place) {
    let opened = place.open().await;
    opened.decide(&[decision(1, "A", Approve)]).await;
    opened
        .write(Change::Demographics(vec![demographics(
            "A",
            &[("sex", "female")],
        )]))
        .await;
    opened
        .write(Change::Outcomes(vec![event("e", "A", Defaulted, 1)]))
        .await;
    let before = opened.store.tables(None, store::EVER).await.unwrap();
    opened.database.close().await;
    let opened = place.open().await;
    assert_eq!(
        opened.store.tables(None, store::EVER).await.unwrap(),
        before
    );
    let status = MonitorStatus {
        last_index: 1,
        decisions: 1,
        demographics: 1,
        outcomes: 1,
    };
    assert_eq!(opened.store.status().await.unwrap(), status);
    opened.assert_equals_recount().await;
}

async fn a_database_without_migrations_is_refused(place: &Place) {
    let database = place.database().await;
    let error = store::check_migrated(&database).await.unwrap_err();
    assert!(
        error.to_string().contains("bias-monitor migrate"),
        "{error}"
    );
    store::migrate(&database).await.unwrap();
    store::check_migrated(&database).await.unwrap();
}
