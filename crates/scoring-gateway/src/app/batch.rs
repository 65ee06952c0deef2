//! Several requests for decisions in one call. Each is decided by itself: one that is refused leaves its neighbours
//! alone.

use std::collections::HashSet;
use std::time::Duration;

use fcs_core::{ApiError, IdempotencyKey};
use fcs_service::auth::Principal;
use fcs_service::grpc::Deadline;
use futures::StreamExt as _;
use futures::stream;

use super::App;
use super::command::ScoreCommand;
use super::queue::Scored;

/// Requests of one batch at most, so that its answer stays below the 4 MiB that gRPC clients accept.
pub const BATCH_ITEMS_MAX: usize = 256;
/// Bytes of a batch at most.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// How long a batch, or one request of a stream, may take.
pub const BATCH_TIMEOUT: Duration = Duration::from_secs(8);
/// Requests of one batch or stream that are decided at a time.
pub const DECIDED_AT_A_TIME: usize = 32;

/// What became of each request of a batch, in their order.
pub type BatchAnswers = Vec<Result<Scored, ApiError>>;

impl App {
    /// Decides on each request; the model server has `model_timeout` for each. A request that is not decided at the
    /// deadline is refused by itself, and so is a key that occurred before in the batch.
    pub async fn score_batch(
        &self,
        caller: &Principal,
        mut items: Vec<Result<ScoreCommand, ApiError>>,
        model_timeout: Duration,
        deadline: Deadline,
    ) -> Result<BatchAnswers, ApiError> {
        check_length(items.len())?;
        refuse_repeated(&mut items);
        let decided = items
            .into_iter()
            .map(|item| self.score_item(caller, item, model_timeout, deadline));
        Ok(stream::iter(decided)
            .buffered(DECIDED_AT_A_TIME)
            .collect()
            .await)
    }

    /// Decides on one request of several, or repeats why it was refused before.
    pub async fn score_item(
        &self,
        caller: &Principal,
        item: Result<ScoreCommand, ApiError>,
        model_timeout: Duration,
        deadline: Deadline,
    ) -> Result<Scored, ApiError> {
        let command = item.inspect_err(|error| self.metrics.score_error(error.code))?;
        let decided = async {
            let place = self.admission.enter_in_turn().await;
            let model_deadline = deadline.min(Deadline::after(model_timeout));
            self.score_admitted(caller, command, model_deadline, place)
                .await
        };
        deadline.run(decided).await?
    }
}

/// Refuses a batch of another number of requests than a batch may have.
pub fn check_length(items: usize) -> Result<(), ApiError> {
    if (1..=BATCH_ITEMS_MAX).contains(&items) {
        return Ok(());
    }
    let message = format!("the batch holds {items} items; send 1 to {BATCH_ITEMS_MAX}");
    Err(ApiError::invalid("BATCH_SIZE_INVALID", message, vec![]))
}

/// Decided at the same time, two requests with one key would meet by chance; so only the first one counts.
fn refuse_repeated(items: &mut [Result<ScoreCommand, ApiError>]) {
    let mut keys: HashSet<IdempotencyKey> = HashSet::new();
    for item in items {
        if let Ok(command) = item
            && !keys.insert(command.key.clone())
        {
            let message = "an item before has this idempotency key; give each item its own";
            *item = Err(ApiError::invalid(
                "IDEMPOTENCY_KEY_REPEATED",
                message,
                vec![],
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use fcs_decision::application::Application;

    use super::*;

    #[test]
    fn only_the_first_item_with_a_key_counts() {
        let command = |key| ScoreCommand::new(key, "A-1", BTreeMap::new(), Application::default());
        let mut items = vec![command("a"), command("b"), command("a")];
        refuse_repeated(&mut items);
        let refused: Vec<bool> = items.iter().map(Result::is_err).collect();
        assert_eq!(refused, [false, false, true]);
    }

    #[test]
    fn a_batch_has_one_to_256_items() {
        assert!(check_length(1).is_ok() && check_length(BATCH_ITEMS_MAX).is_ok());
        for length in [0, BATCH_ITEMS_MAX + 1] {
            assert_eq!(
                check_length(length).unwrap_err().reason,
                "BATCH_SIZE_INVALID"
            );
        }
    }
}
