//! Commits that the server confirms with a warning.
//!
//! A PostgreSQL commit that waits for a synchronous standby and is cancelled meanwhile returns success with only a
//! WARNING ("canceling wait for synchronous replication ..."): the decision could be lost at a failover. The driver
//! shows notices nowhere but in a `tracing` event, emitted on the thread that polls the commit. So the commit runs
//! under a subscriber of its own that keeps these events; the conformance suite proves with a warning raised at
//! commit that they still arrive.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::instrument::WithSubscriber;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

const NOTICE_TARGET: &str = "sqlx::postgres::notice";

/// Runs commits, one at a time, and tells which of them came with a warning.
pub(super) struct CommitWatch {
    one_at_a_time: tokio::sync::Mutex<()>,
    warnings: Arc<Mutex<Vec<String>>>,
    dispatch: Dispatch,
}

impl CommitWatch {
    pub(super) fn new() -> Self {
        let warnings = Arc::new(Mutex::new(Vec::new()));
        let dispatch = Dispatch::new(Notices(Arc::clone(&warnings)));
        Self {
            one_at_a_time: tokio::sync::Mutex::new(()),
            warnings,
            dispatch,
        }
    }

    /// Awaits a commit; a confirmation with a warning is an error.
    pub(super) async fn confirm<E: Error + Send + Sync + 'static>(
        &self,
        commit: impl Future<Output = Result<(), E>>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let _turn = self.one_at_a_time.lock().await;
        self.take();
        commit.with_subscriber(self.dispatch.clone()).await?;
        let warnings = self.take();
        if warnings.is_empty() {
            Ok(())
        } else {
            Err(warnings.join("; ").into())
        }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A subscriber that keeps the warnings of the server and ignores all else.
struct Notices(Arc<Mutex<Vec<String>>>);

impl Subscriber for Notices {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // The driver asks first whether a warning would be heard, which is neither a span nor an event.
        !metadata.is_span()
            && metadata.target() == NOTICE_TARGET
            && *metadata.level() <= Level::WARN
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(message.0);
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
