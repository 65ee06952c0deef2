//! Reasons of peers as static text: the error type holds `&'static str`, the wire holds a string.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Distinct reasons that are kept, so that a peer cannot fill the memory.
const REASONS_MAX: usize = 512;
/// What stands for a reason that is malformed or one too many.
const OTHER: &str = "OTHER";

static REASONS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// The same text, kept for ever; bounded in number, length and alphabet.
pub fn interned(reason: &str) -> &'static str {
    let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if !(1..=64).contains(&reason.len()) || !reason.bytes().all(allowed) {
        return OTHER;
    }
    let mut reasons = REASONS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = reasons.get(reason) {
        return known;
    }
    if reasons.len() >= REASONS_MAX {
        return OTHER;
    }
    let kept: &'static str = Box::leak(reason.to_owned().into_boxed_str());
    reasons.insert(kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_reasons_once_and_replaces_strange_ones() {
        let first = interned("FEATURE_OUT_OF_RANGE");
        assert!(std::ptr::eq(
            first,
            interned(&["FEATURE", "OUT_OF_RANGE"].join("_"))
        ));
        for strange in ["", "lower", "A B", &"A".repeat(65)] {
            assert_eq!(interned(strange), OTHER);
        }
    }
}
