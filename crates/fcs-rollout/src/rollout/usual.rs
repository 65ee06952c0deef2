//! What a plan asks that names nothing else: the metrics of the gateway and the bias monitor, and the triggers of the
//! deployment strategy.

use fcs_core::Alpha;

use super::analysis::{Analysis, Metric, Name, SlowerAnywhere};
use super::guard::{Guard, Measure, WhenShared};
use crate::statistics::{
    Attribution, Criteria, RateCriterion, RateLimit, RatioCriterion, SustainedRule,
};

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;

const REQUESTS: &str =
    r#"sum(increase(fcs_gateway_arm_requests_total{model="{model}"}[{window}]))"#;
/// A caller that gives up had no answer either: a candidate that hangs is not to look like one that is quick.
const FAILED: &str = r#"sum(increase(fcs_gateway_arm_requests_total{model="{model}",result=~"failed|abandoned"}[{window}]))"#;
/// 2 s is a bound of the gateway's buckets.
const SLOW: &str = r#"clamp_min(sum(increase(fcs_gateway_arm_request_seconds_count{model="{model}"}[{window}])) - sum(increase(fcs_gateway_arm_request_seconds_bucket{model="{model}",le="2.0"}[{window}])), 0)"#;
const BUCKETS: &str =
    r#"sum by (le) (increase(fcs_gateway_arm_request_seconds_bucket{model="{model}"}[{window}]))"#;
/// One process holds the models of both arms, so this is nobody's in particular.
const MEMORY: &str = r#"max(process_resident_memory_bytes / process_memory_limit_bytes and on (instance) build_info{service="model-server"})"#;
const DRIFT: &str = r#"max(model_drift_score{model="{name}",version="{version}"})"#;

impl Default for Analysis {
    /// Errors and requests slower than 2 s are compared, latencies from 0.1 s on as well, with one alpha of 1 % for
    /// all of it; beside them stand the fixed triggers and the alarms of the bias monitor.
    fn default() -> Self {
        Self {
            requests: REQUESTS.parse().expect("this is a query"),
            metrics: vec![
                metric("errors", FAILED, 0.0045, 0.05),
                metric("slow", SLOW, 0.0025, 0.01),
            ],
            slower_anywhere: Some(SlowerAnywhere {
                buckets: BUCKETS.parse().expect("this is a query"),
                alpha: alpha(0.002),
                tolerated: 2.0.try_into().expect("this is a ratio"),
                bound_min_s: 0.1,
            }),
            guards: guards(),
            bias_alarms: true,
            look_micros: 15 * SECOND,
            fresh_micros: MINUTE,
        }
    }
}

fn guards() -> Vec<Guard> {
    let share = |bad: &str| Measure::Share {
        bad: bad.parse().expect("this is a query"),
        window_micros: MINUTE,
    };
    let value = |query: &str| Measure::Value {
        query: query.parse().expect("this is an expression"),
    };
    let guard = |text: &str, rule, measure| Guard {
        name: name(text),
        rule,
        measure,
        attribution: Attribution::Candidate,
        when_shared: WhenShared::Hold,
    };
    vec![
        guard("error_rate", SustainedRule::ERROR_RATE, share(FAILED)),
        guard("slow_share", SustainedRule::SLOW_SHARE, share(SLOW)),
        Guard {
            attribution: Attribution::Any,
            ..guard("memory", SustainedRule::MEMORY, value(MEMORY))
        },
        Guard {
            when_shared: WhenShared::Pause,
            ..guard("drift", SustainedRule::DRIFT, value(DRIFT))
        },
    ]
}

fn metric(text: &str, bad: &str, ratio_alpha: f64, tolerated_rate: f64) -> Metric {
    let limit = |share: f64| RateLimit::try_from(share).expect("this is a share");
    Metric {
        name: name(text),
        bad: bad.parse().expect("this is a query"),
        criteria: Criteria {
            ratio: RatioCriterion {
                alpha: alpha(ratio_alpha),
                tolerated: 1.25.try_into().expect("this is a ratio"),
                certified: 2.0.try_into().expect("this is a ratio"),
                bad_requests_min: 5,
            },
            rate: Some(RateCriterion {
                alpha: alpha(0.0005),
                tolerated: limit(tolerated_rate),
                certified: limit(0.01),
            }),
            assignment_alpha: alpha(1e-4),
        },
    }
}

fn alpha(share: f64) -> Alpha {
    share.try_into().expect("this is an alpha")
}

fn name(text: &str) -> Name {
    text.parse().expect("this is a name")
}
