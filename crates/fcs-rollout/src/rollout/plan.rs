use fcs_core::{Digest, ModelVersion};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::analysis::Analysis;
use super::state::Desired;
use super::strategy::Strategy;
use crate::change::{Change, Environment};
use crate::text::Principal;
use crate::traffic::{InvalidTraffic, STABLE_ARM, TrafficArm, TrafficTable, WHOLE_BASIS_POINTS};

/// Keeps plan digests apart from every other use of SHA-256.
const PLAN_DOMAIN: &[u8] = b"faircredit rollout plan v1\n";

/// The arm of a candidate with a share of the traffic.
const CANDIDATE_ARM: &str = "candidate";
/// The arm of a baseline that is kept warm.
const PREVIOUS_ARM: &str = "previous";
/// What an arm is called when another one has its name.
const SPARE_ARM: &str = "other";

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 24 * 60 * MINUTE;

/// Everything that is frozen when a rollout is proposed. Whatever changes is another rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What is rolled out, who wrote it and why.
    pub change: Change,
    /// Who wrote the commits of it; like the author, none of them checks it.
    pub committers: Vec<Principal>,
    /// Where.
    pub environment: Environment,
    /// What it replaces, and what a rollback restores.
    pub baseline: Baseline,
    /// The gateway's table before the rollout, with all of the traffic on the baseline; a rollback writes its arms.
    pub traffic: TrafficTable,
    /// How it gets traffic.
    pub strategy: Strategy,
    /// What the candidate is judged by.
    pub analysis: Analysis,
    /// Deadlines and numbers of attempts.
    pub limits: Limits,
    /// Position of the step, from 0, after whose shift there is no way back, for example because data was migrated.
    pub point_of_no_return: Option<usize>,
}

/// The version that serves before the rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The model package.
    pub model: ModelVersion,
    /// SHA-256 of the package's manifest.
    pub manifest_digest: Digest,
}

/// What happens to a step about which neither good nor bad is shown after all extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnInconclusive {
    /// A person decides.
    Pause,
    /// The baseline takes everything again.
    RollBack,
}

/// Deadlines in microseconds, and numbers of attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// From the submission to the last approval.
    pub approval_micros: u64,
    /// Until the candidate is ready.
    pub progress_micros: u64,
    /// Until the candidate's smoke test has an outcome.
    pub verify_micros: u64,
    /// Until every gateway serves a new weight.
    pub shift_micros: u64,
    /// Until a gate is opened.
    pub gate_micros: u64,
    /// Longest pause with traffic on the candidate.
    pub pause_micros: u64,
    /// Longest time that both arms may be worse than they should be, before the way back.
    pub shared_incident_micros: u64,
    /// Between two looks at the metrics, at most this much counts as baked.
    pub tick_gap_micros: u64,
    /// With everything on the candidate and the baseline still warm.
    pub final_bake_micros: u64,
    /// How often a bake is extended by half.
    pub extensions_max: u32,
    /// Looks without data, one after another, before a pause.
    pub errors_max: u32,
    /// Attempts of a rollback before people are called.
    pub rollback_attempts_max: u32,
    /// What follows when extensions are spent.
    pub on_inconclusive: OnInconclusive,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            approval_micros: 7 * DAY,
            progress_micros: 10 * MINUTE,
            verify_micros: 10 * MINUTE,
            shift_micros: 2 * MINUTE,
            gate_micros: DAY,
            pause_micros: DAY,
            shared_incident_micros: 10 * MINUTE,
            tick_gap_micros: 30 * SECOND,
            final_bake_micros: 30 * MINUTE,
            extensions_max: 2,
            errors_max: 4,
            rollback_attempts_max: 5,
            on_inconclusive: OnInconclusive::Pause,
        }
    }
}

impl Plan {
    /// The plan as canonical JSON (RFC 8785).
    pub fn to_json(&self) -> String {
        let plan = fcs_core::to_canonical_vec(self).expect("a plan has string keys only");
        String::from_utf8(plan).expect("JSON is UTF-8")
    }

    /// What approvals bind to: SHA-256 over a domain prefix and the canonical JSON (RFC 8785) of the whole plan.
    pub fn digest(&self) -> Digest {
        let plan = fcs_core::to_canonical_vec(self).expect("a plan has string keys only");
        let hash = Sha256::new()
            .chain_update(PLAN_DOMAIN)
            .chain_update(plan)
            .finalize();
        Digest::from_bytes(hash.into())
    }

    /// The table that gives the candidate what is desired, absolute. Its generation follows the rollout's own, so
    /// every change of mind is a greater one. Fails if the candidate's arm does not fit beside the baseline's.
    pub fn table(&self, desired: &Desired) -> Result<TrafficTable, InvalidTraffic> {
        let generation = self.traffic.generation() + 1 + desired.generation;
        let salt = self.traffic.salt().to_owned();
        if !desired.candidate_runs || desired.is_reverse {
            return TrafficTable::new(generation, salt, self.traffic.arms().to_vec());
        }
        let arms = self.arms(desired.weight_basis_points);
        TrafficTable::new(generation, salt, arms)
    }

    /// The candidate beside the baseline. With everything it takes over the baseline's arm, so that the next rollout
    /// starts from where this one did; the baseline is kept warm in an arm without traffic.
    fn arms(&self, weight: u32) -> Vec<TrafficArm> {
        let arm = |name: &str| TrafficArm {
            name: name.to_owned(),
            model: self.change.model.clone(),
            manifest_digest: self.change.manifest_digest,
            weight_basis_points: weight,
        };
        let mut before = self.traffic.arms().iter();
        let Some(baseline) = before.find(|arm| arm.weight_basis_points == WHOLE_BASIS_POINTS)
        else {
            return vec![arm(STABLE_ARM)];
        };
        let mut baseline = baseline.clone();
        baseline.weight_basis_points = WHOLE_BASIS_POINTS.saturating_sub(weight);
        if weight < WHOLE_BASIS_POINTS {
            let candidate = arm(beside(&baseline.name, CANDIDATE_ARM));
            return vec![baseline, candidate];
        }
        let candidate = arm(&baseline.name);
        beside(&candidate.name, PREVIOUS_ARM).clone_into(&mut baseline.name);
        vec![baseline, candidate]
    }
}

/// A name for an arm beside another one.
fn beside(taken: &str, wished: &'static str) -> &'static str {
    if taken == wished { SPARE_ARM } else { wished }
}
