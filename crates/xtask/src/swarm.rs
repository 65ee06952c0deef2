//! The services on a swarm of one node: every one of them is updated while applications are decided.

mod certificates;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{self, run, workspace_root};
use crate::containers::{Engine, ask, docker, wait_until};
use crate::image::{self, IMAGES, PREFIX};
use crate::stack::{Standin, prepare_standins, random_secrets};

const STACK: &str = "fcs-swarm-test";
/// The tags before and after the updates.
const TAGS: [&str; 2] = ["swarm-before", "swarm-after"];
const LOAD: &str = "fcs-swarm-load";
const FIRST_START_LIMIT: Duration = Duration::from_mins(2);
const END_LIMIT: Duration = Duration::from_secs(90);

/// How to test.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Profile of cargo that the images are built with.
    #[arg(long, default_value = "image")]
    profile: String,
    /// Takes the images of the last test instead of building.
    #[arg(long)]
    no_build: bool,
    /// Decisions that there must be at least.
    #[arg(long, default_value_t = 20_000)]
    decisions: u64,
}

pub(crate) fn test(options: &Options) -> anyhow::Result<()> {
    let start = Instant::now();
    let said = |what: &str| println!("[{:>4} s] {what}", start.elapsed().as_secs());
    let _engine = Engine::start()?;
    prepare_standins()?;
    if !options.no_build {
        image::build(&image::Options {
            profile: options.profile.clone(),
            tag: TAGS[0].to_owned(),
            check: false,
        })?;
        for image in IMAGES {
            image::build_one(image, TAGS[1], &["--label=updated=true"])?;
        }
    }
    said("the images are there");
    let swarm = Swarm::begin()?;
    let outcome = swarm.try_out(options.decisions, &said);
    let ended = end();
    outcome?;
    ended?;
    said("passed, and nothing is left");
    Ok(())
}

/// A swarm of this machine alone.
struct Swarm {
    folder: TempDir,
}

impl Swarm {
    fn begin() -> anyhow::Result<Self> {
        let state = ask(&["info", "--format", "{{.Swarm.LocalNodeState}}"])?;
        ensure!(
            state == "inactive",
            "this engine is in a swarm ({state}); the test makes one of its own"
        );
        let folder = tempfile::Builder::new().prefix("fcs-swarm-").tempdir()?;
        certificates::make(folder.path(), &IMAGES)?;
        for (name, text) in random_secrets()? {
            std::fs::write(folder.path().join(name), text)?;
        }
        ask(&[
            "swarm",
            "init",
            "--advertise-addr=127.0.0.1",
            "--listen-addr=127.0.0.1:2377",
        ])?;
        Ok(Self { folder })
    }

    fn try_out(&self, decisions: u64, said: &dyn Fn(&str)) -> anyhow::Result<()> {
        self.deploy()?;
        let all_run = wait_until("every task runs", FIRST_START_LIMIT, || {
            let replicas = ask(&["service", "ls", "--format", "{{.Replicas}}"])?;
            Ok(replicas.lines().all(|line| {
                let counts = line.split_once('/');
                counts.is_some_and(|(running, wanted)| running == wanted)
            }))
        });
        if let Err(error) = all_run {
            run(&mut docker(&["stack", "ps", "--no-trunc", STACK]))?;
            return Err(error);
        }
        said("every task runs and is ready");
        self.put_model_into_traffic()?;
        self.start_load()?;
        said("applications are decided");
        let outcome = update_all(said).and_then(|()| bad_update_stops(said));
        let report = end_load()?;
        outcome?;
        said(&format!("under updates: {report:#}"));
        let count = report["decisions"]
            .as_u64()
            .context("a number of decisions")?;
        ensure!(
            count >= decisions,
            "only {count} decisions, not {decisions}"
        );
        let failed = report["failed"].as_object().context("failures")?;
        ensure!(failed.is_empty(), "requests failed: {failed:?}");
        run(&mut self.fcs(&["audit", "verify"]))
    }

    fn deploy(&self) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(self.folder.path())? {
            let path = entry?.path();
            if path.is_file() {
                let name = path
                    .file_name()
                    .and_then(|it| it.to_str())
                    .context("a name")?;
                let name = format!("fcs_{}_1", name.replace('-', "_"));
                run(docker(&["secret", "create", &name])
                    .arg(&path)
                    .stdout(std::process::Stdio::null()))?;
            }
        }
        let mut deploy = docker(&["stack", "deploy", "--resolve-image=never"]);
        for file in ["stack.yml", "one-node.yml"] {
            deploy.arg(format!("--compose-file=deploy/swarm/{file}"));
        }
        for standin in &Standin::ALL {
            deploy.env(standin.variable, standin.image());
        }
        run(deploy
            .arg(STACK)
            .env("ENVIRONMENT", "staging")
            .env("IMAGE_TAG", TAGS[0])
            .env("MODELS", workspace_root().join("models")))
    }

    /// The command line in a container of the stack's network, with an operator's certificate.
    fn fcs(&self, arguments: &[&str]) -> std::process::Command {
        self.fcs_with(&["--rm"], arguments)
    }

    fn fcs_with(&self, options: &[&str], arguments: &[&str]) -> std::process::Command {
        let mount = |from: &Path, to: &str| format!("--volume={}:{to}:ro", from.display());
        let mut command = docker(&["run"]);
        command
            .args(options)
            .args([
                "--read-only",
                "--cap-drop=ALL",
                "--security-opt=no-new-privileges",
            ])
            .arg(format!("--network={STACK}_system"))
            .arg(mount(&workspace_root().join("models"), "/app/models"))
            .arg(mount(&self.folder.path().join("operator"), "/app/operator"))
            .arg(format!("{PREFIX}fcs:{}", TAGS[0]))
            .args([
                "--ca=/app/operator/ca.pem",
                "--cert=/app/operator/operator.pem",
                "--cert-key=/app/operator/operator.pem",
            ])
            .args([
                "--gateway=https://scoring-gateway:8000",
                "--bias-monitor=https://bias-monitor:8020",
            ])
            .arg("--deployment-audit=https://deployment-audit:8030")
            .args(arguments);
        command
    }

    fn put_model_into_traffic(&self) -> anyhow::Result<()> {
        let commit = "0".repeat(40);
        let register = [
            "-o",
            "json",
            "deployment",
            "register",
            "taiwan-default/1",
            "--as=rita",
            "--author=ana",
        ];
        let mut register = self.fcs(&register);
        register.args([
            "--environment=staging",
            "--description=for the test of updates",
        ]);
        let deployment = command::output(register.arg(format!("--commit={commit}")))?;
        let deployment: Value = serde_json::from_str(&deployment).context("read a deployment")?;
        let id = deployment["deployment_id"]
            .as_str()
            .context("a deployment has an id")?;
        command::output(&mut self.fcs(&[
            "deployment",
            "approve",
            id,
            "--as=paul",
            "--comment=read",
        ]))?;
        command::output(&mut self.fcs(&["deployment", "activate", id, "--as=olga"]))?;
        Ok(())
    }

    fn start_load(&self) -> anyhow::Result<()> {
        let detached = ["--detach", "--name", LOAD];
        let load = [
            "-o",
            "json",
            "load",
            "--requests=100000000",
            "--concurrency=16",
        ];
        run(&mut self.fcs_with(&detached, &load))?;
        let gateway = format!("{STACK}_scoring-gateway");
        // The first decisions are there before the first update.
        wait_until("decisions are made", FIRST_START_LIMIT, || {
            ensure!(
                ask(&["inspect", "--format={{.State.Running}}", LOAD])? == "true",
                "the load has ended: {}",
                logs()?
            );
            let list = command::output(&mut self.fcs(&["-o", "json", "decision", "list"]))?;
            Ok(list.contains("decision_id"))
        })
        .map(drop)
        .with_context(|| format!("{gateway} decides nothing"))
    }
}

/// Updates one service after the other, each to its end.
fn update_all(said: &dyn Fn(&str)) -> anyhow::Result<()> {
    for service in IMAGES.iter().filter(|it| **it != "fcs") {
        let (name, start) = (format!("{STACK}_{service}"), Instant::now());
        let image = format!("{PREFIX}{service}:{}", TAGS[1]);
        run(&mut docker(&[
            "service",
            "update",
            "--quiet",
            "--no-resolve-image",
            "--image",
            &image,
            &name,
        ]))?;
        let state = ask(&[
            "service",
            "inspect",
            "--format={{.UpdateStatus.State}}",
            &name,
        ])?;
        if state != "completed" {
            bail!("the update of {service} is {state}");
        }
        said(&format!(
            "{service} updated in {} s",
            start.elapsed().as_secs()
        ));
    }
    Ok(())
}

/// An update to tasks that cannot start is paused at the first one, and the tasks that serve stay.
fn bad_update_stops(said: &dyn Fn(&str)) -> anyhow::Result<()> {
    let service = format!("{STACK}_scoring-gateway");
    let running = || -> anyhow::Result<String> {
        let running = ["--filter=desired-state=running", "--format={{.ID}}"];
        ask(&[&["service", "ps", &service][..], &running].concat())
    };
    let before = running()?;
    let nonsense = "--env-add=FCS__GATEWAY__BATCH_MAX=0";
    run(&mut docker(&[
        "service", "update", "--quiet", "--detach", nonsense, &service,
    ]))?;
    let took = wait_until("the bad update is paused", END_LIMIT, || {
        let state = ask(&[
            "service",
            "inspect",
            "--format={{.UpdateStatus.State}}",
            &service,
        ])?;
        Ok(state == "paused")
    })?;
    let kept = running()?;
    let lost = before.lines().filter(|task| !kept.contains(task)).count();
    ensure!(lost == 0, "a bad update ended {lost} good tasks");
    said(&format!(
        "a bad update was stopped after {} s, and no good task lost",
        took.as_secs()
    ));
    Ok(())
}

/// Stops the load and reads what came of it.
fn end_load() -> anyhow::Result<Value> {
    run(&mut docker(&["kill", "--signal=TERM", LOAD]))?;
    ask(&["wait", LOAD])?;
    let logs = logs()?;
    run(&mut docker(&["rm", LOAD]))?;
    let report = logs.find('{').map(|at| &logs[at..]).unwrap_or_default();
    serde_json::from_str(report).with_context(|| format!("read the report of the load: {logs}"))
}

/// Takes everything away again, and waits until it is gone.
fn end() -> anyhow::Result<()> {
    // It is still there when something failed before its end.
    let _ = command::output(&mut docker(&["rm", "--force", LOAD]));
    run(&mut docker(&["stack", "rm", STACK]))?;
    let label = format!("label=com.docker.stack.namespace={STACK}");
    for list in [&["ps", "--all"][..], &["network", "ls"]] {
        wait_until("everything has ended", END_LIMIT, || {
            Ok(ask(&[list, &["--quiet", "--filter", &label]].concat())?.is_empty())
        })?;
    }
    let volumes = ask(&["volume", "ls", "--quiet", "--filter", &label])?;
    for volume in volumes.lines() {
        run(&mut docker(&["volume", "rm", volume]))?;
    }
    // Secrets are of the swarm and end with it. The bridge docker_gwbridge is the engine's own: it makes it for its first
    // swarm and keeps it for the next one.
    run(&mut docker(&["swarm", "leave", "--force"]))
}

/// What the load has printed.
fn logs() -> anyhow::Result<String> {
    let output = docker(&["logs", LOAD]).output().context("read the log")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr))
}
