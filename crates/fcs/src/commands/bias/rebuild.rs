//! `fcs bias rebuild`.

use std::fmt::Write as _;

use fcs_proto::monitoring::v1::RebuildCountersRequest;
use serde::Serialize;

use crate::cli::Global;
use crate::client::Clients;
use crate::exit::CliError;
use crate::output::print;

#[derive(Serialize)]
struct Rebuilt {
    decisions: u64,
    counters: u64,
    different: u64,
    differences: Vec<String>,
    applied: bool,
}

/// Counts again, and replaces what differs if asked to.
pub(super) async fn run(global: &Global, apply: bool) -> anyhow::Result<()> {
    eprintln!(
        "Counting every decision again; meanwhile the monitor refuses facts and tells senders to come back."
    );
    let mut clients = Clients::of(global)?;
    let answer = clients
        .monitoring
        .rebuild_counters(RebuildCountersRequest { apply });
    let answer = answer.await.map_err(CliError::from)?.into_inner();
    let rebuilt = Rebuilt {
        decisions: answer.decisions,
        counters: answer.counters,
        different: answer.different,
        differences: answer.differences,
        applied: answer.applied,
    };
    print(global.output, &rebuilt, text)?;
    if rebuilt.different > 0 && !rebuilt.applied {
        let text = "counters differ from what the decisions make; --apply replaces them".to_owned();
        return Err(CliError::Verification(text).into());
    }
    Ok(())
}

fn text(rebuilt: &Rebuilt) -> String {
    let (decisions, counters) = (rebuilt.decisions, rebuilt.counters);
    if rebuilt.different == 0 {
        return format!("{decisions} decisions make the {counters} counters that are stored");
    }
    let become_of = if rebuilt.applied {
        "were replaced"
    } else {
        "differ"
    };
    let mut text = format!(
        "{decisions} decisions make {counters} counters, of which {} {become_of}:\n",
        rebuilt.different
    );
    for difference in &rebuilt.differences {
        let _ = writeln!(text, "  {difference}");
    }
    let more = rebuilt.different - rebuilt.differences.len() as u64;
    if more > 0 {
        let _ = writeln!(text, "  and {more} more");
    }
    text
}
