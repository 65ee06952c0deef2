//! The whole system from nothing: images, start, real applications, end, and nothing left.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};

use super::{READY_LIMIT, Standin, all_healthy, secrets, standin};
use crate::command::{self, output, run};
use crate::containers::{Engine, ask, docker, wait_until};
use crate::image;
use crate::packages::python_environment;

const PROJECT: &str = "fcs-stack-test";
const TAG: &str = "stack-test";
const REQUIREMENTS: &str = "deploy/compose/requirements.txt";
/// From the start of a process until it has started.
const START_LIMIT_S: f64 = 1.0;
/// What is started; each waits for what it needs. There is no stand-in for Grafana, the collector and Jaeger.
const STARTED: [&str; 8] = [
    "postgres",
    "redis",
    "model-server",
    "scoring-gateway",
    "bias-monitor",
    "deployment-audit",
    "prometheus",
    "alertmanager",
];
/// Variables of the published ports; the test takes free ones, and sends its applications from inside.
const PORTS: [&str; 12] = [
    "POSTGRES_PORT",
    "REDIS_PORT",
    "GATEWAY_PORT",
    "GATEWAY_ADMIN_PORT",
    "MODEL_SERVER_PORT",
    "MODEL_SERVER_ADMIN_PORT",
    "BIAS_MONITOR_PORT",
    "BIAS_MONITOR_ADMIN_PORT",
    "DEPLOYMENT_AUDIT_PORT",
    "DEPLOYMENT_AUDIT_ADMIN_PORT",
    "PROMETHEUS_PORT",
    "ALERTMANAGER_PORT",
];

/// How to test.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Profile of cargo that the images are built with.
    #[arg(long, default_value = "image")]
    profile: String,
    /// Takes the images of the last test instead of building.
    #[arg(long)]
    no_build: bool,
}

pub(crate) fn run_test(options: &Options) -> anyhow::Result<()> {
    let start = Instant::now();
    let said = |what: &str| println!("[{:>4} s] {what}", start.elapsed().as_secs());
    let _engine = Engine::start()?;
    let tools = python_environment(REQUIREMENTS.as_ref())?;
    let composes = [
        PathBuf::from("docker-compose"),
        tools.join("docker-compose"),
    ];
    secrets::make()?;
    for compose in &composes {
        let profiles = ["tools", "monitoring", "tracing"];
        let profiles = profiles.iter().flat_map(|it| ["--profile", it]);
        run(command::new(compose)
            .args(profiles)
            .args(["config", "--quiet"]))?;
    }
    let dockerfiles = ["Dockerfile", "deploy/standin/Dockerfile"];
    run(command::new(tools.join("hadolint"))
        .arg("--failure-threshold=warning")
        .args(dockerfiles))?;
    said("Compose 1 and 2 read docker-compose.yml, hadolint has nothing to say");
    standin::prepare()?;
    said("the images of others are there");
    if !options.no_build {
        image::build(&image::Options {
            profile: options.profile.clone(),
            tag: TAG.to_owned(),
            check: true,
        })?;
    }
    said("our images are there");
    for compose in composes {
        let stack = Running { compose };
        run(&mut stack.command(&["version"]))?;
        nothing_is_left()?;
        let outcome = stack.try_out(&said);
        let ended = stack.end();
        outcome?;
        ended?;
        said("ended, and nothing is left");
    }
    said("passed");
    Ok(())
}

/// The system under one version of Compose.
struct Running {
    compose: PathBuf,
}

impl Running {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command::new(&self.compose);
        command.args(["--project-name", PROJECT, "--profile", "monitoring"]);
        command.args(arguments).env("IMAGE_TAG", TAG);
        for standin in &Standin::ALL {
            command.env(standin.variable, standin.image());
        }
        command.envs(PORTS.map(|port| (port, "0")));
        command
    }

    fn try_out(&self, said: &dyn Fn(&str)) -> anyhow::Result<()> {
        let up = Instant::now();
        run(self
            .command(&["up", "--detach", "--no-build"])
            .args(STARTED))?;
        let left = READY_LIMIT.saturating_sub(up.elapsed());
        let healthy = || all_healthy(&mut self.command(&["ps", "--quiet"]));
        if let Err(error) = wait_until("every container is healthy", left, healthy) {
            run(&mut self.command(&["ps"]))?;
            run(&mut self.command(&["logs", "--tail", "20"]))?;
            return Err(error);
        }
        said(&format!(
            "healthy {:.1} s after `up`",
            up.elapsed().as_secs_f64()
        ));
        for service in image::IMAGES.iter().filter(|it| **it != "fcs") {
            locked_down(service)?;
            let seconds = start_time(service)?;
            ensure!(
                seconds <= START_LIMIT_S,
                "{service} took {seconds:.3} s to start"
            );
            said(&format!(
                "{service} started in {seconds:.3} s, read-only, without capabilities"
            ));
        }
        let summary = output(
            &mut self.command(&["run", "--rm", "-T", "fcs", "demo", "--attach", "-o", "json"]),
        )?;
        let summary: serde_json::Value =
            serde_json::from_str(&summary).context("read the summary of the demo")?;
        let number = |name: &str| {
            summary[name]
                .as_f64()
                .with_context(|| format!("no {name} in {summary}"))
        };
        ensure!(
            summary["decisions"].as_u64() == Some(10_000),
            "the demo decided {}",
            summary["decisions"]
        );
        said(&format!(
            "{} decisions, {:.0} a second, verified",
            number("decisions")?,
            number("throughput_per_second")?
        ));
        self.prometheus_counts()
    }

    /// Prometheus has found every service.
    fn prometheus_counts(&self) -> anyhow::Result<()> {
        let query = [
            "exec",
            "-T",
            "prometheus",
            "promtool",
            "query",
            "instant",
            "http://127.0.0.1:9090",
        ];
        wait_until("Prometheus scrapes four services", READY_LIMIT, || {
            let mut ask = self.command(&query);
            let answer = output(ask.arg("sum(up{track=\"stable\"})"))?;
            Ok(answer.contains("=> 4 "))
        })?;
        Ok(())
    }

    fn end(&self) -> anyhow::Result<()> {
        let down = ["down", "--volumes", "--remove-orphans", "--timeout", "30"];
        run(&mut self.command(&down))?;
        nothing_is_left()
    }
}

fn nothing_is_left() -> anyhow::Result<()> {
    let label = format!("label=com.docker.compose.project={PROJECT}");
    for list in [&["ps", "--all"][..], &["network", "ls"], &["volume", "ls"]] {
        let left = ask(&[list, &["--quiet", "--filter", &label]].concat())?;
        ensure!(
            left.is_empty(),
            "`docker {}` still lists {left}",
            list.join(" ")
        );
    }
    Ok(())
}

fn container_of(service: &str) -> anyhow::Result<String> {
    let project = format!("label=com.docker.compose.project={PROJECT}");
    let service = format!("label=com.docker.compose.service={service}");
    ask(&["ps", "--quiet", "--filter", &project, "--filter", &service])
}

/// Nobody's process, on a file system that it cannot write, without a capability.
fn locked_down(service: &str) -> anyhow::Result<()> {
    let container = container_of(service)?;
    let format = "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.Config.User}} {{.HostConfig.SecurityOpt}}";
    let seen = ask(&["inspect", "--format", format, &container])?;
    let wanted = "true [ALL] 65532:65532 [no-new-privileges:true]";
    ensure!(seen == wanted, "{service} runs with {seen}, not {wanted}");
    Ok(())
}

/// Seconds from the start of the process until it says that it has started.
fn start_time(service: &str) -> anyhow::Result<f64> {
    let container = container_of(service)?;
    let began = ask(&["inspect", "--format", "{{.State.StartedAt}}", &container])?;
    let logs = docker(&["logs", "--timestamps", &container])
        .output()
        .context("read the log")?;
    let logs = String::from_utf8_lossy(&logs.stderr).into_owned();
    let line = logs
        .lines()
        .find(|line| line.contains("the service has started"));
    let line =
        line.with_context(|| format!("{service} does not say that it has started:\n{logs}"))?;
    let day = 86_400.0;
    Ok((second_of_day(line)? - second_of_day(&began)?).rem_euclid(day))
}

/// The second of the day in a text that begins with a time such as 2026-11-28T21:31:21.5Z.
fn second_of_day(text: &str) -> anyhow::Result<f64> {
    let clock = text
        .split_once('T')
        .and_then(|(_, rest)| rest.split_once('Z'))
        .with_context(|| format!("no time in {text:?}"))?
        .0;
    let mut seconds = 0.0;
    for part in clock.split(':') {
        let part: f64 = part
            .parse()
            .with_context(|| format!("no time in {text:?}"))?;
        seconds = seconds * 60.0 + part;
    }
    Ok(seconds)
}
