//! Reading a policy file line by line.

use std::collections::{HashMap, HashSet};

use super::{
    Group, Member, POLICY_BYTES_MAX, POLICY_ITEMS_MAX, Policy, PolicyError, PolicyLog,
    PolicyWitness,
};
use crate::checkpoint::parse_number;
use crate::note::VerifierKey;

/// The name that stands for no quorum.
const NONE: &[u8] = b"none";

pub(super) fn policy(bytes: &[u8]) -> Result<Policy, PolicyError> {
    let at = |line: usize, problem: String| PolicyError { line, problem };
    if bytes.len() > POLICY_BYTES_MAX {
        return Err(at(1, format!("longer than {POLICY_BYTES_MAX} bytes")));
    }
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        let lines = bytes.split(|byte| *byte == b'\n').count();
        return Err(at(lines, "the last line has no line end".to_owned()));
    }
    let mut reader = Reader::default();
    let mut lines = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        lines += 1;
        reader
            .line(line.strip_suffix(b"\n").unwrap_or(line))
            .map_err(|problem| at(lines, problem))?;
    }
    reader
        .finish()
        .ok_or_else(|| at(lines + 1, "there is no quorum line".to_owned()))
}

/// What the lines so far have said. Names are bytes: the format gives them no encoding.
#[derive(Default)]
struct Reader {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    names: HashMap<Vec<u8>, Member>,
    grouped: HashSet<Vec<u8>>,
    quorum: Option<Member>,
}

impl Reader {
    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let is_forbidden = |byte: &u8| matches!(byte, 0..=0x08 | 0x0a..=0x1f | 0x7f);
        if line.iter().any(is_forbidden) {
            return Err("control character".to_owned());
        }
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
        let items: Vec<&[u8]> = line
            .split(is_space)
            .filter(|item| !item.is_empty())
            .collect();
        match items.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key, url @ ..] if url.len() <= 1 => self.log(key, text(url)),
            [b"witness", name, key, url @ ..] if url.len() <= 1 => {
                self.witness(name, key, text(url))
            }
            [b"group", name, threshold, members @ ..] if !members.is_empty() => {
                self.group(name, threshold, members)
            }
            [b"quorum", name] => self.quorum(name),
            _ => Err(
                "expected \"log <vkey> [<url>]\", \"witness <name> <vkey> [<url>]\", \
                 \"group <name> all|any|<k> <name>...\" or \"quorum <name>|none\""
                    .to_owned(),
            ),
        }
    }

    fn log(&mut self, key: &[u8], url: Option<String>) -> Result<(), String> {
        let key = verifier_key(key)?;
        if key.is_cosigner() {
            return Err("a log's key must be of type Ed25519 (0x01)".to_owned());
        }
        let same = |log: &PolicyLog| log.key.public_key() == key.public_key();
        if self.logs.iter().any(same) {
            return Err("this key is there already".to_owned());
        }
        room(self.logs.len())?;
        self.logs.push(PolicyLog { key, url });
        Ok(())
    }

    fn witness(&mut self, name: &[u8], key: &[u8], url: Option<String>) -> Result<(), String> {
        let key = verifier_key(key)?;
        if !key.is_cosigner() {
            return Err("a witness's key must be for cosignatures (0x04)".to_owned());
        }
        let same = |witness: &PolicyWitness| witness.key.public_key() == key.public_key();
        if self.witnesses.iter().any(same) {
            return Err("this key is there already".to_owned());
        }
        room(self.witnesses.len())?;
        self.define(name, Member::Witness(self.witnesses.len()))?;
        // Two byte strings that print alike would be told apart by the keys alone, so each gets its own name.
        let mut shown = String::from_utf8_lossy(name).into_owned();
        if self.witnesses.iter().any(|witness| witness.name == shown) {
            shown = format!("{shown}#{}", self.witnesses.len() + 1);
        }
        self.witnesses.push(PolicyWitness {
            name: shown,
            key,
            url,
        });
        Ok(())
    }

    fn group(&mut self, name: &[u8], threshold: &[u8], items: &[&[u8]]) -> Result<(), String> {
        let threshold = match threshold {
            b"all" => items.len(),
            b"any" => 1,
            number => str::from_utf8(number)
                .ok()
                .and_then(parse_number)
                .and_then(|number| usize::try_from(number).ok())
                .filter(|number| (1..=items.len()).contains(number))
                .ok_or("the threshold must be all, any or 1 to the number of members")?,
        };
        let members = items
            .iter()
            .map(|item| self.member(item))
            .collect::<Result<Vec<_>, _>>()?;
        for item in items {
            if !self.grouped.insert(item.to_vec()) {
                return Err(format!("{} is a member already", shown(item)));
            }
        }
        room(self.groups.len())?;
        self.define(name, Member::Group(self.groups.len()))?;
        self.groups.push(Group { threshold, members });
        Ok(())
    }

    fn quorum(&mut self, name: &[u8]) -> Result<(), String> {
        if self.quorum.is_some() {
            return Err("there is a quorum already".to_owned());
        }
        self.quorum = Some(if name == NONE {
            Member::Nobody
        } else {
            self.member(name)?
        });
        Ok(())
    }

    fn define(&mut self, name: &[u8], member: Member) -> Result<(), String> {
        if name == NONE {
            return Err("the name none has a meaning of its own".to_owned());
        }
        match self.names.insert(name.to_vec(), member) {
            None => Ok(()),
            Some(_) => Err(format!("{} is defined already", shown(name))),
        }
    }

    fn member(&self, name: &[u8]) -> Result<Member, String> {
        let found = self.names.get(name).copied();
        found.ok_or_else(|| format!("{} is not defined before this line", shown(name)))
    }

    fn finish(self) -> Option<Policy> {
        Some(Policy {
            logs: self.logs,
            witnesses: self.witnesses,
            groups: self.groups,
            quorum: self.quorum?,
        })
    }
}

fn room(items: usize) -> Result<(), String> {
    if items < POLICY_ITEMS_MAX {
        Ok(())
    } else {
        Err(format!("more than {POLICY_ITEMS_MAX} of them"))
    }
}

fn verifier_key(item: &[u8]) -> Result<VerifierKey, String> {
    let text = str::from_utf8(item).map_err(|_| "a key is not UTF-8".to_owned())?;
    text.parse()
        .map_err(|error| format!("the key {text}: {error}"))
}

fn text(items: &[&[u8]]) -> Option<String> {
    items
        .first()
        .map(|item| String::from_utf8_lossy(item).into_owned())
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
