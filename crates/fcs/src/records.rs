//! Past decisions: of a running gateway, or of a file with one record per line.

use std::fs::File;
use std::io::{BufRead, BufReader};

use anyhow::Context;
use fcs_decision::record::DecisionRecord;
use fcs_proto::scoring::v1::ListDecisionsRequest;

use crate::cli::{Global, PastArguments};
use crate::client::Clients;
use crate::exit::CliError;
use crate::progress;

/// Decisions of one page.
const PAGE_SIZE: u32 = 1_000;

/// Calls a function with the canonical bytes of each record after an index, in the order of the log, up to the one
/// that is the last at the start. Returns how many there were.
pub(crate) async fn each(
    clients: &mut Clients,
    after: u64,
    mut take: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let mut after = after;
    let mut last = None;
    let mut count = 0;
    let bar = progress::bar("decisions", 0);
    loop {
        let request = ListDecisionsRequest {
            after_index: after,
            page_size: PAGE_SIZE,
            ..ListDecisionsRequest::default()
        };
        let page = clients
            .scoring
            .list_decisions(request)
            .await
            .map_err(CliError::from)?;
        let page = page.into_inner();
        let last = *last.get_or_insert(page.highest_index);
        bar.set_length(last.saturating_sub(after) + count);
        let up_to_last = page
            .decisions
            .iter()
            .take_while(|decision| decision.log_index <= last);
        for decision in up_to_last {
            take(&decision.record)?;
            after = decision.log_index;
            count += 1;
        }
        bar.set_position(count);
        if page.decisions.is_empty() || after >= last {
            bar.finish_and_clear();
            return Ok(count);
        }
    }
}

/// Calls a function with each record that the arguments name.
pub(crate) async fn past(
    global: &Global,
    arguments: &PastArguments,
    mut take: impl FnMut(DecisionRecord),
) -> anyhow::Result<()> {
    let Some(path) = &arguments.records else {
        let mut clients = Clients::of(global)?;
        let read = |bytes: &[u8]| {
            take(DecisionRecord::from_bytes(bytes)?);
            Ok(())
        };
        return each(&mut clients, arguments.after, read).await.map(drop);
    };
    let file = File::open(path)
        .map_err(|error| CliError::NotFound(format!("open {}: {error}", path.display())))?;
    let bar = progress::bar("bytes", file.metadata()?.len());
    for (number, line) in BufReader::new(file).split(b'\n').enumerate() {
        let line = line.with_context(|| format!("read {}", path.display()))?;
        bar.inc(line.len() as u64 + 1);
        if !line.is_empty() {
            let record = DecisionRecord::from_bytes(&line).map_err(|error| {
                CliError::Verification(format!("{}, line {}: {error}", path.display(), number + 1))
            })?;
            take(record);
        }
    }
    bar.finish_and_clear();
    Ok(())
}
