//! Following a rollout until it is over.

use std::time::{Duration, Instant};

use fcs_proto::deployment::v1::Rollout;

use super::{get, text};
use crate::cli::Format;
use crate::client::Clients;
use crate::exit::CliError;
use crate::output::line;

/// The pause between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Where a rollout does not go on from.
const ENDS: [&str; 6] = [
    "succeeded",
    "rolled_back",
    "rejected",
    "expired",
    "cancelled",
    "superseded",
];

/// Prints each event as it comes, one per line. Where the rollout stands goes to standard error when it changes.
pub(super) async fn run(
    clients: &mut Clients,
    format: Format,
    id: &str,
    timeout: Option<Duration>,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let (mut shown, mut place) = (0, String::new());
    loop {
        let rollout = get(clients, id).await?;
        for event in rollout.events.iter().filter(|event| event.sequence > shown) {
            line(&match format {
                Format::Json => text::event(event).to_string(),
                Format::Table => format!(
                    "{} {} {}",
                    event.occurred_at,
                    event.actor,
                    text::what(event)
                ),
            })?;
        }
        shown = rollout.events.last().map_or(shown, |last| last.sequence);
        let stands = text::place(&rollout);
        if stands != place {
            eprintln!("{stands}");
            place = stands;
        }
        if ENDS.contains(&rollout.phase.as_str()) {
            return end(&rollout);
        }
        if timeout.is_some_and(|timeout| started.elapsed() >= timeout) {
            let text = format!("{id} is not over: {}", rollout.phase);
            return Err(CliError::Timeout(text).into());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

fn end(rollout: &Rollout) -> anyhow::Result<()> {
    if rollout.phase == "succeeded" {
        return Ok(());
    }
    let text = format!("{} is {}", rollout.rollout_id, rollout.phase);
    Err(CliError::Verification(text).into())
}
