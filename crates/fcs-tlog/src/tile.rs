//! C2SP tiles: a log as a finite set of files that never change (<https://c2sp.org/tlog-tiles>).
//!
//! A hash tile of level `L` holds up to 256 hashes over `256^L` leaves each; an entry bundle holds the entries under a
//! tile of level 0. Only the last ones of a tree are partial.

use std::fmt;
use std::str::FromStr;

use fcs_core::Digest;

use crate::tree::MerkleTree;

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u64 = 256;

/// Greatest length of an entry in bytes: a bundle writes it as 16 bits.
pub const ENTRY_BYTES_MAX: usize = u16::MAX as usize;

/// Greatest level of a path. A tree of 2^64 leaves needs 8.
const LEVEL_MAX: u8 = 63;

/// What a file of the log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TileKind {
    /// Hashes of complete subtrees of height `8 * level`.
    Hashes {
        /// From 0, the level of leaf hashes, to 63.
        level: u8,
    },
    /// The entries themselves.
    Entries,
}

/// One file of the log. Its text form is its path, for example `tile/0/x001/067.p/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    kind: TileKind,
    index: u64,
    width: u64,
}

/// A path or the bytes of a tile break the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// No such file can exist.
    #[error("not a path of a tile, such as tile/0/x001/067, tile/0/068.p/8 or tile/entries/000")]
    Path,
    /// An entry does not fit into a bundle.
    #[error("an entry of {0} bytes is longer than {ENTRY_BYTES_MAX}")]
    EntryTooLong(usize),
    /// The bytes are not a run of 32-byte hashes.
    #[error("a hash tile is 1 to 256 hashes of 32 bytes")]
    Hashes,
    /// The bytes are not a run of entries with their lengths.
    #[error("an entry bundle is 1 to 256 entries, each behind its length in two bytes")]
    Entries,
}

impl Tile {
    /// The tile that begins at `index * 256` of its level; `None` when it is impossible.
    pub fn new(kind: TileKind, index: u64, width: u64) -> Option<Self> {
        let is_level = !matches!(kind, TileKind::Hashes { level } if level > LEVEL_MAX);
        let is_width = (1..=TILE_WIDTH).contains(&width);
        let ends = index
            .checked_mul(TILE_WIDTH)
            .and_then(|start| start.checked_add(width));
        (is_level && is_width && ends.is_some()).then_some(Self { kind, index, width })
    }

    /// What it holds.
    pub fn kind(&self) -> TileKind {
        self.kind
    }

    /// Zero-based position in its level.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Hashes or entries in it, 1 to 256.
    pub fn width(&self) -> u64 {
        self.width
    }

    /// Whether nothing can be added to it.
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// Position of its first hash or entry in its level.
    pub fn start(&self) -> u64 {
        self.index * TILE_WIDTH
    }

    /// Whether a tree of `size` leaves has everything that it holds.
    pub fn is_within(&self, size: u64) -> bool {
        let level = match self.kind {
            TileKind::Hashes { level } => level,
            TileKind::Entries => 0,
        };
        self.start() + self.width <= length_of_level(size, level)
    }

    /// The files that a tree of `new` leaves has and one of `old` leaves had not, lowest level first.
    pub fn between(old: u64, new: u64) -> Vec<Self> {
        let mut tiles = Vec::new();
        for level in 0..=LEVEL_MAX {
            let (had, has) = (length_of_level(old, level), length_of_level(new, level));
            if has == 0 {
                break;
            }
            if had >= has {
                continue;
            }
            for index in had / TILE_WIDTH..has.div_ceil(TILE_WIDTH) {
                let width = TILE_WIDTH.min(has - index * TILE_WIDTH);
                let kind = TileKind::Hashes { level };
                tiles.push(Self { kind, index, width });
                if level == 0 {
                    let kind = TileKind::Entries;
                    tiles.push(Self { kind, index, width });
                }
            }
        }
        tiles
    }
}

/// Hashes that a tree has on a level of tiles.
fn length_of_level(size: u64, level: u8) -> u64 {
    size.checked_shr(8 * u32::from(level)).unwrap_or(0)
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes { level } => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.index % 1_000];
        let mut rest = self.index / 1_000;
        while rest > 0 {
            groups.push(rest % 1_000);
            rest /= 1_000;
        }
        for group in groups.iter().skip(1).rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if !self.is_full() {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl FromStr for Tile {
    type Err = TileError;

    fn from_str(text: &str) -> Result<Self, TileError> {
        // One file, one path: other spellings of the numbers are refused here.
        read_path(text)
            .filter(|tile| tile.to_string() == text)
            .ok_or(TileError::Path)
    }
}

fn read_path(text: &str) -> Option<Tile> {
    let (kind, rest) = text.strip_prefix("tile/")?.split_once('/')?;
    let kind = match kind {
        "entries" => TileKind::Entries,
        level => TileKind::Hashes {
            level: level.parse().ok()?,
        },
    };
    let (number, width) = match rest.split_once(".p/") {
        Some((number, width)) => (number, width.parse().ok()?),
        None => (rest, TILE_WIDTH),
    };
    let mut index: u64 = 0;
    for group in number.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        index = index
            .checked_mul(1_000)?
            .checked_add(u64::from(digits.parse::<u16>().ok()?))?;
    }
    Tile::new(kind, index, width)
}

impl MerkleTree {
    /// The bytes of a hash tile; `None` for entries, and for a tile that the tree does not have.
    pub fn tile(&self, tile: &Tile) -> Option<Vec<u8>> {
        let TileKind::Hashes { level } = tile.kind else {
            return None;
        };
        let hashes = self.complete(8 * u32::from(level), tile.start(), tile.width)?;
        Some(hashes.iter().flat_map(Digest::as_bytes).copied().collect())
    }
}

/// The hashes of a hash tile's bytes.
pub fn parse_hashes(bytes: &[u8]) -> Result<Vec<Digest>, TileError> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if hashes.is_empty() || hashes.len() as u64 > TILE_WIDTH || !rest.is_empty() {
        return Err(TileError::Hashes);
    }
    Ok(hashes
        .iter()
        .map(|hash| Digest::from_bytes(*hash))
        .collect())
}

/// The bytes of a bundle of entries.
pub fn encode_entries<'a>(
    entries: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, TileError> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length =
            u16::try_from(entry.len()).map_err(|_| TileError::EntryTooLong(entry.len()))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// The entries of a bundle's bytes.
pub fn parse_entries(bytes: &[u8]) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while let Some((length, tail)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, tail) = tail.split_at_checked(length).ok_or(TileError::Entries)?;
        entries.push(entry);
        rest = tail;
    }
    if entries.is_empty() || entries.len() as u64 > TILE_WIDTH || !rest.is_empty() {
        return Err(TileError::Entries);
    }
    Ok(entries)
}
