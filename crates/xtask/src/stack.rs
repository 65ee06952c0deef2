//! The whole system in containers on one machine, from docker-compose.yml.

mod secrets;
mod standin;
mod test;

use std::process::Command;
use std::time::Duration;

use clap::Subcommand;

use crate::command::{self, output, run};
use crate::containers::docker;

pub(crate) use secrets::random_secrets;
pub(crate) use standin::{Standin, prepare as prepare_standins};

/// From `up` until every service says that it is ready.
const READY_LIMIT: Duration = Duration::from_mins(1);

/// What to do with it.
#[derive(Subcommand)]
pub(crate) enum Stack {
    /// Makes the secrets that are missing in deploy/compose/secrets.
    Secrets,
    /// Builds the images, starts everything and waits until it is ready.
    Up(Profiles),
    /// Stops everything; the data stay unless `--volumes` is given.
    Down {
        /// Removes the data as well.
        #[arg(long)]
        volumes: bool,
    },
    /// Follows the logs of every service, or of those that are named.
    Logs {
        /// Services.
        services: Vec<String>,
    },
    /// Checks it from nothing on this machine, with stand-ins for the images of others: see docs/guides/running-with-docker.md.
    Test(test::Options),
}

/// What runs beside the services.
#[derive(clap::Args)]
pub(crate) struct Profiles {
    /// `monitoring` (Prometheus, Alertmanager, Grafana) or `tracing` (collector, Jaeger).
    #[arg(long = "profile")]
    profiles: Vec<String>,
    /// Takes the images that are there instead of building.
    #[arg(long)]
    no_build: bool,
}

pub(crate) fn run_stack(task: &Stack) -> anyhow::Result<()> {
    match task {
        Stack::Secrets => secrets::make(),
        Stack::Up(profiles) => up(profiles),
        Stack::Down { volumes } => {
            let mut down = compose();
            down.args(ALL_PROFILES).arg("down");
            if *volumes {
                down.arg("--volumes");
            }
            run(&mut down)
        }
        Stack::Logs { services } => run(compose()
            .args(ALL_PROFILES)
            .args(["logs", "--follow", "--tail", "100"])
            .args(services)),
        Stack::Test(options) => test::run_test(options),
    }
}

/// So that what any of them started is seen.
const ALL_PROFILES: [&str; 6] = [
    "--profile",
    "tools",
    "--profile",
    "monitoring",
    "--profile",
    "tracing",
];

fn up(options: &Profiles) -> anyhow::Result<()> {
    secrets::make()?;
    let profiles = || options.profiles.iter().flat_map(|it| ["--profile", it]);
    if !options.no_build {
        run(compose()
            .args(["--profile", "tools"])
            .args(profiles())
            .arg("build"))?;
    }
    run(compose()
        .args(profiles())
        .args(["up", "--detach", "--no-build"]))?;
    println!(
        "decisions on http://127.0.0.1:8000; try `cargo run -- demo --attach`, `just logs`, `just down`"
    );
    Ok(())
}

/// Whether all the containers that Compose lists are healthy, or have no health to ask for.
fn all_healthy(list: &mut Command) -> anyhow::Result<bool> {
    let containers = output(list)?;
    let format = "{{if .State.Health}}{{.State.Health.Status}}{{else}}healthy{{end}}";
    let mut inspect = docker(&["inspect", "--format", format]);
    let states = output(inspect.args(containers.split_whitespace()))?;
    Ok(states.lines().all(|state| state == "healthy"))
}

/// Compose as a plugin of the client, or else the program.
fn compose() -> Command {
    let mut plugin = docker(&["compose"]);
    if command::output(docker(&["compose", "version"]).env("COMPOSE_ANSI", "never")).is_err() {
        plugin = command::new("docker-compose");
    }
    plugin.envs([("COMPOSE_DOCKER_CLI_BUILD", "1"), ("DOCKER_BUILDKIT", "1")]);
    plugin
}
