//! The life of a service: bind, start, ready, drain.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use axum::Router;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared as SharedFuture};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::admin::{Admin, AdminState, probes};
use crate::admission::Admission;
use crate::auth::{Auth, Guard};
use crate::cache::Cache;
use crate::context::Shared;
use crate::edge::Edge;
use crate::limit::RateLimits;
use crate::metrics::connections::ConnectionMetrics;
use crate::metrics::process;
use crate::serve::{Limits, Public, serve};
use crate::settings::{Settings, ShutdownSettings};
use crate::tasks::Tasks;
use crate::tls::Tls;
use crate::{Health, MetricsHandle, Service, ServiceContext, edge, panics};

/// What the system keeps of an answer that its client does not read. Left to itself, the system takes megabytes, slowly,
/// and so hides from the server that the client does not read.
const SEND_BUFFER_BYTES: u32 = 128 * 1_024;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;
/// What tasks get to notice that they must stop at once.
const HARD_GRACE: Duration = Duration::from_secs(1);

/// A service that runs. Dropping it stops the service at once, without a drain.
pub struct Running {
    /// The public address.
    pub http: SocketAddr,
    /// The address of the admin listener.
    pub admin: SocketAddr,
    stop: CancellationToken,
    force: CancellationToken,
    ended: SharedFuture<BoxFuture<'static, Result<(), Arc<str>>>>,
    _guards: [DropGuard; 2],
}

impl Running {
    /// Starts the drain; [`Running::wait`] tells its end.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Ends the drain now: what still runs is cut off.
    pub fn force(&self) {
        self.stop.cancel();
        self.force.cancel();
    }

    /// Waits until the service has ended. An error when a task failed or the deadline cut off work.
    pub async fn wait(&self) -> anyhow::Result<()> {
        self.ended.clone().await.map_err(|error| anyhow!("{error}"))
    }
}

/// Starts a service: admin listener, public listener, [`Service::start`], then ready.
pub async fn launch<S: Service>(
    settings: Settings<S::Settings>,
    shared: &Shared,
) -> anyhow::Result<Running> {
    let settings = Arc::new(settings);
    let ctx = context::<S>(&settings, shared)?;
    process::register(&ctx.metrics, S::NAME);
    let limits = Limits::of(&settings.http);
    let admin_state = AdminState {
        health: ctx.health.clone(),
        metrics: settings.telemetry.metrics.then(|| ctx.metrics.clone()),
        telemetry: shared.telemetry.clone(),
    };
    let admin = Admin::start(settings.admin.listen, limits, admin_state)?;
    let listener = bind(settings.http.listen)?;
    let tls = Tls::start(&settings.tls, &ctx)?;
    let http = listener
        .local_addr()
        .context("the public listener has no address")?;
    let heart = spawn_heart(&ctx.health);
    // If the start fails or is given up, the tasks that it spawned end.
    let unwind = [ctx.soft.clone().drop_guard(), ctx.hard.clone().drop_guard()];
    // A service builds everything in this future; on the heap it does not grow every caller.
    let routes = Box::pin(start::<S>(ctx.clone())).await?;
    let counts = Cache::connect(&settings.redis, &format!("fcs:{}:limit", S::NAME));
    let rates = RateLimits::new(&settings.limits, counts, Arc::clone(&ctx.clock));
    let guard = Guard::new(S::ACCESS, ctx.auth.clone(), rates);
    guard
        .check(&routes)
        .with_context(|| format!("{} cannot start", S::NAME))?;
    let app = edge::wrap(
        routes.merge(probes(ctx.health.clone())),
        &settings.http,
        Edge::of::<S>(&ctx),
        guard,
    );
    for guard in unwind {
        guard.disarm();
    }
    let admin_address = admin.address;
    let (stop, force) = (CancellationToken::new(), CancellationToken::new());
    let public = Public {
        app,
        limits,
        tls,
        metrics: ConnectionMetrics::register(&ctx.metrics),
    };
    let server = spawn_server(listener, public, &ctx);
    ctx.health.set_started();
    info!(service = S::NAME, %http, admin = %admin_address, "the service has started");
    let life = Life {
        name: S::NAME,
        shutdown: settings.shutdown.clone(),
        health: ctx.health.clone(),
        tasks: ctx.tasks.clone(),
        draining: ctx.draining.clone(),
        soft: ctx.soft.clone(),
        hard: ctx.hard.clone(),
        stop: stop.clone(),
        force: force.clone(),
    };
    let ended = supervise(life, server, admin, heart);
    let guards = [stop.clone().drop_guard(), force.clone().drop_guard()];
    Ok(Running {
        http,
        admin: admin_address,
        stop,
        force,
        ended,
        _guards: guards,
    })
}

pub(crate) fn context<S: Service>(
    settings: &Arc<Settings<S::Settings>>,
    shared: &Shared,
) -> anyhow::Result<ServiceContext<S::Settings>> {
    let metrics = MetricsHandle::default();
    Ok(ServiceContext {
        name: S::NAME,
        settings: Arc::clone(settings),
        clock: Arc::clone(&shared.clock),
        random: Arc::clone(&shared.random),
        auth: Auth::new(&settings.auth, Arc::clone(&shared.clock))?,
        admission: Admission::new(&settings.admission, &metrics),
        health: Health::default(),
        metrics,
        draining: CancellationToken::new(),
        soft: CancellationToken::new(),
        hard: CancellationToken::new(),
        tasks: Tasks::default(),
    })
}

fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = || {
        let socket = if listen.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        socket.set_reuseaddr(true)?;
        // Connections inherit it.
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        socket.bind(listen)?;
        socket.listen(BACKLOG)
    };
    bound().with_context(|| format!("cannot listen on {listen} (http.listen, FCS__HTTP__LISTEN)"))
}

/// Calls the service; its panic is an error like another.
async fn start<S: Service>(ctx: ServiceContext<S::Settings>) -> anyhow::Result<Router> {
    match AssertUnwindSafe(S::start(ctx)).catch_unwind().await {
        Ok(routes) => routes.with_context(|| format!("{} cannot start", S::NAME)),
        Err(panic) => bail!(
            "{} panicked at its start: {}",
            S::NAME,
            panics::message(&*panic)
        ),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the shell itself runs outside the service's tracker"
)]
fn spawn_server<T>(
    listener: TcpListener,
    public: Public,
    ctx: &ServiceContext<T>,
) -> JoinHandle<usize> {
    tokio::spawn(serve(
        listener,
        public,
        ctx.draining.clone(),
        ctx.hard.clone(),
    ))
}

/// The heart beats before the start, which may take long when it migrates.
#[expect(
    clippy::disallowed_methods,
    reason = "the shell itself runs outside the service's tracker"
)]
fn spawn_heart(health: &Health) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(health.clone().beat()))
}

struct Life {
    name: &'static str,
    shutdown: ShutdownSettings,
    health: Health,
    tasks: Tasks,
    draining: CancellationToken,
    soft: CancellationToken,
    hard: CancellationToken,
    stop: CancellationToken,
    force: CancellationToken,
}

/// Runs the end of the service in the background, so that it happens whether or not somebody waits.
#[expect(
    clippy::disallowed_methods,
    reason = "the shell itself runs outside the service's tracker"
)]
fn supervise(
    life: Life,
    server: JoinHandle<usize>,
    admin: Admin,
    heart: AbortOnDropHandle<()>,
) -> SharedFuture<BoxFuture<'static, Result<(), Arc<str>>>> {
    let task = tokio::spawn(async move {
        let outcome = life.end(server).await;
        admin.stop().await;
        drop(heart);
        outcome
    });
    let ended = async move {
        let outcome = task
            .await
            .unwrap_or_else(|error| Err(anyhow!("the shell failed: {error}")));
        outcome.map_err(|error| Arc::from(format!("{error:#}")))
    };
    ended.boxed().shared()
}

impl Life {
    /// Waits for a reason to end, then: unready, stop accepting, requests, tasks; at the deadline by force.
    async fn end(&self, mut server: JoinHandle<usize>) -> anyhow::Result<()> {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.tasks.failed() => {}
        }
        self.health.set_draining();
        info!(service = self.name, "the service drains");
        if self.tasks.failures().is_empty() {
            let delay = Duration::from_millis(self.shutdown.unready_delay_ms);
            tokio::select! {
                () = sleep(delay) => {}
                () = self.force.cancelled() => {}
                () = self.tasks.failed() => {}
            }
        }
        self.draining.cancel();
        let deadline = Instant::now() + Duration::from_millis(self.shutdown.drain_deadline_ms);
        let cut_off = tokio::select! {
            cut_off = &mut server => cut_off,
            () = self.time_is_up(deadline) => {
                self.hard.cancel();
                server.await
            }
        };
        self.soft.cancel();
        let tasks_left = self.end_tasks(deadline).await;
        let cut_off = cut_off.context("the accept loop failed")?;
        self.verdict(cut_off, tasks_left)
    }

    async fn time_is_up(&self, deadline: Instant) {
        tokio::select! {
            () = sleep_until(deadline) => {}
            () = self.force.cancelled() => {}
        }
    }

    /// Returns the number of tasks that did not end.
    async fn end_tasks(&self, deadline: Instant) -> usize {
        tokio::select! {
            biased;
            () = self.tasks.finished() => return 0,
            () = self.time_is_up(deadline) => self.hard.cancel(),
        }
        match timeout(HARD_GRACE, self.tasks.finished()).await {
            Ok(()) => 0,
            Err(_) => self.tasks.running(),
        }
    }

    fn verdict(&self, cut_off: usize, tasks_left: usize) -> anyhow::Result<()> {
        let failures = self.tasks.failures();
        if !failures.is_empty() {
            bail!("{}: {}", self.name, failures.join("; "));
        }
        if cut_off > 0 || tasks_left > 0 {
            warn!(
                service = self.name,
                requests = cut_off,
                tasks = tasks_left,
                "work was cut off"
            );
            bail!(
                "{}: the drain deadline cut off {cut_off} requests and {tasks_left} tasks",
                self.name
            );
        }
        info!(service = self.name, "the service has ended");
        Ok(())
    }
}
