//! The machine of rollouts: stories of single rollouts, and random use.

mod forged;
mod looks;
mod random;
mod stories;

use fcs_core::{Digest, UnixMicros};
use fcs_rollout::rollout::{
    Analysis, Baseline, Command, Event, Limits, Moment, Phase, Plan, Recorded, Refusal, Rollout,
    Strategy, apply, decide, laws,
};
use fcs_rollout::statistics::{Absence, Needed, Verdict};
use fcs_rollout::{Environment, TrafficArm, TrafficTable};

use crate::support::change;

pub(crate) const MINUTE: i64 = 60_000_000;
pub(crate) const INSUFFICIENT: Verdict = Verdict::Insufficient {
    needed: Needed {
        bad_requests_to_breach: None,
        bad_requests_to_clear: None,
        good_requests_to_clear: None,
        exceeding_micros_to_breach: None,
    },
};
pub(crate) const NO_DATA: Verdict = Verdict::NoData {
    reason: Absence::Missing,
};

pub(crate) const MISMATCH: Verdict = Verdict::NoData {
    reason: Absence::SampleRatioMismatch,
};

pub(crate) fn baseline_digest() -> Digest {
    Digest::from_bytes([3; 32])
}

fn traffic() -> TrafficTable {
    let arm = TrafficArm {
        name: "stable".to_owned(),
        model: "taiwan-default/0".parse().unwrap(),
        manifest_digest: baseline_digest(),
        weight_basis_points: 10_000,
    };
    TrafficTable::new(7, "salt".to_owned(), vec![arm]).unwrap()
}

fn analysis() -> Analysis {
    let query = "x{model=\"{model}\"}[{window}]";
    Analysis {
        requests: query.parse().unwrap(),
        ..Analysis::default()
    }
}

pub(crate) fn plan(strategy: Strategy) -> Plan {
    Plan {
        change: change(),
        committers: vec!["cleo".parse().unwrap()],
        environment: Environment::Production,
        baseline: Baseline {
            model: "taiwan-default/0".parse().unwrap(),
            manifest_digest: baseline_digest(),
        },
        traffic: traffic(),
        strategy,
        analysis: analysis(),
        limits: Limits::default(),
        point_of_no_return: None,
    }
}

/// A rollout, its history, and a clock.
pub(crate) struct Story {
    pub(crate) events: Vec<Recorded>,
    pub(crate) rollout: Option<Rollout>,
    pub(crate) now: i64,
    pub(crate) is_open: bool,
}

impl Story {
    pub(crate) fn new() -> Self {
        Self {
            events: Vec::new(),
            rollout: None,
            now: 0,
            is_open: true,
        }
    }

    /// Decides and records; says how many events came of it.
    pub(crate) fn ask(&mut self, person: &str, command: Command) -> Result<usize, Refusal> {
        let moment = Moment {
            at: UnixMicros(self.now),
            is_open: self.is_open,
        };
        let actor = person.parse().unwrap();
        let events = decide(self.rollout.as_ref(), command, &actor, moment)?;
        for recorded in &events {
            self.rollout = Some(apply(self.rollout.take(), recorded).unwrap());
        }
        self.events.extend(events.iter().cloned());
        Ok(events.len())
    }

    pub(crate) fn does(&mut self, command: Command) {
        self.ask("robot", command).unwrap();
    }

    pub(crate) fn state(&self) -> &Rollout {
        self.rollout.as_ref().unwrap()
    }

    pub(crate) fn phase(&self) -> Phase {
        self.state().phase()
    }

    pub(crate) fn weight(&self) -> u32 {
        self.state().desired().weight_basis_points
    }

    pub(crate) fn generation(&self) -> u64 {
        self.state().desired().generation
    }

    pub(crate) fn last(&self) -> &Event {
        &self.events.last().unwrap().event
    }

    /// Proposed by rita, written by ada, approved by bea, started, ready and tested.
    pub(crate) fn verified(plan: Plan) -> Self {
        let mut story = Self::new();
        let plan_digest = plan.digest();
        let plan = Box::new(plan);
        story.ask("rita", Command::Propose { plan }).unwrap();
        let observed_baseline = baseline_digest();
        story.does(Command::Submit { observed_baseline });
        let comment = "tests seen".parse().unwrap();
        let approve = Command::Approve {
            plan_digest,
            comment,
        };
        story.ask("bea", approve).unwrap();
        story.does(Command::Start { epoch: 1 });
        story.does(Command::ReportReady);
        story.does(Command::ReportSmoke { passed: true });
        story
    }

    pub(crate) fn confirm(&mut self) {
        let generation = self.generation();
        self.does(Command::ConfirmShift { generation });
    }

    /// Looks every 15 s for some minutes.
    pub(crate) fn wait(&mut self, minutes: i64, has_data: bool) {
        for _ in 0..minutes * 4 {
            self.now += MINUTE / 4;
            self.does(Command::Tick { has_data });
        }
    }

    pub(crate) fn judge(&mut self, verdict: Verdict) {
        self.does(Command::Judge {
            verdict,
            metric: "errors".parse().ok(),
        });
    }

    /// Confirms the shift, waits for the bake, and judges.
    pub(crate) fn step(&mut self, verdict: Verdict) {
        self.confirm();
        self.wait(30, true);
        self.judge(verdict);
    }

    pub(crate) fn check(&self) {
        laws::check(&self.events).unwrap();
    }
}
