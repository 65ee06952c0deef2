//! A log on a backend, published into its folder, with witnesses in memory.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use deployment_audit::app::log::{LogParts, TransparencyLog};
use deployment_audit::app::ports::{Answer, Witness, WitnessError};
use deployment_audit::app::publication::Publication;
use deployment_audit::app::witnessing::Witnesses;
use deployment_audit::store::NewBatch;
use deployment_audit::tile_folder::TileFolder;
use fcs_core::{Clock, UnixMicros};
use fcs_tlog::note::{CosigningKey, SigningKey, VerifierKey};
use fcs_tlog::policy::PolicyWitness;
use fcs_tlog::witness::{AddCheckpoint, Refusal};
use fcs_tlog::{BatchLeaf, Checkpoint, MerkleTree, Policy, TreeHead};

use super::{Backend, digest_of, metrics};

/// A clock that a test turns.
#[derive(Default)]
pub(crate) struct TurnedClock(Mutex<i64>);

impl TurnedClock {
    pub(crate) fn turn(&self, seconds: i64) {
        *self.0.lock().unwrap() += seconds * 1_000_000;
    }
}

impl Clock for TurnedClock {
    fn now(&self) -> UnixMicros {
        UnixMicros(1_700_000_000_000_000 + *self.0.lock().unwrap())
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed("faircredit.example/test".parse().unwrap(), &[seed; 32])
}

/// The folder that the backend's log is published in.
pub(crate) fn folder(backend: &Backend) -> TileFolder {
    TileFolder::new(backend.folder.path().join("tiles"))
}

/// The log with the key of a seed, the backend's folder and some witnesses.
pub(crate) async fn open_witnessed(
    backend: &Backend,
    seed: u8,
    (witnesses, clock): (Witnesses, Arc<dyn Clock>),
) -> Arc<TransparencyLog> {
    let log = TransparencyLog::open(LogParts {
        store: Arc::clone(&backend.store),
        key: key(seed),
        clock,
        metrics: metrics().0,
        publication: Publication::new(Some(folder(backend))),
        witnesses,
    });
    Arc::new(log.await.unwrap())
}

pub(crate) async fn open_with(backend: &Backend, seed: u8) -> Arc<TransparencyLog> {
    let nobody = Witnesses::new(Policy::parse(b"quorum none\n").unwrap(), Vec::new());
    open_witnessed(backend, seed, (nobody, Arc::new(TurnedClock::default()))).await
}

pub(crate) async fn open(backend: &Backend) -> Arc<TransparencyLog> {
    open_with(backend, 1).await
}

/// Appends one leaf over some decisions.
pub(crate) async fn append(backend: &Backend, first_index: u64, decisions: u64) {
    let batch = batch(first_index, decisions);
    backend.store.append_batch(&batch).await.unwrap();
}

/// A run of decisions and its leaf.
pub(crate) fn batch(first_index: u64, decisions: u64) -> NewBatch {
    let digests: Vec<_> = (first_index..first_index + decisions)
        .map(digest_of)
        .collect();
    let leaf = BatchLeaf::new(first_index, &digests).unwrap().to_bytes();
    NewBatch {
        first_index,
        digests,
        leaf,
    }
}

pub(crate) fn verify(log: &TransparencyLog, note: &str) -> Checkpoint {
    let vkey: VerifierKey = log.verifier_key().parse().unwrap();
    Checkpoint::open(note.as_bytes(), &vkey).unwrap()
}

/// A witness in memory that keeps the rules of the protocol.
pub(crate) struct FakeWitness {
    identity: PolicyWitness,
    key: CosigningKey,
    pub(crate) state: Mutex<WitnessState>,
}

pub(crate) struct WitnessState {
    pub(crate) last: TreeHead,
    pub(crate) is_up: bool,
    pub(crate) asked: u32,
    /// Signs for another text.
    pub(crate) lies: bool,
}

impl FakeWitness {
    pub(crate) fn new(name: &str, seed: u8) -> Arc<Self> {
        let key = CosigningKey::from_seed(format!("{name}.example").parse().unwrap(), &[seed; 32]);
        let identity = PolicyWitness {
            name: name.to_owned(),
            key: key.verifier_key().clone(),
            url: None,
        };
        let state = WitnessState {
            last: TreeHead {
                size: 0,
                root: MerkleTree::new().root(),
            },
            is_up: true,
            asked: 0,
            lies: false,
        };
        Arc::new(Self {
            identity,
            key,
            state: Mutex::new(state),
        })
    }

    fn answer(&self, request: &AddCheckpoint) -> Result<Answer, Refusal> {
        let request = AddCheckpoint::parse(request.to_string().as_bytes())?;
        let checkpoint = request.authenticate(&[key(1).verifier_key().clone()])?;
        let mut state = self.state.lock().unwrap();
        request.check(&checkpoint, &state.last)?;
        state.last = checkpoint.head;
        let mut text = checkpoint.to_note_text();
        if state.lies {
            text.insert(0, 'x');
        }
        Ok(Answer::Cosigned(vec![
            self.key.cosign(&text, 1_700_000_000),
        ]))
    }
}

#[async_trait]
impl Witness for FakeWitness {
    fn identity(&self) -> &PolicyWitness {
        &self.identity
    }

    async fn ask(&self, request: &AddCheckpoint) -> Result<Answer, WitnessError> {
        {
            let mut state = self.state.lock().unwrap();
            state.asked += 1;
            if !state.is_up {
                return Err(WitnessError("nobody there".to_owned()));
            }
        }
        match self.answer(request) {
            Ok(answer) => Ok(answer),
            Err(Refusal::OtherSize { size } | Refusal::OtherRoot { size }) => {
                Ok(Answer::OtherSize(size))
            }
            Err(Refusal::Inconsistent) => Ok(Answer::Inconsistent),
            Err(refusal) => Err(WitnessError(refusal.to_string())),
        }
    }
}

/// The policy that all of these must cosign what the test's log signs, and the witnesses to ask.
pub(crate) fn all_of(witnesses: &[Arc<FakeWitness>]) -> (Policy, Witnesses) {
    let line = |witness: &Arc<FakeWitness>| {
        format!(
            "witness {} {}\n",
            witness.identity.name, witness.identity.key
        )
    };
    let lines: String = witnesses.iter().map(line).collect();
    let names: Vec<&str> = witnesses
        .iter()
        .map(|witness| witness.identity.name.as_str())
        .collect();
    let log = key(1).verifier_key().to_string();
    let text = format!(
        "log {log}\n{lines}group everyone all {}\nquorum everyone\n",
        names.join(" ")
    );
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let asked = witnesses.iter().map(|it| Arc::clone(it) as _).collect();
    (policy.clone(), Witnesses::new(policy, asked))
}
