use fcs_core::{Alpha, Probability};
use serde::{Deserialize, Serialize};

use crate::statistics::arm::RiskRatio;
use crate::statistics::{Criteria, RateCriterion, RateLimit, RatioCriterion, Weight};

/// Most steps of a plan.
const STEPS_MAX: usize = 20;
/// Longest step, in seconds: a week.
const BAKE_MAX_S: u32 = 7 * 86_400;
/// Most requests per second.
const REQUESTS_PER_S_MAX: f64 = 1e6;

/// How a candidate gets traffic, and what it is asked meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Plan(Parts);

/// A weight that is kept for a while.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The candidate's share of the requests.
    pub weight_basis_points: Weight,
    /// For how long, in seconds.
    pub bake_s: u32,
    /// Ratio of risks below which the candidate must be shown to be before it gets more.
    pub certified: RiskRatio,
}

/// Everything that a plan says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parts {
    /// The weights, in order.
    pub steps: Vec<Step>,
    /// Seconds from one look at the counts to the next.
    pub look_every_s: u32,
    /// Alpha of every answer about the ratio of risks.
    pub alpha: Alpha,
    /// Ratio of risks that is tolerated.
    pub tolerated: RiskRatio,
    /// No breach before so many bad requests of both arms.
    pub bad_requests_min: u64,
    /// What the candidate's own share of bad requests is asked.
    pub rate: Option<RateCriterion>,
    /// Alpha of the guard of the assignment.
    pub assignment_alpha: Alpha,
}

/// Why there is no such plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlan {
    /// No steps or too many.
    #[error("a plan must have 1 to 20 steps")]
    Steps,
    /// A step is no whole number of looks, or too long.
    #[error("a step must last a whole number of looks, and a week at most")]
    Bake,
    /// A look every 0 seconds.
    #[error("a plan must be looked at every second at most")]
    Looks,
    /// A step takes traffic back.
    #[error("the weights of a plan must rise")]
    Weights,
}

impl Default for Parts {
    /// 5, 25, 50 and 100 % for half an hour each, looked at every 15 s. A healthy candidate is ever stopped with a
    /// probability of at most 1 %: 0.9 % by comparison and 0.1 % by its own share.
    fn default() -> Self {
        let step = |basis_points, certified| Step {
            weight_basis_points: fixed(Weight::try_from(basis_points)),
            bake_s: 1_800,
            certified: fixed(RiskRatio::try_from(certified)),
        };
        Self {
            steps: vec![
                step(500, 3.0),
                step(2_500, 2.5),
                step(5_000, 2.5),
                step(10_000, 2.5),
            ],
            look_every_s: 15,
            alpha: fixed(Alpha::try_from(0.009)),
            tolerated: fixed(RiskRatio::try_from(1.25)),
            bad_requests_min: 5,
            rate: Some(RateCriterion {
                alpha: fixed(Alpha::try_from(0.001)),
                tolerated: fixed(RateLimit::try_from(0.05)),
                certified: fixed(RateLimit::try_from(0.01)),
            }),
            assignment_alpha: fixed(Alpha::try_from(1e-4)),
        }
    }
}

fn fixed<T, E: std::fmt::Debug>(number: Result<T, E>) -> T {
    number.expect("the number is written above and within its range")
}

impl TryFrom<Parts> for Plan {
    type Error = InvalidPlan;

    fn try_from(parts: Parts) -> Result<Self, InvalidPlan> {
        if parts.steps.is_empty() || parts.steps.len() > STEPS_MAX {
            return Err(InvalidPlan::Steps);
        }
        if parts.look_every_s == 0 {
            return Err(InvalidPlan::Looks);
        }
        let bakes = parts.look_every_s..=BAKE_MAX_S;
        let is_whole = |step: &Step| step.bake_s.is_multiple_of(parts.look_every_s);
        let is_usable = |step: &Step| bakes.contains(&step.bake_s) && is_whole(step);
        if !parts.steps.iter().all(is_usable) {
            return Err(InvalidPlan::Bake);
        }
        let weight = |step: &Step| step.weight_basis_points;
        if !parts.steps.is_sorted_by(|a, b| weight(a) < weight(b)) {
            return Err(InvalidPlan::Weights);
        }
        Ok(Self(parts))
    }
}

impl From<Plan> for Parts {
    fn from(plan: Plan) -> Self {
        plan.0
    }
}

impl Plan {
    /// Everything that it says.
    pub fn parts(&self) -> &Parts {
        &self.0
    }

    /// What a candidate is asked during a step.
    pub fn criteria(&self, step: &Step) -> Criteria {
        Criteria {
            ratio: RatioCriterion {
                alpha: self.0.alpha,
                tolerated: self.0.tolerated,
                certified: step.certified,
                bad_requests_min: self.0.bad_requests_min,
            },
            rate: self.0.rate,
            assignment_alpha: self.0.assignment_alpha,
        }
    }

    /// How long it takes if nothing stops it, in seconds.
    pub fn duration_s(&self) -> u64 {
        self.0.steps.iter().map(|step| u64::from(step.bake_s)).sum()
    }
}

/// What the world does to a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Requests of both arms per second, above 0 and at most a million.
    pub requests_per_s: f64,
    /// The stable arm's share of bad requests.
    pub stable_bad: Probability,
    /// The candidate's.
    pub candidate_bad: Probability,
    /// When both are worse, for a reason that is not the candidate.
    #[serde(default)]
    pub outage: Option<Outage>,
}

/// Something that hits both arms alike.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// When it begins, in seconds after the rollout.
    pub from_s: u64,
    /// How long it lasts, in seconds.
    pub duration_s: u64,
    /// Share of bad requests of an arm that has fewer otherwise.
    pub bad: Probability,
}

impl Scenario {
    /// Whether its number of requests can be simulated.
    pub fn is_usable(&self) -> bool {
        self.requests_per_s > 0.0 && self.requests_per_s <= REQUESTS_PER_S_MAX
    }

    /// Shares of bad requests of candidate and stable arm, so many seconds after the rollout began.
    pub(super) fn bad_at(&self, seconds: u64) -> (f64, f64) {
        let hits = |outage: &Outage| {
            seconds >= outage.from_s && seconds - outage.from_s < outage.duration_s
        };
        let floor = self
            .outage
            .filter(hits)
            .map_or(0.0, |outage| outage.bad.get());
        let (candidate, stable) = (self.candidate_bad.get(), self.stable_bad.get());
        (candidate.max(floor), stable.max(floor))
    }
}
