//! Libraries in Python, each in a process of its own that waits for its turn.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context;
use serde::Deserialize;

/// One library.
pub(crate) struct Peer {
    name: &'static str,
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

/// What a library made of the rows, and how long it took by its own clock.
#[derive(Deserialize)]
pub(crate) struct Answer {
    pub(crate) seconds: f64,
    /// By "attribute group metric".
    pub(crate) values: BTreeMap<String, f64>,
}

impl Peer {
    /// Starts a contender of `peer.py`.
    pub(crate) fn start(
        name: &'static str,
        contender: &str,
        python: &Path,
        scripts: &Path,
    ) -> anyhow::Result<Self> {
        let mut child = Command::new(python)
            .arg(scripts.join("peer.py"))
            .arg(contender)
            // One thread, as ours.
            .env("OMP_NUM_THREADS", "1")
            .env("OPENBLAS_NUM_THREADS", "1")
            .env("NML_DISABLE_USAGE_LOGGING", "1")
            .env("DO_NOT_TRACK", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", python.display()))?;
        let to = child.stdin.take().context("the input is piped")?;
        let from = child.stdout.take().context("the output is piped")?;
        Ok(Self {
            name,
            child,
            to,
            from: BufReader::new(from),
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Has it read the rows.
    pub(crate) fn load(&mut self, folder: &Path) -> anyhow::Result<()> {
        self.ask(&folder.display().to_string())?;
        Ok(())
    }

    /// Has it measure once.
    pub(crate) fn run(&mut self) -> anyhow::Result<Answer> {
        let line = self.ask("run")?;
        serde_json::from_str(&line).with_context(|| format!("{} answered {line:?}", self.name))
    }

    fn ask(&mut self, line: &str) -> anyhow::Result<String> {
        writeln!(self.to, "{line}").with_context(|| format!("ask {}", self.name))?;
        let mut answer = String::new();
        self.from
            .read_line(&mut answer)
            .with_context(|| format!("hear {}", self.name))?;
        Ok(answer)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
