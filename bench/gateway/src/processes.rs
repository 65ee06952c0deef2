//! The programs that are measured, and what they cost.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

const START_LIMIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);
/// Clock ticks of a second in /proc (sysconf `_SC_CLK_TCK`, 100 on every Linux of today).
const TICKS: f64 = 100.0;

/// A running program with the processes that it starts; killed when dropped.
pub(crate) struct Program {
    child: Child,
}

impl Program {
    /// Starts it, with its output in a file, and waits until it listens.
    pub(crate) fn start(
        mut command: Command,
        log: &Path,
        listens: SocketAddr,
    ) -> anyhow::Result<Self> {
        let file = File::create(log)?;
        let shown = format!("{command:?}");
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("start {shown}"))?;
        let mut program = Self { child };
        let start = Instant::now();
        while TcpStream::connect(listens).is_err() {
            if let Some(status) = program.child.try_wait()? {
                bail!("{shown} ended with {status}:\n{}", fs::read_to_string(log)?);
            }
            ensure!(start.elapsed() < START_LIMIT, "{shown} does not listen");
            std::thread::sleep(PAUSE);
        }
        Ok(program)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let tree: Vec<String> = tree(&[self.child.id()])
            .iter()
            .map(ToString::to_string)
            .collect();
        let _ = Command::new("kill").arg("-KILL").args(tree).status();
        let _ = self.child.wait();
    }
}

/// CPU seconds and resident bytes of programs with all the processes that they started.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    pub(crate) cpu_s: f64,
    pub(crate) memory_bytes: u64,
}

/// What programs cost up to now. Memory that processes share is divided among them.
pub(crate) fn cost(roots: &[u32]) -> Cost {
    let mut cost = Cost::default();
    for id in tree(roots) {
        if let Some(ticks) = ticks(id) {
            cost.cpu_s += ticks as f64 / TICKS;
            cost.memory_bytes += memory(id);
        }
    }
    cost
}

/// User and system time, and that of children that have ended.
fn ticks(id: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name in parentheses may hold anything; the fields after it begin with the state, the third of all.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    (11..15).map(|at| fields.get(at)?.parse::<u64>().ok()).sum()
}

fn memory(id: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap_or_default();
    let kilobytes = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Pss:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

fn tree(roots: &[u32]) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for id in processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        children.entry(parent.unwrap_or(0)).or_default().push(id);
    }
    let mut found = roots.to_vec();
    let mut next = 0;
    while next < found.len() {
        found.extend(children.get(&found[next]).into_iter().flatten());
        next += 1;
    }
    found
}
