//! The use cases of deployments over a traffic table in memory.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use deployment_audit::app::deployments::{Deployments, NewDeployment};
use deployment_audit::app::history::History;
use deployment_audit::app::ports::{GatewayError, Traffic};
use deployment_audit::app::progress::Progress;
use deployment_audit::app::reconcile::Reconciler;
use deployment_audit::app::writer::Writer;
use deployment_audit::jobs::traffic_reconciler;
use deployment_audit::store::Store;
use fcs_core::Clock;
use fcs_rollout::{DeploymentState, Environment, TrafficTable};
use fcs_service::{OsRandom, SystemClock};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::metrics;

/// What the fake gateway does with the next new tables.
#[derive(Default, PartialEq)]
pub(crate) enum Mood {
    #[default]
    Obliging,
    /// Refuses with this text.
    Refusing(&'static str),
    /// Takes the table and loses the answer.
    LosingAnswers,
    /// Does not answer.
    Silent,
    /// Takes the table, and another gateway does not follow.
    Lagging,
}

/// A traffic table in memory that keeps the rules of the contract.
pub(crate) struct FakeTraffic {
    state: Mutex<State>,
}

struct State {
    table: TrafficTable,
    mood: Mood,
    taken: Vec<TrafficTable>,
}

impl Default for FakeTraffic {
    fn default() -> Self {
        let table = TrafficTable::new(0, String::new(), Vec::new()).unwrap();
        Self {
            state: Mutex::new(State {
                table,
                mood: Mood::Obliging,
                taken: Vec::new(),
            }),
        }
    }
}

impl FakeTraffic {
    pub(crate) fn table_in_force(&self) -> TrafficTable {
        self.state().table.clone()
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// How often a table was taken.
    pub(crate) fn applied(&self) -> u32 {
        u32::try_from(self.state().taken.len()).unwrap()
    }

    /// The tables that were taken, in order.
    pub(crate) fn taken(&self) -> Vec<TrafficTable> {
        self.state().taken.clone()
    }

    /// Takes a table as it is.
    pub(crate) fn force(&self, table: TrafficTable) {
        self.state().table = table;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

#[async_trait]
impl Traffic for FakeTraffic {
    async fn table(&self) -> Result<TrafficTable, GatewayError> {
        let state = self.state();
        match state.mood {
            Mood::Silent => Err(GatewayError::Unavailable("nobody there".to_owned())),
            _ => Ok(state.table.clone()),
        }
    }

    async fn apply(
        &self,
        expected_generation: u64,
        table: &TrafficTable,
    ) -> Result<TrafficTable, GatewayError> {
        let mut state = self.state();
        let unavailable = |text: &str| Err(GatewayError::Unavailable(text.to_owned()));
        match state.mood {
            Mood::Refusing(text) => return Err(GatewayError::Refused(text.to_owned())),
            Mood::Silent => return unavailable("nobody there"),
            Mood::Obliging | Mood::LosingAnswers | Mood::Lagging => {}
        }
        if state.table.generation() != expected_generation {
            return unavailable("another generation is in force (Aborted)");
        }
        state.table = table.clone();
        state.taken.push(table.clone());
        if state.mood == Mood::LosingAnswers {
            unavailable("reset")
        } else {
            Ok(table.clone())
        }
    }

    async fn is_everywhere(&self, generation: u64) -> Result<bool, GatewayError> {
        let state = self.state();
        match state.mood {
            Mood::Silent => Err(GatewayError::Unavailable("nobody there".to_owned())),
            Mood::Lagging => Ok(false),
            _ => Ok(state.table.generation() >= generation),
        }
    }
}

/// The service's life between two starts: a writer, a reconciler, the use cases.
pub(crate) struct Life {
    pub(crate) deployments: Arc<Deployments>,
    pub(crate) progress: Arc<Progress>,
    reconciler: Option<Reconciler>,
    tasks: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
}

impl Life {
    /// Starts on what the store holds. The reconciler waits for [`Life::reconcile`] or [`Life::round`].
    pub(crate) fn start(
        store: &Arc<dyn Store>,
        traffic: &Arc<FakeTraffic>,
        environment: Environment,
    ) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (metrics, _) = metrics();
        let (writer, handle) = Writer::new(Arc::clone(store), Arc::clone(&clock), metrics.clone());
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        tasks.spawn(writer.run(stop.clone()));
        let progress = Arc::new(Progress::default());
        let reconciler = Reconciler {
            store: Arc::clone(store),
            traffic: Arc::clone(traffic) as _,
            writer: handle.clone(),
            progress: Arc::clone(&progress),
            metrics,
            environment: environment.as_str(),
        };
        let deployments = Arc::new(Deployments {
            store: Arc::clone(store),
            traffic: Arc::clone(traffic) as _,
            writer: handle,
            progress: Arc::clone(&progress),
            clock,
            random: Arc::new(OsRandom),
            environment,
        });
        Self {
            deployments,
            progress,
            reconciler: Some(reconciler),
            tasks,
            stop,
        }
    }

    /// Lets the reconciler run by itself.
    pub(crate) fn reconcile(mut self) -> Self {
        let reconciler = self.reconciler.take().unwrap();
        let job =
            traffic_reconciler::run(reconciler, Arc::clone(&self.progress), self.stop.clone());
        self.tasks.spawn(job);
        self
    }

    /// One round of the reconciler.
    pub(crate) async fn round(&self) {
        self.reconciler.as_ref().unwrap().round().await.unwrap();
    }

    /// Ends as a shutdown does.
    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        while let Some(task) = self.tasks.join_next().await {
            task.unwrap().unwrap();
        }
    }

    /// Registers a deployment of `model` in the life's environment.
    pub(crate) async fn register(&self, model: &str) -> History {
        let new = proposal(model, self.deployments.environment);
        self.deployments.register(&new).await.unwrap()
    }

    /// Asks for an activation and does not wait for the traffic.
    pub(crate) async fn ask_for_activation(&self, id: &str) {
        let asked = self.deployments.activate(id, "rita");
        self.drive(id, DeploymentState::Activating, asked).await;
    }

    /// Asks for a rollback and does not wait for the traffic.
    pub(crate) async fn ask_for_rollback(&self, id: &str) {
        let asked = self.deployments.roll_back(id, "rita", "worse than hoped");
        self.drive(id, DeploymentState::RollingBack, asked).await;
    }

    /// Polls a request until what it asks for is recorded. Nothing reconciles, so the request itself
    /// would wait to its limit.
    async fn drive<T>(&self, id: &str, state: DeploymentState, request: impl Future<Output = T>) {
        let mut request = Box::pin(request);
        for _ in 0..200 {
            drop(timeout(Duration::from_millis(20), &mut request).await);
            let found = self.deployments.find(id).await.unwrap();
            if found.deployment.state() == state {
                return;
            }
        }
        panic!("{id} did not reach {state}");
    }
}

pub(crate) fn proposal(model: &str, environment: Environment) -> NewDeployment {
    NewDeployment {
        actor: "rita".to_owned(),
        environment: environment.to_string(),
        model: model.to_owned(),
        manifest_digest: "07".repeat(32),
        git_commit: "0123abc".to_owned(),
        author: "ada".to_owned(),
        description: "a better model".to_owned(),
    }
}
