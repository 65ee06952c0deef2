//! Counters that are counted again and rolled up, on both engines.

use bias_monitor::app::change::Change;
use bias_monitor::app::facts::CreditOutcome::Repaid;
use bias_monitor::app::facts::Outcome::{Approve, Deny};
use bias_monitor::app::rollup::FineFrom;
use bias_monitor::store;
use fcs_core::UnixMicros;

use crate::store::conformance;
use crate::support::{Place, decision, demographics, event};

conformance!(
    a_recount_finds_and_mends_what_is_wrong,
    old_counters_are_rolled_up_by_day,
);

async fn a_recount_finds_and_mends_what_is_wrong(place: &Place) {
    let opened = place.open().await;
    let known = demographics("b", &[("sex", "female")]);
    opened.write(Change::Demographics(vec![known])).await;
    let decisions = [("a", Approve), ("b", Deny), ("b", Approve)];
    let decisions: Vec<_> = (1..)
        .zip(decisions)
        .map(|(index, (id, outcome))| decision(index, id, outcome))
        .collect();
    opened.decide(&decisions).await;
    // A value that moves leaves zeros behind, which are no difference.
    let moved = demographics("b", &[("sex", "male")]);
    opened.write(Change::Demographics(vec![moved])).await;
    let repaid = vec![event("e-1", "b", Repaid, 5)];
    opened.write(Change::Outcomes(repaid)).await;
    let recount = store::rebuild_of(&opened.database);
    let found = recount.rebuild(true, FineFrom::ALWAYS).await.unwrap();
    assert_eq!(
        (found.decisions, found.different, found.applied),
        (3, 0, false)
    );

    for damage in [
        "UPDATE counters SET approved = approved + 1 WHERE attribute = 'sex' AND group_name = 'male'",
        "DELETE FROM calibration",
        "UPDATE profiles SET counts = '[[7]]' WHERE attribute = ''",
    ] {
        opened.execute(damage).await;
    }
    let found = recount.rebuild(false, FineFrom::ALWAYS).await.unwrap();
    assert_eq!((found.different, found.applied), (3, false), "{found:?}");
    assert!(!found.differences.concat().contains("male"), "{found:?}");
    assert_eq!(
        recount
            .rebuild(true, FineFrom::ALWAYS)
            .await
            .unwrap()
            .different,
        3
    );
    opened.assert_equals_recount().await;
    assert_eq!(
        recount
            .rebuild(false, FineFrom::ALWAYS)
            .await
            .unwrap()
            .different,
        0
    );
}

async fn old_counters_are_rolled_up_by_day(place: &Place) {
    const DAY: i64 = 1_440;
    let opened = place.open().await;
    // Two decisions an hour on each of four days.
    let decided = |index: u64| {
        let outcome = [Approve, Deny][usize::from(index.is_multiple_of(3))];
        let mut logged = decision(index, &format!("A-{index}"), outcome);
        logged.decision.minute = 30 * i64::try_from(index).unwrap();
        logged
    };
    let decisions: Vec<_> = (1..=190).map(decided).collect();
    opened.decide(&decisions).await;
    let sex = |index: u64| {
        [(
            "sex",
            ["female", "male"][usize::from(index.is_multiple_of(2))],
        )]
    };
    let known = (1..=190).map(|index| demographics(&format!("A-{index}"), &sex(index)));
    opened.write(Change::Demographics(known.collect())).await;
    let by_day = async |day: i64| {
        let minutes = day * DAY..(day + 1) * DAY;
        opened.store.tables(None, minutes).await.unwrap()
    };
    let fine = [by_day(0).await, by_day(1).await, by_day(2).await];
    let counters = async || {
        let count = "SELECT CAST(COUNT(*) AS TEXT) FROM counters";
        crate::support::lines(&opened.database, count).await[0]
            .parse::<u64>()
            .unwrap()
    };
    let before = counters().await;
    let recount = store::rebuild_of(&opened.database);
    let now = UnixMicros(5 * DAY * 60_000_000);
    let fine_from = FineFrom::days_before(now, 3);
    assert!(recount.roll_up(fine_from).await.unwrap(), "day 0");
    assert!(recount.roll_up(fine_from).await.unwrap(), "day 1");
    assert!(
        !recount.roll_up(fine_from).await.unwrap(),
        "day 2 stays fine"
    );
    assert!(counters().await < before * 2 / 3, "{before}");
    assert_eq!(fine, [by_day(0).await, by_day(1).await, by_day(2).await]);
    let found = recount.rebuild(false, fine_from).await.unwrap();
    assert_eq!((found.decisions, found.different), (190, 0), "{found:?}");
    // What becomes known later is counted by the minute, and rolled up again.
    let repaid = vec![
        event("e-1", "A-7", Repaid, 5),
        event("e-2", "A-8", Repaid, 5),
    ];
    opened.write(Change::Outcomes(repaid)).await;
    opened
        .write(Change::Demographics(vec![demographics(
            "A-7",
            &[("sex", "divers")],
        )]))
        .await;
    assert!(recount.roll_up(fine_from).await.unwrap());
    assert!(!recount.roll_up(fine_from).await.unwrap());
    let first = by_day(0).await;
    assert_eq!(first.total.approved_repaid, 2);
    assert_eq!(first.attributes["sex"]["divers"].decisions(), 1);
    let found = recount.rebuild(true, fine_from).await.unwrap();
    assert_eq!((found.different, found.applied), (0, false), "{found:?}");
}
