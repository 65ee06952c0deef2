//! The text while it is written.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::io::Write as _;

use super::CanonicalError;

/// Integers up to here are doubles, and are written alike.
const EXACT: u64 = 1 << 53;

/// Bytes of a usual document.
const USUAL: usize = 4 * 1024;

/// What is written, and where the members of the objects that are still open stand in it.
#[derive(Default)]
pub(super) struct Text {
    bytes: Vec<u8>,
    members: Vec<Member>,
    /// An object's members while they are put in order.
    moved: Vec<u8>,
}

/// A member of an open object: the places in the text where it begins, where its name ends, and where it ends.
#[derive(Clone, Copy)]
struct Member {
    start: usize,
    name_end: usize,
    end: usize,
}

/// An open object.
pub(super) struct Object {
    first_member: usize,
}

impl Text {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn raw(&mut self, text: &str) {
        if self.bytes.is_empty() {
            self.bytes.reserve(USUAL);
        }
        self.bytes.extend_from_slice(text.as_bytes());
    }

    pub(super) fn string(&mut self, text: &str) {
        // The same escapes as RFC 8785, section 3.2.2.2.
        serde_json::to_writer(&mut self.bytes, text).expect("a vector takes every byte");
    }

    pub(super) fn unsigned(&mut self, number: u64) {
        if number <= EXACT {
            write!(self.bytes, "{number}").expect("a vector takes every byte");
        } else {
            self.raw(ryu_js::Buffer::new().format_finite(number as f64));
        }
    }

    pub(super) fn signed(&mut self, number: i64) {
        if number < 0 {
            // Never the negative zero, which would lose its sign.
            self.raw("-");
        }
        self.unsigned(number.unsigned_abs());
    }

    pub(super) fn number(&mut self, number: f64) -> Result<(), CanonicalError> {
        if !number.is_finite() {
            return Err(CanonicalError(format!("{number} is not finite")));
        }
        self.raw(ryu_js::Buffer::new().format_finite(number));
        Ok(())
    }

    pub(super) fn begin_object(&mut self) -> Object {
        self.raw("{");
        Object {
            first_member: self.members.len(),
        }
    }

    /// A member begins; its name comes next.
    pub(super) fn begin_member(&mut self, object: &Object) {
        if self.members.len() > object.first_member {
            self.raw(",");
        }
        let start = self.bytes.len();
        self.members.push(Member {
            start,
            name_end: start,
            end: start,
        });
    }

    /// The name is written; the value comes next.
    pub(super) fn begin_value(&mut self) {
        let end = self.bytes.len();
        if let Some(member) = self.members.last_mut() {
            member.name_end = end;
        }
        self.raw(":");
    }

    /// The value is written.
    pub(super) fn end_member(&mut self) {
        let end = self.bytes.len();
        if let Some(member) = self.members.last_mut() {
            member.end = end;
        }
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "an object that has ended is used no more"
    )]
    pub(super) fn end_object(&mut self, object: Object) -> Result<(), CanonicalError> {
        let bytes = &self.bytes;
        let members = &mut self.members[object.first_member..];
        let ascending = |pair: &[Member]| compare(bytes, pair[0], pair[1]) == Ordering::Less;
        if !members.windows(2).all(ascending) {
            members.sort_by(|left, right| compare(bytes, *left, *right));
            let twice = |pair: &&[Member]| compare(bytes, pair[0], pair[1]) == Ordering::Equal;
            if let Some(pair) = members.windows(2).find(twice) {
                let name = String::from_utf8_lossy(name(bytes, pair[0]));
                return Err(CanonicalError(format!("the member {name} occurs twice")));
            }
            put_in_order(&mut self.bytes, members, &mut self.moved);
        }
        self.members.truncate(object.first_member);
        self.raw("}");
        Ok(())
    }
}

/// Writes the members, which are in order now, where they stood in another order.
fn put_in_order(bytes: &mut Vec<u8>, members: &[Member], moved: &mut Vec<u8>) {
    moved.clear();
    for member in members {
        if !moved.is_empty() {
            moved.push(b',');
        }
        moved.extend_from_slice(&bytes[member.start..member.end]);
    }
    let length = bytes.len();
    bytes.truncate(length - moved.len());
    bytes.extend_from_slice(moved);
}

/// The name of a member as it is written, with its quotes.
fn name(bytes: &[u8], member: Member) -> &[u8] {
    &bytes[member.start..member.name_end]
}

/// The order of the UTF-16 code units of two names.
fn compare(bytes: &[u8], left: Member, right: Member) -> Ordering {
    let (left, right) = (name(bytes, left), name(bytes, right));
    if is_plain(left) && is_plain(right) {
        // Without the closing quote, which is no part of the name.
        return left[..left.len() - 1].cmp(&right[..right.len() - 1]);
    }
    let (left, right) = (decoded(left), decoded(right));
    left.encode_utf16().cmp(right.encode_utf16())
}

fn is_plain(name: &[u8]) -> bool {
    name.iter().all(|byte| byte.is_ascii() && *byte != b'\\')
}

fn decoded(name: &[u8]) -> Cow<'_, str> {
    serde_json::from_slice(name)
        .map(Cow::Owned::<str>)
        .expect("a name is a JSON text")
}
