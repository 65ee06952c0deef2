//! Reading the text form of a note.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{KeyId, MAX_NOTE_BYTES, MAX_SIGNATURES, NoteError, NoteSignature, SignedNote};

/// Checks that a text can be signed.
pub(super) fn check_text(text: &str) -> Result<(), NoteError> {
    if text.len() > MAX_NOTE_BYTES {
        return Err(NoteError::Malformed("too long"));
    }
    if !text.ends_with('\n') {
        return Err(NoteError::Malformed(
            "the text does not end with a line end",
        ));
    }
    check_characters(text)
}

/// Reads a note: text, blank line, signature lines.
pub(super) fn note(bytes: &[u8]) -> Result<SignedNote, NoteError> {
    if bytes.len() > MAX_NOTE_BYTES {
        return Err(NoteError::Malformed("too long"));
    }
    let whole = str::from_utf8(bytes).map_err(|_| NoteError::Malformed("not UTF-8"))?;
    check_characters(whole)?;
    // The text may hold blank lines, so the last one is the border.
    let border = whole
        .rfind("\n\n")
        .ok_or(NoteError::Malformed("no blank line"))?;
    let (text, lines) = (&whole[..=border], &whole[border + 2..]);
    Ok(SignedNote {
        text: text.to_owned(),
        signatures: lines_of(lines)?,
    })
}

/// Reads signature lines alone.
pub(super) fn signature_lines(bytes: &[u8]) -> Result<Vec<NoteSignature>, NoteError> {
    if bytes.len() > MAX_NOTE_BYTES {
        return Err(NoteError::Malformed("too long"));
    }
    let lines = str::from_utf8(bytes).map_err(|_| NoteError::Malformed("not UTF-8"))?;
    check_characters(lines)?;
    lines_of(lines)
}

fn lines_of(lines: &str) -> Result<Vec<NoteSignature>, NoteError> {
    let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed(
        "the last signature line does not end with a line end",
    ))?;
    if lines.split('\n').count() > MAX_SIGNATURES {
        return Err(NoteError::Malformed("too many signatures"));
    }
    lines.split('\n').map(signature_line).collect()
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(NoteError::Malformed("control character"));
    }
    Ok(())
}

fn signature_line(line: &str) -> Result<NoteSignature, NoteError> {
    const BROKEN: NoteError =
        NoteError::Malformed("a signature line must be an em dash, a key name and base64");
    let rest = line.strip_prefix("\u{2014} ").ok_or(BROKEN)?;
    let (name, encoded) = rest.split_once(' ').ok_or(BROKEN)?;
    let bytes = STANDARD.decode(encoded).map_err(|_| BROKEN)?;
    let (key_id, signature) = bytes.split_first_chunk::<4>().ok_or(BROKEN)?;
    if signature.is_empty() {
        return Err(BROKEN);
    }
    Ok(NoteSignature {
        name: name.parse()?,
        key_id: KeyId(*key_id),
        signature: signature.to_vec(),
    })
}
