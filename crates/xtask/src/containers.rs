//! The container engine: its client, and the engine itself where none runs.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::{command, packages};

/// Debian's client, which builds with BuildKit without a plugin.
const DEBIAN_CLIENT: &str = "/usr/bin/docker";
const START_LIMIT: Duration = Duration::from_mins(1);

/// The container client in the workspace root, with BuildKit.
pub(crate) fn docker(arguments: &[&str]) -> Command {
    let program = if Path::new(DEBIAN_CLIENT).exists() {
        DEBIAN_CLIENT
    } else {
        "docker"
    };
    let mut command = command::new(program);
    command.env("DOCKER_BUILDKIT", "1").args(arguments);
    command
}

/// What the client prints, without white space around it.
pub(crate) fn ask(arguments: &[&str]) -> anyhow::Result<String> {
    Ok(command::output(&mut docker(arguments))?.trim().to_owned())
}

/// Whether the engine has an image of this name.
pub(crate) fn has_image(name: &str) -> bool {
    command::output(&mut docker(&["image", "inspect", name])).is_ok()
}

/// Asks again and again until the answer is yes.
///
/// # Errors
/// When it is not within the limit, or asking fails.
pub(crate) fn wait_until(
    what: &str,
    limit: Duration,
    mut is_so: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<Duration> {
    let start = Instant::now();
    while !is_so()? {
        if start.elapsed() > limit {
            bail!("{what}: not within {} s", limit.as_secs());
        }
        thread::sleep(Duration::from_millis(200));
    }
    Ok(start.elapsed())
}

/// A running engine. One that was started here ends with the value; one that ran already goes on.
pub(crate) struct Engine(Option<Child>);

impl Engine {
    /// Uses the engine that runs, or starts one, installing it where it is missing.
    pub(crate) fn start() -> anyhow::Result<Self> {
        packages::container_engine()?;
        if is_running() {
            return Ok(Self(None));
        }
        let folder = command::workspace_root().join("target/docker");
        fs::create_dir_all(&folder)?;
        let log = File::create(folder.join("dockerd.log"))?;
        let child = Command::new("dockerd")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("start dockerd")?;
        let mut engine = Self(Some(child));
        let ended = |engine: &mut Self| match &mut engine.0 {
            Some(child) => child.try_wait(),
            None => Ok(None),
        };
        wait_until("dockerd answers", START_LIMIT, || {
            if let Some(status) = ended(&mut engine)? {
                bail!("dockerd ended with {status}; see target/docker/dockerd.log");
            }
            Ok(is_running())
        })?;
        Ok(engine)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
    }
}

fn is_running() -> bool {
    command::output(&mut docker(&["info"])).is_ok()
}
