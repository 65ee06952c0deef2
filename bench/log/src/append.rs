//! Loads, each durable before the next one begins, as the service's own loops write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use deployment_audit::app::history::rows;
use deployment_audit::app::intake::Intake;
use deployment_audit::app::log::{LogParts, TransparencyLog};
use deployment_audit::app::ports::FeedDecision;
use deployment_audit::app::publication::Publication;
use deployment_audit::app::witnessing::Witnesses;
use deployment_audit::metrics::Metrics;
use deployment_audit::store::{self, NewEvent, Store};
use deployment_audit::tile_folder::TileFolder;
use fcs_core::{DeploymentId, Digest, Secret, UnixMicros};
use fcs_rollout::{Change, Environment, Event, RecordedEvent, plan_digest};
use fcs_service::settings::DatabaseSettings;
use fcs_service::{SystemClock, database};
use fcs_tlog::note::{SigningKey, VerifierKey};
use fcs_tlog::{BatchLeaf, Checkpoint, Policy, leaf_hash, verify_consistency, verify_inclusion};
use prometheus_client::registry::Registry;
use sqlx::PgPool;
use tempfile::TempDir;

/// Decisions of an entry, as many as the service takes by default.
const BATCH: u64 = 256;
/// Entries of a transaction.
const GROUP: usize = 64;
/// How often the service signs.
const SIGN_EVERY: Duration = Duration::from_millis(200);

/// What came of a load.
pub(crate) struct Loaded {
    pub(crate) per_second: f64,
    pub(crate) proofs: u64,
    pub(crate) folder: Option<TempDir>,
}

fn digest(index: u64) -> Digest {
    leaf_hash(&index.to_be_bytes())
}

/// Rows of the bytes of an entry into a table of two columns, so many in a commit; rows a second.
pub(crate) async fn bare(url: &str, rows: u64, per_commit: u64) -> anyhow::Result<f64> {
    let pool = PgPool::connect(url).await?;
    sqlx::raw_sql("DROP TABLE IF EXISTS bare; CREATE TABLE bare (i BIGINT PRIMARY KEY, data BYTEA NOT NULL)")
        .execute(&pool)
        .await?;
    let data = BatchLeaf::new(1, &[digest(1)])?.to_bytes();
    let start = Instant::now();
    let mut next = 0;
    while next < rows {
        let mut transaction = pool.begin().await?;
        for index in next..rows.min(next + per_commit) {
            sqlx::query("INSERT INTO bare (i, data) VALUES ($1, $2)")
                .bind(i64::try_from(index)?)
                .bind(&data)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        next += per_commit;
    }
    let seconds = start.elapsed().as_secs_f64();
    pool.close().await;
    Ok(rows as f64 / seconds)
}

/// Decisions as the reader of the feed takes them.
pub(crate) async fn decisions(url: &str, decisions: u64) -> anyhow::Result<Loaded> {
    let log = Log::open(url).await?;
    let store = Arc::clone(&log.store);
    let start = Instant::now();
    let load = async move {
        let mut intake = Intake::resume(store).await?;
        for log_index in 1..=decisions {
            let record_digest = digest(log_index);
            intake
                .accept(FeedDecision {
                    log_index,
                    record_digest,
                })
                .await?;
            if log_index % BATCH == 0 || log_index == decisions {
                intake.flush().await?;
            }
        }
        anyhow::Ok(start.elapsed().as_secs_f64())
    };
    log.loaded(load, decisions).await
}

/// Events of as many deployments, `GROUP` of them in a transaction, each with its summary and its entry.
pub(crate) async fn entries(url: &str, entries: u64) -> anyhow::Result<Loaded> {
    let log = Log::open(url).await?;
    let groups = (0..entries)
        .map(event)
        .collect::<anyhow::Result<Vec<NewEvent>>>()?;
    let store = Arc::clone(&log.store);
    let start = Instant::now();
    let load = async move {
        for group in groups.chunks(GROUP) {
            store.append_events(group).await?;
        }
        anyhow::Ok(start.elapsed().as_secs_f64())
    };
    log.loaded(load, entries).await
}

/// The first event of a deployment.
fn event(index: u64) -> anyhow::Result<NewEvent> {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&index.to_be_bytes());
    let at = UnixMicros(1_795_385_965_000_000 + i64::try_from(index)?);
    let id = DeploymentId::new(at, &random);
    let change = Change {
        model: "taiwan-default/1".parse()?,
        manifest_digest: digest(index),
        git_commit: "0123abc".parse()?,
        author: "ada".parse()?,
        description: "a better model".parse()?,
    };
    let plan_digest = plan_digest(&change, Environment::Development);
    let recorded = RecordedEvent {
        sequence: 1,
        at,
        actor: "rita".parse()?,
        event: Event::Registered {
            environment: Environment::Development,
            change,
            plan_digest,
        },
    };
    let (mut rows, _) = rows(&id, None, &[recorded])?;
    rows.pop().context("an event has a row")
}

/// The log as the service runs it, published into a folder.
struct Log {
    store: Arc<dyn Store>,
    log: TransparencyLog,
    folder: TempDir,
}

impl Log {
    async fn open(url: &str) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let settings = DatabaseSettings {
            url: Secret::new(url.to_owned()),
            ..DatabaseSettings::default()
        };
        let database = database::open(&settings, folder.path(), "deployment_audit").await?;
        store::migrate(&database).await?;
        let store = store::open(database);
        let log = TransparencyLog::open(LogParts {
            store: Arc::clone(&store),
            key: SigningKey::from_seed("faircredit.example/bench".parse()?, &[7; 32]),
            clock: Arc::new(SystemClock),
            metrics: Metrics::register(&mut Registry::default()),
            publication: Publication::new(Some(TileFolder::new(folder.path().join("tiles")))),
            witnesses: Witnesses::new(Policy::parse(b"quorum none\n")?, Vec::new()),
        })
        .await?;
        Ok(Self { store, log, folder })
    }

    /// Runs a load beside the signer and a reader who checks proofs; then signs what came last.
    async fn loaded(
        self,
        load: impl Future<Output = anyhow::Result<f64>>,
        events: u64,
    ) -> anyhow::Result<Loaded> {
        self.log.publish().await?;
        let stop = AtomicBool::new(false);
        let load = async {
            let seconds = load.await;
            stop.store(true, Ordering::Relaxed);
            seconds
        };
        let sign = async {
            while !stop.load(Ordering::Relaxed) {
                self.log.publish().await?;
                tokio::time::sleep(SIGN_EVERY).await;
            }
            anyhow::Ok(())
        };
        let (seconds, signed, proofs) = tokio::join!(load, sign, self.check(&stop));
        signed?;
        let (seconds, proofs) = (seconds?, proofs?);
        self.log.publish().await?;
        let last = self.log.current().await?;
        let written = last.last_decision_index.max(last.head.size);
        ensure!(written == events, "of {events} events {written} are there");
        Ok(Loaded {
            per_second: events as f64 / seconds,
            proofs,
            folder: Some(self.folder),
        })
    }

    /// Checks the proof of a leaf and of the growth since the last checkpoint, again and again.
    async fn check(&self, stop: &AtomicBool) -> anyhow::Result<u64> {
        let key: VerifierKey = self.log.verifier_key().parse()?;
        let (mut proofs, mut last) = (0, None);
        while !stop.load(Ordering::Relaxed) {
            let published = self.log.current().await?;
            let head = Checkpoint::open(published.note.as_bytes(), &key)?.head;
            if let Some(last) = last {
                let last: fcs_tlog::TreeHead = last;
                let proof = self.log.consistency_proof(last.size, head.size)?;
                verify_consistency(&last, &head, &proof)?;
                proofs += 1;
            }
            if head.size > 0 {
                let index = proofs * 7_919 % head.size;
                let leaf = self.store.leaves(index, 1).await?.pop();
                let leaf = leaf.context("a leaf is missing")?;
                let proof = self.log.inclusion_proof(index, head.size)?;
                verify_inclusion(&leaf_hash(&leaf.data), index, &proof, &head)?;
                proofs += 1;
            }
            last = Some(head);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(proofs)
    }
}
