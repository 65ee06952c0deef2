//! `fcs audit monitor`: follows a published log.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use deployment_audit::tile_folder::write_whole;
use fcs_core::Digest;
use fcs_tlog::policy::Unmet;
use fcs_tlog::{Frontier, Policy, TreeHead};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::cli::{Global, MonitorArguments};
use crate::commands::up::until_stopped;
use crate::entries::Lines;
use crate::exit::CliError;
use crate::output::line;
use crate::tiles::{TileSource, follow};
use crate::trust::{self, chain, failed};

/// What a monitor keeps: the checkpoint that it saw last, and what goes on from there.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    checkpoint: String,
    size: u64,
    /// Hashes of the frontier.
    hashes: Vec<Digest>,
    lines: Lines,
}

/// Runs the command until it is stopped, or once. What cannot be read is tried again; what contradicts the log's past
/// ends it.
pub(super) async fn run(global: &Global, arguments: &MonitorArguments) -> anyhow::Result<()> {
    let policy = trust::required(&arguments.trust)?;
    let source = TileSource::open(&arguments.log, global)?;
    let monitor = Monitor {
        policy,
        source,
        state: arguments.state.clone(),
    };
    let stop = until_stopped();
    tokio::pin!(stop);
    loop {
        match monitor.look().await {
            Ok(Look::Seen(size)) => line(&json!({"size": size, "verified": true}).to_string())?,
            // Witnesses may be late; the next look tells.
            Ok(Look::Unmet(error)) if !arguments.once => eprintln!("error: {error:#}"),
            Ok(Look::Unmet(error)) => return Err(error),
            Err(error) if arguments.once || is_final(&error) => return Err(error),
            Err(error) => eprintln!("error: {error:#}; looking again"),
        }
        if arguments.once {
            return Ok(());
        }
        tokio::select! {
            stopped = &mut stop => return stopped,
            () = tokio::time::sleep(Duration::from_secs(arguments.interval)) => {}
        }
    }
}

fn is_final(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(CliError::Verification(_)))
}

/// What came of a look.
enum Look {
    /// The log is what it should be, and has this size.
    Seen(u64),
    /// The newest checkpoint has too few cosignatures.
    Unmet(anyhow::Error),
}

struct Monitor {
    policy: Policy,
    source: TileSource,
    state: PathBuf,
}

impl Monitor {
    /// Looks at the log once.
    async fn look(&self) -> anyhow::Result<Look> {
        let path = self.state.join("seen.json");
        let mut seen = read(&path)?;
        let note = self.source.checkpoint().await?;
        let head = match self.policy.accept(&note) {
            Ok(accepted) => accepted.checkpoint.head,
            Err(unmet @ Unmet::Quorum(_)) => return Ok(Look::Unmet(failed(&chain(unmet)))),
            Err(error) => return Err(failed(&chain(error))),
        };
        let text = String::from_utf8(note).context("the checkpoint is not text")?;
        let mut frontier = Frontier::from_parts(seen.size, seen.hashes)
            .with_context(|| format!("{} is damaged", path.display()))?;
        if head.size < frontier.size() {
            return Err(self.shorter(&seen.checkpoint, &text, &head)?);
        }
        let lines = &mut seen.lines;
        let followed = follow(&self.source, &mut frontier, &head, |entry, _| {
            lines.take(entry)
        });
        if let Err(error) = followed.await {
            if is_final(&error) {
                self.keep(&seen.checkpoint, &text)?;
            }
            return Err(error);
        }
        let seen = Seen {
            checkpoint: text,
            size: frontier.size(),
            hashes: frontier.hashes().to_vec(),
            lines: seen.lines,
        };
        write_whole(&path, &serde_json::to_vec(&seen)?)?;
        Ok(Look::Seen(head.size))
    }

    /// A log that is shorter than before: an old copy is read, which heals, or the log was cut, which does not. Nobody
    /// can tell from here, so it is an alarm.
    fn shorter(&self, before: &str, now: &str, head: &TreeHead) -> anyhow::Result<anyhow::Error> {
        self.keep(before, now)?;
        Ok(failed(&format!(
            "the log has {} entries, fewer than were seen before",
            head.size
        )))
    }

    /// Keeps both checkpoints: together they are the evidence.
    fn keep(&self, before: &str, now: &str) -> anyhow::Result<()> {
        let folder = self.state.join("evidence");
        write_whole(&folder.join("before.checkpoint"), before.as_bytes())?;
        write_whole(&folder.join("now.checkpoint"), now.as_bytes())?;
        eprintln!("both checkpoints are kept in {}", folder.display());
        Ok(())
    }
}

fn read(path: &Path) -> anyhow::Result<Seen> {
    match std::fs::read(path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Seen::default()),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}
