//! A configuration that is made of files, and made again when they change.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tracing::{info, warn};

/// What the files of a configuration held when they were read.
pub(super) trait Source: PartialEq + Send + Sized + 'static {
    /// Where the files are.
    type Paths: Clone + Send + 'static;
    /// What they make.
    type Config: Send + Sync + 'static;

    fn read(paths: &Self::Paths) -> anyhow::Result<Self>;
    fn build(&self) -> anyhow::Result<Self::Config>;
}

/// The configuration in use. Cloning shares it.
pub(super) struct Current<C>(Arc<RwLock<Arc<C>>>);

impl<C> Clone for Current<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Send + Sync + 'static> Current<C> {
    pub(super) fn new(config: C) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(config))))
    }

    /// What new connections use.
    pub(super) fn get(&self) -> Arc<C> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the files for ever. Files that do not fit together, such as a new key beside an old certificate,
    /// change nothing.
    pub(super) async fn follow<S: Source<Config = C>>(
        self,
        paths: S::Paths,
        interval: Duration,
        mut known: S,
    ) {
        let mut interval = tokio::time::interval(interval);
        loop {
            interval.tick().await;
            let paths = paths.clone();
            let read = tokio::task::spawn_blocking(move || S::read(&paths)).await;
            let Ok(read) = read else { continue };
            let read = match read {
                Ok(read) if read == known => continue,
                other => other,
            };
            match read.and_then(|files| Ok((files.build()?, files))) {
                Ok((config, files)) => {
                    *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                    known = files;
                    info!("new connections use the new certificates");
                }
                Err(error) => warn!(
                    error = format!("{error:#}"),
                    "the certificates stay as they are"
                ),
            }
        }
    }
}
