//! C2SP trust policies: which logs a verifier accepts, and whose cosignatures it asks for
//! (<https://c2sp.org/tlog-policy>).

mod parse;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::note::{NoteKeyName, SignedNote, VerifierKey};

/// Most logs, witnesses and groups of each kind.
pub const POLICY_ITEMS_MAX: usize = 64;

/// Longest policy that is read, in bytes.
pub const POLICY_BYTES_MAX: usize = 256 * 1024;

/// A log that is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLog {
    /// Its key, named by its origin.
    pub key: VerifierKey,
    /// Where it is read.
    pub url: Option<String>,
}

/// A witness whose cosignatures count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyWitness {
    /// Its name in the policy, for people.
    pub name: String,
    /// Its key.
    pub key: VerifierKey,
    /// Where it is asked for cosignatures.
    pub url: Option<String>,
}

/// Who must have witnessed: a witness, a group that was defined before, or nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Nobody,
    Witness(usize),
    Group(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    threshold: usize,
    members: Vec<Member>,
}

/// What a checkpoint needs to be believed: the signature of one of the logs and a quorum of witnesses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    quorum: Member,
}

/// A line of a policy file breaks the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct PolicyError {
    /// Number of the line, from 1; one behind the last for what is missing.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

/// A checkpoint does not meet the policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmet {
    /// It is malformed, or not signed by a log of the policy.
    #[error("the checkpoint is refused")]
    Checkpoint(#[source] CheckpointError),
    /// The policy has no log of that name.
    #[error("the policy has no log {0}")]
    OtherLog(NoteKeyName),
    /// Too few witnesses cosigned.
    #[error("the cosignatures do not make the quorum: {}", cosigned_by(.0))]
    Quorum(Vec<String>),
}

/// A witness that cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigner {
    /// The witness's name in the policy.
    pub name: String,
    /// When it cosigned, in seconds since the Unix epoch.
    pub at: u64,
}

/// A checkpoint that meets the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Every witness of the policy that cosigned it, in the policy's order.
    pub cosigners: Vec<Cosigner>,
}

impl Policy {
    /// The policy that asks for the signature of one log and no more.
    pub fn of_log(key: VerifierKey) -> Self {
        Self {
            logs: vec![PolicyLog { key, url: None }],
            witnesses: Vec::new(),
            groups: Vec::new(),
            quorum: Member::Nobody,
        }
    }

    /// Reads a policy file.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        parse::policy(bytes)
    }

    /// The logs that are accepted.
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// The witnesses whose cosignatures count.
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// Witnesses of the policy with a valid cosignature on a note.
    pub fn cosigners(&self, note: &SignedNote) -> Vec<Cosigner> {
        let cosigner = |witness: &PolicyWitness| {
            let signature = note.signature_by(&witness.key)?;
            Some(Cosigner {
                name: witness.name.clone(),
                at: signature.cosigned_at()?,
            })
        };
        self.witnesses.iter().filter_map(cosigner).collect()
    }

    /// Whether witnesses with these names make the quorum.
    pub fn is_quorum(&self, cosigners: &[Cosigner]) -> bool {
        let signed = |index: usize| {
            let name = &self.witnesses[index].name;
            cosigners.iter().any(|cosigner| cosigner.name == *name)
        };
        let mut groups = Vec::with_capacity(self.groups.len());
        let witnessed = |member: &Member, groups: &[bool]| match *member {
            Member::Nobody => true,
            Member::Witness(index) => signed(index),
            // Groups name earlier groups only.
            Member::Group(index) => groups[index],
        };
        for group in &self.groups {
            let members = group.members.iter();
            let count = members.filter(|member| witnessed(member, &groups)).count();
            groups.push(count >= group.threshold);
        }
        witnessed(&self.quorum, &groups)
    }

    /// Checks a signed checkpoint against the policy.
    pub fn accept(&self, note: &[u8]) -> Result<Accepted, Unmet> {
        let malformed = |error| Unmet::Checkpoint(CheckpointError::Note(error));
        let note = SignedNote::parse(note).map_err(malformed)?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(Unmet::Checkpoint)?;
        let logs: Vec<VerifierKey> = self
            .logs
            .iter()
            .map(|log| log.key.clone())
            .filter(|key| *key.name() == checkpoint.origin)
            .collect();
        if logs.is_empty() {
            return Err(Unmet::OtherLog(checkpoint.origin));
        }
        note.verify(&logs).map_err(malformed)?;
        let witnesses: Vec<VerifierKey> = self
            .witnesses
            .iter()
            .map(|witness| witness.key.clone())
            .filter(|key| note.signatures().iter().any(|line| key.made(line)))
            .collect();
        if !witnesses.is_empty() {
            // A known key with a wrong signature refuses the note, as signed notes say.
            note.verify(&witnesses).map_err(malformed)?;
        }
        let cosigners = self.cosigners(&note);
        if !self.is_quorum(&cosigners) {
            let names = cosigners.into_iter().map(|cosigner| cosigner.name);
            return Err(Unmet::Quorum(names.collect()));
        }
        Ok(Accepted {
            checkpoint,
            cosigners,
        })
    }
}

fn cosigned_by(names: &[String]) -> String {
    if names.is_empty() {
        "no witness of the policy cosigned".to_owned()
    } else {
        format!("only {} cosigned", names.join(", "))
    }
}
