//! From the arguments to the exit code.

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::commands::{
    audit, bias, config, decision, deployment, doctor, erase, key, load, model, policy, rollout,
    traffic, up,
};
use crate::{conformance, demo, exit};

/// Two workers at least: a service must answer while another thread flushes.
const WORKERS_MIN: usize = 2;

/// Parses, runs, reports.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let workers = std::thread::available_parallelism().map_or(WORKERS_MIN, std::num::NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers.max(WORKERS_MIN))
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            exit::code(&error)
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let global = &cli.global;
    match &cli.command {
        Command::Up(arguments) => up::run(global, arguments).await,
        Command::Demo(arguments) => Box::pin(demo::run(global, arguments)).await,
        Command::Load(arguments) => load::run(global, arguments).await,
        Command::Decision(command) => decision::run(global, command).await,
        Command::Erase(arguments) => erase::run(global, arguments).await,
        Command::Bias(command) => bias::run(global, command).await,
        Command::Deployment(command) => deployment::run(global, command).await,
        Command::Rollout(command) => rollout::run(global, command).await,
        Command::Traffic(command) => traffic::run(global, command).await,
        Command::Audit(command) => audit::run(global, command).await,
        Command::Key(arguments) => key::run(global, arguments).await,
        Command::Model(command) => model::run(global, command).await,
        Command::Policy(command) => policy::run(global, command).await,
        Command::Config(command) => config::run(global, command),
        Command::Conformance(arguments) => conformance::run(global, arguments).await,
        Command::Doctor => doctor::run(global).await,
    }
}
