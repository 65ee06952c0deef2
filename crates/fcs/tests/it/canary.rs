//! Model canaries on the live system, judged by a real Prometheus. What is wrong with a candidate is real as well: its
//! rows fail, take long, or decide against a group.

mod faults;
mod scene;

use std::time::Duration;

use serde_json::{Value, json};

use self::faults::Fault;
use self::scene::{CANDIDATE, STABLE, Scene, at, last, plan, plan_from, told};

/// From the look that saw it to the confirmed way back.
const WAY_BACK_LIMIT: Duration = Duration::from_secs(5);

/// Waits until it is taken back, and says by what and how soon after the trigger the candidate had nothing.
#[expect(
    clippy::print_stdout,
    reason = "the figure is for whoever reads the test's output"
)]
fn taken_back(scene: &Scene, id: &str) -> Value {
    let rollout = scene.once(id, "rolled back", |it| it["phase"] == "rolled_back");
    assert_eq!(scene.weight(), 0);
    let seen = at(last(&rollout, "rollback_started").unwrap());
    let confirmed = at(last(&rollout, "rollback_shifted").unwrap());
    let took = confirmed.duration_since(seen).unwrap();
    println!("from the seen trigger to weight 0 confirmed: {took:?}");
    assert!(took <= WAY_BACK_LIMIT, "{took:?}");
    assert!(last(&rollout, "succeeded").is_none());
    rollout
}

/// What led back, and the metric of the judgement before it.
fn cause(rollout: &Value) -> (Value, Value) {
    let cause = last(rollout, "rollback_started").unwrap()["detail"]["cause"].clone();
    let judged = last(rollout, "judged").map_or(Value::Null, |it| it["detail"]["metric"].clone());
    (cause, judged)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_candidate_with_errors_is_taken_back() {
    let scene = Scene::set().await;
    scene.models.spoil(CANDIDATE, Fault::Error(50));
    let id = scene.roll_out(&plan(60));
    let rollout = taken_back(&scene, &id);
    let (cause, metric) = cause(&rollout);
    assert_eq!(
        (&cause["cause"], &metric),
        (&json!("breach"), &json!("errors")),
        "{}",
        told(&rollout)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_candidate_that_is_slow_now_and_then_is_taken_back() {
    let scene = Scene::set().await;
    let slow = Duration::from_millis(2_500);
    scene.models.spoil(CANDIDATE, Fault::Slow(100, slow));
    let id = scene.roll_out(&plan(60));
    let rollout = taken_back(&scene, &id);
    let (cause, metric) = cause(&rollout);
    assert_eq!(cause["cause"], "breach", "{}", told(&rollout));
    assert!(
        ["slow", "latency"].map(Value::from).contains(&metric),
        "{metric}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_candidate_that_decides_against_a_group_is_taken_back() {
    let mut scene = Scene::set().await;
    scene.tell_demographics();
    let id = scene.roll_out(&plan(600));
    let rollout = taken_back(&scene, &id);
    let (cause, _) = cause(&rollout);
    let reason = cause["reason"].as_str().unwrap();
    assert_eq!(reason, "bias alarm about race of the candidate");
    let verdicts = scene
        .system
        .fcs(&["bias", "verdicts", "-o", "json"])
        .output();
    let verdicts = crate::system::json(&verdicts.unwrap());
    for verdict in verdicts["verdicts"].as_array().unwrap() {
        let is_firing = verdict["alert"] == "firing";
        assert_eq!(is_firing, verdict["model"] == CANDIDATE, "{verdicts}");
    }
}

/// A hundredth of the traffic says nothing of groups; what the candidate decides in the shadow of the other decisions does.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_candidate_that_widens_the_gap_in_the_shadow_is_taken_back() {
    let mut scene = Scene::set().await;
    scene.shadow();
    let id = scene.roll_out(&plan_from(100, 600));
    scene.tell_demographics();
    let rollout = taken_back(&scene, &id);
    let (cause, _) = cause(&rollout);
    let reason = cause["reason"].as_str().unwrap();
    assert_eq!(reason, "bias alarm about race of the candidate");
    let verdicts = ["bias", "verdicts", "--model", CANDIDATE, "-o", "json"];
    let verdicts = crate::system::json(&scene.system.fcs(&verdicts).output().unwrap());
    for verdict in verdicts["verdicts"].as_array().unwrap() {
        let is_firing = verdict["alert"] == "firing";
        assert_eq!(is_firing, verdict["baseline_model"] == STABLE, "{verdicts}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_healthy_candidate_gets_everything() {
    let scene = Scene::set().await;
    let id = scene.roll_out(&plan(20));
    let rollout = scene.once(&id, "over", |it| {
        ["succeeded", "rolled_back"].contains(&it["phase"].as_str().unwrap()) || it["pause"] != ""
    });
    assert_eq!(rollout["phase"], "succeeded", "{}", told(&rollout));
    assert_eq!(scene.weight(), 10_000);
}

/// Errors of both arms are no candidate's: it stands still, goes on when they are over, and goes back when they last.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_incident_of_both_arms_holds_the_candidate() {
    let scene = Scene::set().await;
    let failed = r#"sum(increase(fcs_gateway_arm_requests_total{model="{model}",result="failed"}[{window}]))"#;
    let mut plan = plan(600);
    plan["limits"]["shared_incident_micros"] = json!(20_000_000);
    plan["analysis"]["guards"] = json!([{
        "name": "error_rate",
        "rule": {
            "threshold": 0.05, "hold_micros": 4_000_000, "gap_tolerance_micros": 3_000_000,
            "age_max_micros": 5_000_000, "requests_min": 20,
        },
        "measure": {"kind": "share", "bad": failed, "window_micros": 3_000_000},
    }]);
    let id = scene.roll_out(&plan);
    scene.once(&id, "watched", |it| it["phase"] == "baking");
    let fail = || [STABLE, CANDIDATE].map(|model| scene.models.spoil(model, Fault::Error(4)));
    fail();
    scene.once(&id, "held", |it| it["pause"] == "shared_incident");
    assert_eq!(scene.weight(), 5_000, "nothing moves");
    scene.models.mend();
    let over = scene.once(&id, "over", |it| it["pause"] != "shared_incident");
    assert_eq!(
        (&over["phase"], &over["pause"]),
        (&json!("baking"), &json!("")),
        "{}",
        told(&over)
    );
    fail();
    let rollout = taken_back(&scene, &id);
    assert_eq!(
        cause(&rollout).0["cause"],
        "shared_incident",
        "{}",
        told(&rollout)
    );
}

/// The clock stops, then the rollout stands still; nothing is promoted, whatever is wrong with the metrics.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_metrics_nothing_is_promoted() {
    let mut scene = Scene::set().await;
    let id = scene.roll_out(&plan(3_600));
    let baked = |rollout: &Value| rollout["baked_micros"].as_u64().unwrap();
    let mut before = 0;
    for trouble in ["frozen", "dead", "without targets"] {
        scene.once(&id, "watched", |it| baked(it) > before + 3_000_000);
        match trouble {
            "frozen" => scene.prometheus.signal("STOP"),
            "dead" => scene.prometheus.kill(),
            _ => scene.prometheus.scrape(&[]),
        }
        let still = scene.once(&id, trouble, |it| it["pause"] == "analysis_error");
        assert_eq!(still["phase"], "baking", "{trouble}");
        assert_eq!(scene.weight(), 5_000, "{trouble}");
        let later = scene.rollout(&["get", &id]);
        assert_eq!(baked(&later), baked(&still), "{trouble}: the clock stands");
        match trouble {
            "frozen" => scene.prometheus.signal("CONT"),
            "dead" => scene.prometheus.start_again(),
            _ => scene.prometheus.scrape(&scene.targets()),
        }
        before = baked(&later);
        scene.until_counted();
        scene.rollout(&["resume", &id, "--as", "otto", "--reason", "mended"]);
    }
    assert!(last(&scene.rollout(&["get", &id]), "step_passed").is_none());
    scene.rollout(&["abort", &id, "--as", "otto", "--reason", "seen enough"]);
    taken_back(&scene, &id);
    no_number_is_no_data(&scene);
}

fn no_number_is_no_data(scene: &Scene) {
    let mut plan = plan(2);
    let usual = r#"sum(increase(fcs_gateway_arm_requests_total{model="{model}"}[{window}]))"#;
    plan["analysis"]["requests"] = json!(format!("{usual} * NaN"));
    let id = scene.roll_out(&plan);
    let still = scene.once(&id, "no number", |it| it["pause"] == "analysis_error");
    let seen = (&still["phase"], &still["baked_micros"]);
    assert_eq!(seen, (&json!("baking"), &json!(0)));
    assert_eq!(scene.weight(), 5_000);
}
