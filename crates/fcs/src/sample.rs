//! Random samples of decisions.

use std::collections::BTreeSet;

use fcs_proto::scoring::v1::{Decision, ListDecisionsRequest};
use fcs_service::Random;

use crate::client::Clients;
use crate::exit::CliError;

/// Ids of up to `size` different decisions, each as likely as the others.
pub(crate) async fn sample(
    clients: &mut Clients,
    size: usize,
    random: &dyn Random,
) -> anyhow::Result<Vec<String>> {
    let decisions = sample_decisions(clients, size, random).await?;
    Ok(decisions
        .into_iter()
        .map(|decision| decision.decision_id)
        .collect())
}

/// Up to `size` different decisions, by random index. Where other tenants share the log, a decision is found by each
/// index since the one before it.
pub(crate) async fn sample_decisions(
    clients: &mut Clients,
    size: usize,
    random: &dyn Random,
) -> anyhow::Result<Vec<Decision>> {
    let highest = page(clients, 0).await?.1;
    let mut decisions = Vec::new();
    for index in indices(size, highest, random) {
        decisions.extend(page(clients, index - 1).await?.0);
    }
    decisions.sort_by_key(|decision| decision.log_index);
    decisions.dedup_by_key(|decision| decision.log_index);
    Ok(decisions)
}

async fn page(clients: &mut Clients, after: u64) -> anyhow::Result<(Vec<Decision>, u64)> {
    let request = ListDecisionsRequest {
        after_index: after,
        page_size: 1,
        ..ListDecisionsRequest::default()
    };
    let response = clients
        .scoring
        .list_decisions(request)
        .await
        .map_err(CliError::from)?
        .into_inner();
    Ok((response.decisions, response.highest_index))
}

fn indices(size: usize, highest: u64, random: &dyn Random) -> BTreeSet<u64> {
    if highest <= size as u64 {
        return (1..=highest).collect();
    }
    let mut chosen = BTreeSet::new();
    while chosen.len() < size {
        let mut bytes = [0; 8];
        random.fill(&mut bytes);
        // The bias of the remainder is below 2^-40 for any log that fits a disk.
        chosen.insert(u64::from_le_bytes(bytes) % highest + 1);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use fcs_service::OsRandom;

    use super::*;

    #[test]
    fn indices_are_different_and_in_range() {
        let chosen = indices(50, 60, &OsRandom);
        assert_eq!(chosen.len(), 50);
        assert!(chosen.iter().all(|index| (1..=60).contains(index)));
    }

    #[test]
    fn a_small_log_is_taken_whole() {
        assert_eq!(indices(50, 3, &OsRandom), BTreeSet::from([1, 2, 3]));
    }
}
