//! `main` of every service: arguments, settings, runtime, telemetry, service, signals, drain, exit code.

mod arguments;
mod probe;

use std::future::Future;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use self::arguments::{Arguments, Command, ConfigCommand, Format};
use crate::metrics::process::{COMMIT, VERSION};
use crate::settings::{self, Settings};
use crate::{Service, Shared, launch, launch::context};

/// Exit code for bad settings (`EX_USAGE` of sysexits.h).
pub const EXIT_BAD_SETTINGS: u8 = 64;

/// What blocking work may still take when the runtime ends.
const RUNTIME_END_LIMIT: Duration = Duration::from_secs(1);

/// Runs a service and returns its exit code: 0 ended as asked, 1 failed, 2 wrong arguments, 64 bad settings.
pub fn run<S: Service>() -> ExitCode {
    let arguments = Arguments::of_process::<S>();
    let settings = match settings::load::<S>(&arguments.sources()) {
        Ok(settings) => settings,
        Err(problems) => {
            eprintln!("{}: {problems}", S::NAME);
            eprintln!(
                "nothing was started; correct the settings above, then run `{} config check`",
                S::NAME
            );
            return ExitCode::from(EXIT_BAD_SETTINGS);
        }
    };
    if let Some(path) = arguments.probe() {
        return exit_code::<S>(probe::ask(settings.admin.listen, path));
    }
    match arguments.command {
        Some(Command::Config(ConfigCommand::Check)) => {
            exit_code::<S>(print("the settings are good\n"))
        }
        Some(Command::Config(ConfigCommand::Show { output })) => {
            exit_code::<S>(print(&shown::<S>(&settings, output)))
        }
        Some(Command::Migrate) => exit_code::<S>(with_runtime(migrate::<S>(settings))),
        None => exit_code::<S>(with_runtime(serve::<S>(settings))),
    }
}

fn exit_code<S: Service>(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error:#}", S::NAME);
            ExitCode::FAILURE
        }
    }
}

fn shown<S: Service>(settings: &Settings<S::Settings>, output: Format) -> String {
    match output {
        Format::Toml => settings::shown_toml::<S>(settings),
        Format::Json => format!("{:#}\n", settings::shown_json::<S>(settings)),
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("cannot write to standard output")
}

/// Runs a future on a runtime with at least two workers: with one, the exporter of traces waits for itself.
fn with_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let cpus = std::thread::available_parallelism().map_or(2, usize::from);
    let runtime: Runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cpus.max(2))
        .thread_name("worker")
        .enable_all()
        .build()
        .context("cannot build the runtime")?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(RUNTIME_END_LIMIT);
    outcome
}

async fn migrate<S: Service>(mut settings: Settings<S::Settings>) -> anyhow::Result<()> {
    settings.database.migrate_on_start = true;
    let shared = Shared::init(S::NAME, &settings.log, &settings.telemetry)?;
    let ctx = context::<S>(&Arc::new(settings), &shared)?;
    let _ended = [ctx.soft.clone().drop_guard(), ctx.hard.clone().drop_guard()];
    let outcome = S::migrate(ctx).await.context("the migration failed");
    shared.telemetry.shutdown().await;
    info!(
        service = S::NAME,
        done = outcome.is_ok(),
        "the migration has ended"
    );
    outcome
}

/// Serves until a signal or a failure.
async fn serve<S: Service>(settings: Settings<S::Settings>) -> anyhow::Result<()> {
    let shared = Shared::init(S::NAME, &settings.log, &settings.telemetry)?;
    let mut signals = Signals::new()?;
    greet::<S>(&settings);
    let outcome = until_the_end::<S>(settings, &shared, &mut signals).await;
    if let Err(error) = &outcome {
        error!(
            service = S::NAME,
            error = format!("{error:#}"),
            "the service failed"
        );
    }
    shared.telemetry.shutdown().await;
    outcome
}

fn greet<S: Service>(settings: &Settings<S::Settings>) {
    info!(
        service = S::NAME,
        version = VERSION,
        commit = COMMIT,
        environment = settings.environment.as_str(),
        http = %settings.http.listen,
        admin = %settings.admin.listen,
        "starting"
    );
    if settings.telemetry.sentry_dsn.is_some() {
        warn!("SENTRY_DSN is set, but this build reports no errors to Sentry: it has no effect");
    }
}

async fn until_the_end<S: Service>(
    settings: Settings<S::Settings>,
    shared: &Shared,
    signals: &mut Signals,
) -> anyhow::Result<()> {
    let running = tokio::select! {
        running = launch::<S>(settings, shared) => running?,
        name = signals.next() => {
            info!(signal = name, "stopped before the start was over");
            return Ok(());
        }
    };
    tokio::select! {
        outcome = running.wait() => return outcome,
        name = signals.next() => info!(signal = name, "stopping"),
    }
    running.stop();
    tokio::select! {
        outcome = running.wait() => return outcome,
        name = signals.next() => warn!(signal = name, "a second signal: not waiting any longer"),
    }
    running.force();
    running.wait().await
}

/// The signals that end a process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
