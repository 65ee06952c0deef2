//! Shadow arms: what they keep, what they drop, and that nothing of it reaches a live decision.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fcs_core::{Digest, ErrorCode, TenantId};
use fcs_decision::application::{Amount, Application};
use fcs_decision::cohort;
use fcs_decision::record::{DecisionRecord, Outcome};
use fcs_decision::shadow::{DropReason, Side, sample_salt};
use fcs_service::Random;
use fcs_service::auth::Principal;
use fcs_service::grpc::Deadline;
use scoring_gateway::app::traffic::{PinnedModel, ProposedArm, ProposedTable, ShadowArm};
use scoring_gateway::store::{
    ShadowDecision, ShadowOutcome, ShadowProgress, ShadowStep, ShadowStore,
};
use tokio_util::sync::CancellationToken;

use crate::store::draft;
use crate::support::gateway::{Gateway, Stores, stores, table};
use crate::support::{TestStore, applicant, package, suite};

const ARM: &str = "next";
const HOLD: Duration = Duration::from_mins(1);
const LIMIT: Duration = Duration::from_secs(10);

suite!(
    an_arm_moves_along_the_log_in_one_hand,
    two_gateways_look_at_each_decision_once,
);

fn tenant() -> TenantId {
    Principal::default_tenant()
}

fn arm(version: &str, since_generation: u64, sample_basis_points: u32) -> ShadowArm {
    ShadowArm {
        name: ARM.to_owned(),
        model: PinnedModel {
            version: package::version(version),
            manifest_digest: package::digest(version),
        },
        sample_basis_points,
        since_generation,
    }
}

fn side(version: &str, outcome: Outcome, reason_codes: &[&str]) -> Side {
    Side {
        model: package::version(version),
        outcome,
        score: 610,
        probability: 0.25,
        reason_codes: reason_codes.iter().map(|code| (*code).to_owned()).collect(),
        record_digest: Digest::from_bytes([3; 32]),
    }
}

fn row(log_index: u64, of: &str, dropped: Option<DropReason>) -> ShadowDecision {
    let denied = side("2", Outcome::Deny, &["INCOME", "HOUSING"]);
    ShadowDecision {
        log_index,
        tenant: of.parse().unwrap(),
        arm: ARM.to_owned(),
        model: package::version("2"),
        live_arm: "stable".to_owned(),
        live: side("1", Outcome::Approve, &[]),
        result: dropped.map_or(Ok(denied), Err),
    }
}

const fn step<'a>(
    arm: &'a ShadowArm,
    (from, to): (u64, u64),
    rows: &'a [ShadowDecision],
) -> ShadowStep<'a> {
    ShadowStep {
        arm,
        from,
        to,
        rows,
    }
}

fn progress(model: &str, after_index: u64, position: u64) -> ShadowProgress {
    ShadowProgress {
        since_generation: if model == "2" { 1 } else { 2 },
        model: package::version(model),
        after_index,
        position,
    }
}

async fn outcomes_are_of_every_tenant_and_of_the_present_model(store: &dyn ShadowStore) {
    let of_all = async |progress: ShadowProgress, after, limit| {
        let page = store.outcome_page(ARM, &progress, after, limit);
        page.await.unwrap()
    };
    let outcome = |log_index, outcome| ShadowOutcome { log_index, outcome };
    let outcomes = [
        outcome(2, Some(Outcome::Deny)),
        outcome(3, Some(Outcome::Deny)),
        outcome(4, None),
    ];
    assert_eq!(of_all(progress("2", 1, 9), 0, 10).await, outcomes);
    assert_eq!(of_all(progress("2", 1, 9), 2, 1).await, outcomes[1..2]);
    assert_eq!(of_all(progress("2", 3, 9), 0, 10).await, outcomes[2..]);
    assert_eq!(of_all(progress("2", 1, 3), 0, 10).await, outcomes[..2]);
    assert_eq!(of_all(progress("1", 1, 9), 0, 10).await, []);
}

async fn an_arm_moves_along_the_log_in_one_hand(test: TestStore) {
    let Stores {
        decisions: log,
        shadows: store,
        ..
    } = stores(&test.database);
    log.append(&[draft("k-1", 1)]).await.unwrap();
    let first = arm("2", 1, 10_000);
    assert_eq!(store.progress(ARM).await.unwrap(), None);
    assert_eq!(store.hold(&first, "a", HOLD).await.unwrap(), None);
    store.begin(&first).await.unwrap();
    assert_eq!(store.hold(&first, "a", HOLD).await.unwrap(), Some(1));
    assert_eq!(store.hold(&first, "b", HOLD).await.unwrap(), None, "a's");
    let rows = [
        row(2, "default", None),
        row(3, "other", None),
        row(4, "default", Some(DropReason::Deadline)),
    ];
    let whole = (1, 5);
    assert!(store.advance(step(&first, whole, &rows)).await.unwrap());
    assert!(
        !store.advance(step(&first, whole, &rows)).await.unwrap(),
        "it has moved on"
    );
    assert!(store.advance(step(&first, (5, 9), &[])).await.unwrap());
    let page = async |of: &str, after, limit| {
        let tenant = of.parse().unwrap();
        let page = store.shadow_page(&tenant, ARM, after, limit);
        page.await.unwrap()
    };
    let mine = [rows[0].clone(), rows[2].clone()];
    assert_eq!(page("default", 0, 10).await, mine);
    assert_eq!(page("default", 2, 10).await, mine[1..]);
    assert_eq!(page("default", 0, 1).await, mine[..1]);
    assert_eq!(page("other", 0, 10).await, rows[1..2]);
    assert_eq!(page("nobody", 0, 10).await, []);
    store.begin(&first).await.unwrap();
    let now = store.progress(ARM).await.unwrap();
    assert_eq!(now, Some(progress("2", 1, 9)), "it goes on");
    outcomes_are_of_every_tenant_and_of_the_present_model(&*store).await;
    // Another model under the same name begins at the head of the log, and the first one's worker has lost it.
    let second = arm("1", 2, 10_000);
    let more: Vec<_> = (2..=12)
        .map(|number| draft(&format!("k-{number}"), number))
        .collect();
    log.append(&more).await.unwrap();
    store.begin(&second).await.unwrap();
    let anew = Some(progress("1", 12, 12));
    assert_eq!(store.progress(ARM).await.unwrap(), anew);
    assert!(!store.advance(step(&first, (9, 10), &[])).await.unwrap());
    assert_eq!(store.hold(&first, "a", HOLD).await.unwrap(), None);
    store.begin(&first).await.unwrap();
    assert_eq!(store.progress(ARM).await.unwrap(), anew, "never back");
    let short = Duration::ZERO;
    assert_eq!(store.hold(&second, "b", short).await.unwrap(), Some(12));
    let passed = async || store.hold(&second, "a", HOLD).await.unwrap();
    fcs_testkit::wait::until("b has lost it", LIMIT, passed).await;
}

/// A live table with this shadow arm.
fn shadowed(generation: u64, version: &str, sample_basis_points: u32) -> ProposedTable {
    let shadow = ProposedArm {
        name: ARM.to_owned(),
        version: package::version(version),
        manifest_digest: None,
        weight_basis_points: sample_basis_points,
    };
    ProposedTable {
        shadows: Some(vec![shadow]),
        ..table(generation, "1")
    }
}

async fn apply(gateway: &Gateway, table: ProposedTable) {
    let before = gateway.app.traffic.table().generation;
    gateway.app.traffic.apply(before, table).await.unwrap();
}

/// One look at the log by every shadow arm.
async fn turn(gateway: &Gateway) {
    let table = gateway.app.traffic.table();
    for arm in &table.shadows {
        let stop = CancellationToken::new();
        gateway.shadows.turn(&table.salt, arm, &stop).await.unwrap();
    }
}

async fn decide(gateway: &Gateway, numbers: std::ops::Range<u32>) -> Vec<DecisionRecord> {
    let mut records = Vec::new();
    for number in numbers {
        let income = f64::from(20_000 + number % 4 * 20_000);
        let features = applicant(income, f64::from(number % 3));
        let scored = gateway.score(&format!("k-{number}"), features).await;
        let record = scored.unwrap().decision.record;
        records.push(DecisionRecord::from_bytes(&record).unwrap());
    }
    records
}

async fn rows(gateway: &Gateway) -> Vec<ShadowDecision> {
    let page = gateway.shadows.list(&tenant(), ARM, 0, 1_000).await;
    page.unwrap().decisions
}

fn indices(rows: &[ShadowDecision]) -> Vec<u64> {
    rows.iter().map(|row| row.log_index).collect()
}

async fn summary(
    gateway: &Gateway,
    range: (u64, u64),
) -> scoring_gateway::app::shadow::ShadowSummary {
    let deadline = Deadline::after(LIMIT);
    let summary = gateway
        .shadows
        .summarise(&tenant(), ARM, range, deadline)
        .await;
    summary.unwrap()
}

async fn two_gateways_look_at_each_decision_once(test: TestStore) {
    let left = Gateway::start(stores(&test.database)).await;
    let mut right = Gateway::start(stores(&test.reopen().await)).await;
    "gw_other".clone_into(&mut right.shadows.instance_id);
    apply(&left, shadowed(1, "2", 10_000)).await;
    right.app.traffic.refresh().await.unwrap();
    turn(&left).await;
    decide(&left, 0..40).await;
    tokio::join!(turn(&left), turn(&right));
    assert_eq!(indices(&rows(&left).await), (1..=40).collect::<Vec<_>>());
    let scores = |gateway: &Gateway| gateway.shadow_models.scores.load(Ordering::SeqCst);
    assert_eq!((scores(&left), scores(&right)), (40, 0), "left has the arm");
}

/// Bytes that count, so that two runs see the same ones.
struct Counting(AtomicU64);

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        for (byte, value) in bytes.iter_mut().zip(number.iter().rev().cycle()) {
            *byte = *value;
        }
    }
}

async fn counting(test: &TestStore) -> Gateway {
    let mut gateway = Gateway::start(stores(&test.database)).await;
    let app = Arc::get_mut(&mut gateway.app).unwrap();
    app.random = Arc::new(Counting(AtomicU64::new(0)));
    gateway
}

/// The result is that of a decision by the other package, to the digest of the record, and the summary adds it up.
#[tokio::test]
async fn a_shadow_decides_as_its_package_would_have() {
    let asked = Application {
        amount: Some(Amount {
            value: "6000".to_owned(),
            currency: "USD".to_owned(),
        }),
        ..Application::default()
    };
    let test = TestStore::sqlite().await;
    let gateway = counting(&test).await;
    apply(&gateway, shadowed(1, "rules", 10_000)).await;
    turn(&gateway).await;
    let rich = applicant(90_000.0, 0.0);
    let live = gateway.apply("amount", rich.clone(), asked.clone()).await;
    decide(&gateway, 0..7).await;
    turn(&gateway).await;
    let found = rows(&gateway).await;
    assert_eq!(indices(&found), (1..=8).collect::<Vec<_>>());
    let shadow = found[0].result.as_ref().unwrap();
    assert_eq!(found[0].live.outcome, Outcome::Approve);
    let live_digest = live.unwrap().decision.record_digest;
    assert_eq!(found[0].live.record_digest, live_digest);
    assert_eq!(shadow.outcome, Outcome::Counteroffer);
    assert_eq!(shadow.reason_codes, ["INCOME"]);
    // The same request, decided for real by an arm of this name with the other package.
    let other_test = TestStore::sqlite().await;
    let other = counting(&other_test).await;
    let mut real = table(1, "rules");
    ARM.clone_into(&mut real.arms[0].name);
    apply(&other, real).await;
    let decided = other.apply("amount", rich, asked).await.unwrap();
    assert_eq!(shadow.record_digest, decided.decision.record_digest);

    let whole = summary(&gateway, (0, 0)).await;
    assert_eq!((whole.after_index, whole.up_to_index), (0, 8));
    assert_eq!(whole.comparison.scored(), 8);
    let swapped = (Outcome::Approve, Outcome::Counteroffer);
    assert_eq!(whole.comparison.outcomes[&swapped], 1);
    assert_eq!(whole.comparison.reasons["INCOME"].added, 1);
    assert_eq!(whole.comparison.difference_percentile(50), Some(0));
    assert_eq!(summary(&gateway, (1, 3)).await.comparison.scored(), 2);
}

#[tokio::test]
async fn a_sample_is_a_cohort_of_its_own() {
    let test = TestStore::sqlite().await;
    let gateway = Gateway::start(stores(&test.database)).await;
    apply(&gateway, shadowed(1, "2", 4_000)).await;
    turn(&gateway).await;
    let records = decide(&gateway, 0..60).await;
    turn(&gateway).await;
    let salt = sample_salt("test", ARM);
    let is_sampled =
        |record: &DecisionRecord| cohort::basis_point(&salt, &record.application_id) < 4_000;
    let sampled = (1..).zip(&records).filter(|(_, record)| is_sampled(record));
    let expected: Vec<u64> = sampled.map(|(log_index, _)| log_index).collect();
    assert!((5..55).contains(&expected.len()), "{expected:?}");
    let page = gateway.shadows.list(&tenant(), ARM, 0, 0).await.unwrap();
    assert_eq!(indices(&page.decisions), expected);
    assert_eq!(page.complete_up_to, 60);
}

/// Every sampled decision has a row, whatever is wrong with the arm, and the row says what it was.
#[tokio::test]
async fn what_is_dropped_says_why() {
    let test = TestStore::sqlite().await;
    let mut gateway = Gateway::start(stores(&test.database)).await;
    gateway.shadows.settings.timeout_ms = 500;
    gateway.shadows.settings.backlog_max = 6;
    apply(&gateway, shadowed(1, "2", 10_000)).await;
    turn(&gateway).await;
    decide(&gateway, 0..2).await;
    gateway.shadow_models.stop();
    turn(&gateway).await;
    gateway.shadow_models.is_up.store(true, Ordering::SeqCst);
    decide(&gateway, 2..3).await;
    turn(&gateway).await;
    gateway.shadow_models.gate.forget_permits(1_000);
    decide(&gateway, 3..5).await;
    turn(&gateway).await;
    gateway.shadow_models.gate.add_permits(1_000);
    decide(&gateway, 5..12).await;
    turn(&gateway).await;
    decide(&gateway, 12..13).await;
    turn(&gateway).await;
    let found = rows(&gateway).await;
    let reasons: Vec<_> = found.iter().map(|row| row.result.as_ref().err()).collect();
    let mut expected = vec![Some(&DropReason::Unavailable); 2];
    expected.push(None);
    expected.extend([Some(&DropReason::Deadline); 2]);
    expected.extend([Some(&DropReason::Backlog); 7]);
    expected.push(None);
    assert_eq!(reasons, expected);
    let comparison = summary(&gateway, (0, 0)).await.comparison;
    assert_eq!(comparison.dropped[&DropReason::Backlog], 7);
    assert_eq!(comparison.scored(), 2);
}

#[tokio::test]
async fn an_arm_that_cannot_be_used_is_refused_and_a_missing_one_is_told() {
    let test = TestStore::sqlite().await;
    let gateway = Gateway::start(stores(&test.database)).await;
    let traffic = &gateway.app.traffic;
    let forged = traffic.apply(0, shadowed(1, "forged", 100)).await;
    assert_eq!(forged.unwrap_err().reason, "MODEL_NOT_TRUSTED");
    assert_eq!(traffic.table().generation, 0);
    apply(&gateway, shadowed(1, "2", 100)).await;
    // A table that says nothing of shadow arms keeps them; one with an empty list ends them.
    let kept = traffic.apply(1, table(2, "1")).await.unwrap();
    assert_eq!(kept.shadows, [arm("2", 1, 100)]);
    let none = ProposedTable {
        shadows: Some(vec![]),
        ..table(3, "1")
    };
    assert_eq!(traffic.apply(2, none).await.unwrap().shadows, []);
    // The live arms do not wait for a shadow model that breaks later.
    apply(&gateway, shadowed(4, "2", 100)).await;
    turn(&gateway).await;
    gateway.shadow_models.stop();
    assert_eq!(traffic.load_models().await, 0);
    let refused = async |arm: &str, after_index, page_size| {
        let tenant = tenant();
        let list = gateway.shadows.list(&tenant, arm, after_index, page_size);
        let error = list.await.unwrap_err();
        (error.code, error.reason)
    };
    let unknown = (ErrorCode::NotFound, "SHADOW_ARM_NOT_FOUND");
    assert_eq!(refused("nobody", 0, 0).await, unknown);
    let invalid = ErrorCode::InvalidArgument;
    assert_eq!(refused(ARM, 0, 1_001).await, (invalid, "PAGE_SIZE_INVALID"));
    let far = (invalid, "AFTER_INDEX_INVALID");
    assert_eq!(refused(ARM, u64::MAX, 0).await, far);
}

/// The answers to thirty requests while a shadow arm works, or without one.
async fn answers(shadows: bool, trouble: fn(&Gateway)) -> Vec<(u64, Arc<[u8]>)> {
    let test = TestStore::sqlite().await;
    let mut gateway = counting(&test).await;
    gateway.shadows.settings.timeout_ms = 20;
    let table = if shadows {
        shadowed(1, "rules", 10_000)
    } else {
        table(1, "1")
    };
    apply(&gateway, table).await;
    trouble(&gateway);
    turn(&gateway).await;
    let (gateway, stop) = (Arc::new(gateway), CancellationToken::new());
    let worker = tokio::spawn({
        let (gateway, stop) = (Arc::clone(&gateway), stop.clone());
        async move {
            while !stop.is_cancelled() {
                turn(&gateway).await;
                tokio::task::yield_now().await;
            }
        }
    });
    let mut answers = Vec::new();
    for number in 0..30_u32 {
        let income = f64::from(20_000 + number % 4 * 20_000);
        let features = applicant(income, f64::from(number % 3));
        let scored = gateway.score(&format!("k-{number}"), features).await;
        let decision = scored.unwrap().decision;
        answers.push((decision.log_index, decision.record));
    }
    stop.cancel();
    worker.await.unwrap();
    turn(&gateway).await;
    if shadows {
        assert_eq!(rows(&gateway).await.len(), 30, "each has its row");
    }
    answers
}

/// With the same keys, clock and random bytes, the log is the same bytes whether there is a shadow arm or not, and
/// whether its model server answers, hangs or is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shadow_arm_changes_no_byte_of_a_live_decision() {
    let off = Box::pin(answers(false, |_| {})).await;
    let troubles: [fn(&Gateway); 3] = [
        |_| {},
        |gateway| assert!(gateway.shadow_models.gate.forget_permits(1_000) > 0),
        |gateway| gateway.shadow_models.stop(),
    ];
    for trouble in troubles {
        assert!(
            Box::pin(answers(true, trouble)).await == off,
            "a live answer has changed"
        );
    }
}
