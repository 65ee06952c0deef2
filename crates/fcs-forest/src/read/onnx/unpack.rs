//! Decoding of messages, within a limit on what they unpack to: a number of a list takes a byte in a file and eight in
//! memory, an empty text two and twenty-four.

use prost::encoding::{WireType, decode_key, decode_varint};

use super::refusal::{Read, Refusal, shortened};
use crate::limits;
use crate::read::error::FieldProblem;

/// Memory of a text or of the bytes of a message, beside its characters.
const BYTES_PER_TEXT: usize = 32;

/// A message of the format.
pub(super) trait Message: prost::Message + Default {
    /// Fields of whole numbers that may be packed into one piece.
    const PACKED: &'static [u32] = &[];
}

/// Bytes that may still be unpacked.
#[derive(Debug)]
pub(super) struct Unpacking(usize);

impl Unpacking {
    pub(super) fn new() -> Self {
        Self(limits::UNPACKED_BYTES_MAX)
    }

    /// Counts bytes before they are kept.
    pub(super) fn take(&mut self, bytes: usize) -> Read<()> {
        let left = self.0.checked_sub(bytes);
        self.0 = left.ok_or_else(|| {
            let expected = "a part of a model that takes at most 512 MiB when it is unpacked";
            Refusal::out_of_range("", expected)
        })?;
        Ok(())
    }

    /// A message, or why its bytes are none.
    pub(super) fn decode<M: Message>(&mut self, bytes: &[u8], path: &str) -> Read<M> {
        let malformed = |error: prost::DecodeError| {
            let why = shortened(&error.to_string());
            Refusal::new(path, FieldProblem::Refused { why })
        };
        let needed = unpacked_bytes(bytes, M::PACKED).map_err(malformed)?;
        let needed = needed.ok_or_else(|| Refusal::out_of_range(path, "without groups"))?;
        self.take(needed).map_err(|refusal| refusal.within(path))?;
        M::decode(bytes).map_err(malformed)
    }

    /// The only message of a field that may be absent.
    pub(super) fn decode_one<M: Message>(
        &mut self,
        encoded: &[Vec<u8>],
        path: &str,
    ) -> Read<Option<M>> {
        match encoded {
            [] => Ok(None),
            [bytes] => self.decode(bytes, path).map(Some),
            _ => Err(Refusal::new(path, FieldProblem::Repeated)),
        }
    }
}

/// At most what the fields of a message take in memory; `None` when it has groups, which the format does not know.
fn unpacked_bytes(mut bytes: &[u8], packed: &[u32]) -> Result<Option<usize>, prost::DecodeError> {
    let mut total = 0_usize;
    while !bytes.is_empty() {
        let (tag, wire_type) = decode_key(&mut bytes)?;
        let (length, memory) = match wire_type {
            WireType::Varint => {
                decode_varint(&mut bytes)?;
                (0, size_of::<u64>())
            }
            WireType::ThirtyTwoBit => (4, size_of::<u64>()),
            WireType::SixtyFourBit => (8, size_of::<u64>()),
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut bytes)?).unwrap_or(usize::MAX);
                let piece = &bytes[..length.min(bytes.len())];
                let memory = if packed.contains(&tag) {
                    let is_last = |byte: &&u8| **byte < 0x80;
                    size_of::<u64>() * piece.iter().filter(is_last).count()
                } else {
                    BYTES_PER_TEXT + piece.len()
                };
                (length, memory)
            }
            WireType::StartGroup | WireType::EndGroup => return Ok(None),
        };
        // Less is left than was announced: decoding will tell.
        bytes = bytes.get(length..).unwrap_or_default();
        total = total.saturating_add(memory);
    }
    Ok(Some(total))
}

#[cfg(test)]
mod tests {
    use super::super::proto::Attribute;
    use super::*;

    #[test]
    fn memory_is_counted_by_the_kind_of_a_field() {
        // Field 1 as two single numbers, field 8 packed, field 9 as a text, field 7 as two floats of both sizes.
        let numbers = [0x08, 1, 0x08, 0x96, 1];
        let packed = [0x42, 4, 1, 0x96, 1, 2];
        let text = [0x4a, 2, b'a', b'b'];
        let floats = [0x3d, 0, 0, 0, 0, 0x39, 0, 0, 0, 0, 0, 0, 0, 0];
        for (bytes, expected) in [
            (&numbers[..], 16),
            (&packed[..], 24),
            (&text[..], 34),
            (&floats[..], 16),
            (&[][..], 0),
        ] {
            assert_eq!(unpacked_bytes(bytes, &[8]), Ok(Some(expected)), "{bytes:?}");
        }
        assert_eq!(unpacked_bytes(&packed, &[]), Ok(Some(36)));
        // A group, and a length past the end.
        assert_eq!(unpacked_bytes(&[0x0b, 0x0c], &[]), Ok(None));
        assert_eq!(unpacked_bytes(&[0x4a, 9, 1], &[]), Ok(Some(33)));
        assert!(unpacked_bytes(&[0x80], &[]).is_err());
    }

    #[test]
    fn what_is_left_is_shared_by_all_messages() {
        // Three empty texts.
        let bytes = [0x4a, 0, 0x4a, 0, 0x4a, 0];
        let mut unpacking = Unpacking(5 * BYTES_PER_TEXT);
        let first: Attribute = unpacking.decode(&bytes, "first").expect("room for five");
        assert_eq!(first.strings.len(), 3);
        let second = unpacking.decode::<Attribute>(&bytes, "second");
        let refusal = second.expect_err("room for two").into_error().to_string();
        assert!(
            refusal.contains("`second` must be a part of a model that takes at most 512 MiB"),
            "{refusal}"
        );
    }
}
