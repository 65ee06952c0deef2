//! Random use of the machine, against a gateway that also changes by itself.

use fcs_core::{Digest, UnixMicros};
use fcs_rollout::{
    Change, Command, Deployment, DeploymentState, Environment, RecordedEvent, TrafficTable,
    invariants,
};
use proptest::prelude::*;

use crate::support::{History, change, empty_table, roll_back, split_table};

const PEOPLE: [&str; 6] = ["ada", "ADA", "rita", "Rita", "bea", "otto"];

/// Which table a command reports as observed.
#[derive(Debug, Clone, Copy)]
enum Seen {
    InForce,
    Desired,
    Stale,
    Invented(u64),
}

#[derive(Debug, Clone, Copy)]
enum Ask {
    Register(Environment, bool),
    Approve(bool),
    Activate(Seen),
    ConfirmActivated(Seen),
    RollBack(Seen),
    ConfirmRolledBack(Seen),
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Ask {
        person: usize,
        at: i64,
        ask: Ask,
    },
    /// The reconciler applies the desired table, if there is one and it is newer.
    Reconcile,
    /// Someone else changes the gateway's table.
    Interfere(u64),
}

fn seen() -> impl Strategy<Value = Seen> {
    prop_oneof![
        6 => Just(Seen::InForce),
        3 => Just(Seen::Desired),
        1 => Just(Seen::Stale),
        1 => (0..20u64).prop_map(Seen::Invented),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let environment = prop::sample::select(&Environment::ALL[..]);
    prop_oneof![
        (environment, any::<bool>())
            .prop_map(|(environment, same)| Ask::Register(environment, same)),
        prop::bool::weighted(0.9).prop_map(Ask::Approve),
        seen().prop_map(Ask::Activate),
        seen().prop_map(Ask::ConfirmActivated),
        seen().prop_map(Ask::RollBack),
        seen().prop_map(Ask::ConfirmRolledBack),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..PEOPLE.len(), -50..1_000i64, ask())
            .prop_map(|(person, at, ask)| Step::Ask { person, at, ask }),
        3 => Just(Step::Reconcile),
        1 => (1..3u64).prop_map(Step::Interfere),
    ]
}

/// The deployment and the gateway that it acts on.
struct World {
    history: History,
    in_force: TrafficTable,
}

impl World {
    fn new(starts_empty: bool) -> Self {
        let in_force = if starts_empty {
            empty_table()
        } else {
            split_table(3)
        };
        Self {
            history: History::default(),
            in_force,
        }
    }

    fn observed(&self, seen: Seen) -> TrafficTable {
        let deployment = self.history.deployment.as_ref();
        let wanted = match seen {
            Seen::InForce => None,
            Seen::Desired => deployment
                .and_then(Deployment::last_requested_traffic)
                .cloned(),
            Seen::Stale => deployment.and_then(Deployment::previous_traffic).cloned(),
            Seen::Invented(generation) => Some(split_table(generation)),
        };
        wanted.unwrap_or_else(|| self.in_force.clone())
    }

    fn command(&self, ask: Ask) -> Command {
        match ask {
            Ask::Register(environment, true) => Command::Register {
                change: change(),
                environment,
            },
            Ask::Register(environment, false) => Command::Register {
                change: Change {
                    author: "bea".parse().unwrap(),
                    ..change()
                },
                environment,
            },
            Ask::Approve(right_plan) => {
                let plan = self
                    .history
                    .deployment
                    .as_ref()
                    .map(Deployment::plan_digest);
                let wrong = Digest::from_bytes([0; 32]);
                Command::Approve {
                    plan_digest: plan.filter(|_| right_plan).unwrap_or(wrong),
                    comment: "".parse().unwrap(),
                }
            }
            Ask::Activate(seen) => Command::Activate {
                observed: self.observed(seen),
            },
            Ask::ConfirmActivated(seen) => Command::ConfirmActivated {
                observed: self.observed(seen),
            },
            Ask::RollBack(seen) => roll_back(self.observed(seen)),
            Ask::ConfirmRolledBack(seen) => Command::ConfirmRolledBack {
                observed: self.observed(seen),
            },
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Ask { person, at, ask } => {
                let before = self.history.clone();
                let command = self.command(ask);
                let result = self.history.run_at(PEOPLE[person], command, UnixMicros(at));
                if result.map_or(0, |count| count) == 0 {
                    assert_eq!(self.history.deployment, before.deployment);
                    assert_eq!(self.history.events, before.events);
                }
            }
            Step::Reconcile => self.reconcile(),
            Step::Interfere(by) => {
                self.in_force = split_table(self.in_force.generation() + by);
            }
        }
    }

    fn reconcile(&mut self) {
        let deployment = self.history.deployment.as_ref();
        if let Some(desired) = deployment.and_then(Deployment::desired_traffic)
            && desired.generation() > self.in_force.generation()
        {
            self.in_force = desired.clone();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_history_keeps_the_laws(
        starts_empty in any::<bool>(),
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let mut world = World::new(starts_empty);
        for step in steps {
            let generation = world.in_force.generation();
            world.take(step);
            prop_assert!(world.in_force.generation() >= generation);
            prop_assert_eq!(invariants::check(&world.history.events), Ok(()));
            let folded = Deployment::fold(&world.history.events);
            prop_assert_eq!(folded.as_ref(), Ok(&world.history.deployment));
        }
    }

    #[test]
    fn a_rollback_always_succeeds_once_traffic_was_asked_for(
        starts_empty in any::<bool>(),
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let mut world = World::new(starts_empty);
        let approved_way = [
            Ask::Register(Environment::Development, true),
            Ask::Activate(Seen::InForce),
        ];
        for ask in approved_way {
            world.take(Step::Ask { person: 2, at: 0, ask });
        }
        for step in steps {
            world.take(step);
        }
        let previous = world.history.deployment().previous_traffic().unwrap().arms().to_vec();
        let was_rolled_back = world.history.deployment().state() == DeploymentState::RolledBack;
        world.take(Step::Ask { person: 5, at: 0, ask: Ask::RollBack(Seen::InForce) });
        world.take(Step::Reconcile);
        world.take(Step::Ask { person: 5, at: 0, ask: Ask::ConfirmRolledBack(Seen::InForce) });
        prop_assert_eq!(world.history.deployment().state(), DeploymentState::RolledBack);
        if !was_rolled_back {
            prop_assert_eq!(world.in_force.arms(), previous);
        }
    }

    #[test]
    fn folding_any_pile_of_events_never_panics(
        steps in prop::collection::vec(step(), 0..40),
        order in prop::collection::vec((any::<prop::sample::Index>(), 0..6u64), 0..8),
    ) {
        let mut world = World::new(false);
        for step in steps {
            world.take(step);
        }
        let events = &world.history.events;
        if events.is_empty() {
            return Ok(());
        }
        let pile: Vec<RecordedEvent> = order
            .into_iter()
            .map(|(index, sequence)| RecordedEvent { sequence, ..index.get(events).clone() })
            .collect();
        let _ = Deployment::fold(&pile);
        let _ = invariants::check(&pile);
    }
}

/// Random use must reach every state, or the properties above show little.
#[test]
fn random_use_reaches_every_state() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let steps = prop::collection::vec(step(), 0..40);
    let mut reached = std::collections::BTreeSet::new();
    for _ in 0..500 {
        let mut world = World::new(false);
        for step in steps.new_tree(&mut runner).unwrap().current() {
            world.take(step);
            reached.extend(
                world
                    .history
                    .deployment
                    .as_ref()
                    .map(|it| it.state().as_str()),
            );
        }
    }
    let all = [
        "activating",
        "active",
        "approved",
        "registered",
        "rolled_back",
        "rolling_back",
    ];
    assert_eq!(reached.into_iter().collect::<Vec<_>>(), all);
}
