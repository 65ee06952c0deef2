//! Probabilities of belonging to groups: how they are kept and counted.

use bias_monitor::app::change::Change;
use bias_monitor::app::facts::Outcome::{Approve, Deny, Refer};
use bias_monitor::app::proxies::GroupProbabilities;
use bias_monitor::store;

use crate::support::{Engine, Opened, Place, decision, lines, probabilities};

async fn say(opened: &Opened, items: &[GroupProbabilities]) -> (u64, u64) {
    let change = Change::GroupProbabilities(items.to_vec());
    let receipt = opened.write(change).await;
    opened.assert_equals_recount().await;
    (receipt.recorded, receipt.unchanged)
}

async fn probabilities_count_in_any_order_and_are_corrected(place: &Place) {
    let opened = place.open().await;
    let early = probabilities("early", "1", &[("black", 0.25), ("white", 0.75)]);
    assert_eq!(say(&opened, std::slice::from_ref(&early)).await, (1, 0));
    opened
        .decide(&[
            decision(1, "early", Approve),
            decision(2, "late", Deny),
            decision(3, "never", Refer),
        ])
        .await;
    opened.assert_equals_recount().await;
    let late = probabilities("late", "1", &[("white", 0.5), ("black", 0.5)]);
    assert_eq!(say(&opened, &[early, late]).await, (1, 1));
    // A correction replaces; another version and other groups stand beside.
    let corrected = probabilities("early", "1", &[("black", 0.5), ("white", 0.5)]);
    assert_eq!(say(&opened, &[corrected.clone(), corrected]).await, (1, 1));
    let newer = probabilities("early", "2", &[("black", 0.125), ("white", 0.875)]);
    let more = [("asian", 0.25), ("black", 0.25), ("white", 0.5)];
    let wider = probabilities("late", "2", &more);
    assert_eq!(say(&opened, &[newer, wider]).await, (2, 0));
    let panels = "SELECT proxy_version || group_names FROM proxies";
    assert_eq!(
        lines(&opened.database, panels).await,
        [
            r#"1["black","white"]"#,
            r#"2["asian","black","white"]"#,
            r#"2["black","white"]"#
        ]
    );
    let tables = opened.store.tables(None).await.unwrap();
    assert!(tables.attributes.is_empty(), "never mixed with values");
}

#[tokio::test]
async fn probabilities_count_in_any_order_and_are_corrected_on_sqlite() {
    let place = Place::new(Engine::Sqlite).await;
    probabilities_count_in_any_order_and_are_corrected(&place).await;
}

#[tokio::test]
async fn probabilities_count_in_any_order_and_are_corrected_on_postgres() {
    let place = Place::new(Engine::Postgres).await;
    probabilities_count_in_any_order_and_are_corrected(&place).await;
}

async fn a_recount_mends_sums_of_probabilities(place: &Place) {
    let opened = place.open().await;
    opened
        .decide(&[decision(1, "A", Approve), decision(2, "B", Deny)])
        .await;
    let items = ["A", "B"].map(|id| probabilities(id, "1", &[("black", 0.3), ("white", 0.7)]));
    say(&opened, &items).await;
    let moved = probabilities("B", "1", &[("black", 0.2), ("other", 0.1), ("white", 0.7)]);
    say(&opened, &[moved]).await;
    let recount = store::rebuild_of(&opened.database);
    assert_eq!(recount.rebuild(true).await.unwrap().different, 0);
    for damage in [
        "DELETE FROM proxies",
        "UPDATE proxies SET counts = replace(counts, '[1,', '[2,')",
        "UPDATE proxies SET hour = hour + 1",
    ] {
        opened.execute(damage).await;
        let found = recount.rebuild(false).await.unwrap();
        assert!(found.different > 0 && !found.applied, "{damage}");
        assert!(found.differences[0].contains("probabilities of demo/1"));
        assert!(!found.differences.concat().contains("black"));
        assert!(recount.rebuild(true).await.unwrap().applied, "{damage}");
        opened.assert_equals_recount().await;
    }
}

#[tokio::test]
async fn a_recount_mends_sums_of_probabilities_on_sqlite() {
    a_recount_mends_sums_of_probabilities(&Place::new(Engine::Sqlite).await).await;
}

#[tokio::test]
async fn a_recount_mends_sums_of_probabilities_on_postgres() {
    a_recount_mends_sums_of_probabilities(&Place::new(Engine::Postgres).await).await;
}
