//! Values for the tests.

use fcs_core::{Digest, UnixMicros};
use fcs_rollout::{
    Change, Command, Deployment, Environment, Principal, RecordedEvent, Rejection, TrafficArm,
    TrafficTable, apply, decide,
};

pub(crate) fn person(name: &str) -> Principal {
    name.parse().unwrap()
}

/// A change written by Ada.
pub(crate) fn change() -> Change {
    Change {
        model: "taiwan-default/2".parse().unwrap(),
        manifest_digest: Digest::from_bytes([2; 32]),
        git_commit: "0123abc".parse().unwrap(),
        author: person("ada"),
        description: "retrained on the last quarter".parse().unwrap(),
    }
}

pub(crate) fn empty_table() -> TrafficTable {
    TrafficTable::new(0, String::new(), vec![]).unwrap()
}

/// Two arms, 9,000 and 1,000 basis points.
pub(crate) fn split_table(generation: u64) -> TrafficTable {
    let arm = |name: &str, version: &str, weight_basis_points| TrafficArm {
        name: name.to_owned(),
        model: format!("taiwan-default/{version}").parse().unwrap(),
        manifest_digest: Digest::from_bytes([1; 32]),
        weight_basis_points,
    };
    let arms = vec![arm("stable", "0", 9_000), arm("candidate", "1", 1_000)];
    TrafficTable::new(generation, "old-salt".to_owned(), arms).unwrap()
}

/// A deployment together with its history.
#[derive(Debug, Default, Clone)]
pub(crate) struct History {
    pub(crate) events: Vec<RecordedEvent>,
    pub(crate) deployment: Option<Deployment>,
}

impl History {
    /// Decides and applies; returns the number of events.
    pub(crate) fn run(&mut self, actor: &str, command: Command) -> Result<usize, Rejection> {
        self.run_at(actor, command, UnixMicros(1_000))
    }

    pub(crate) fn run_at(
        &mut self,
        actor: &str,
        command: Command,
        at: UnixMicros,
    ) -> Result<usize, Rejection> {
        let events = decide(self.deployment.as_ref(), command, &person(actor), at)?;
        for event in &events {
            let next = apply(self.deployment.take(), event).expect("decided events apply");
            self.deployment = Some(next);
        }
        let count = events.len();
        self.events.extend(events);
        Ok(count)
    }

    pub(crate) fn deployment(&self) -> &Deployment {
        self.deployment.as_ref().expect("registered")
    }

    /// The desired table, as a gateway that has it in force would report it.
    pub(crate) fn desired(&self) -> TrafficTable {
        self.deployment()
            .last_requested_traffic()
            .expect("requested")
            .clone()
    }
}

pub(crate) fn register(environment: Environment) -> Command {
    Command::Register {
        change: change(),
        environment,
    }
}

pub(crate) fn approve(history: &History) -> Command {
    Command::Approve {
        plan_digest: history.deployment().plan_digest(),
        comment: "looks right".parse().unwrap(),
    }
}

pub(crate) fn roll_back(observed: TrafficTable) -> Command {
    Command::RollBack {
        reason: "default rate rises".parse().unwrap(),
        observed,
    }
}

/// Registered by Rita, approved by Bea, in production.
pub(crate) fn approved() -> History {
    let mut history = History::default();
    history
        .run("rita", register(Environment::Production))
        .unwrap();
    let command = approve(&history);
    history.run("bea", command).unwrap();
    history
}

/// Approved, and activated over a table.
pub(crate) fn activating(observed: TrafficTable) -> History {
    let mut history = approved();
    history.run("rita", Command::Activate { observed }).unwrap();
    history
}

/// Activated over a table and confirmed.
pub(crate) fn active(observed: TrafficTable) -> History {
    let mut history = activating(observed);
    let observed = history.desired();
    history
        .run("reconciler", Command::ConfirmActivated { observed })
        .unwrap();
    history
}

/// Activated over a table and rolled back again.
pub(crate) fn rolled_back(observed: TrafficTable) -> History {
    let mut history = active(observed);
    let observed = history.desired();
    history.run("otto", roll_back(observed)).unwrap();
    let observed = history.desired();
    history
        .run("reconciler", Command::ConfirmRolledBack { observed })
        .unwrap();
    history
}
