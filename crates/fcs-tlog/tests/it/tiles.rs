//! Tiles: the layout that the specification prints, and one path per file.

use fcs_tlog::tile::{
    ENTRY_BYTES_MAX, Tile, TileError, TileKind, encode_entries, parse_entries, parse_hashes,
};
use fcs_tlog::{Frontier, leaf_hash};
use proptest::prelude::*;

use crate::{leaf, leaf_data, tree};

fn hashes(level: u8, index: u64, width: u64) -> Tile {
    Tile::new(TileKind::Hashes { level }, index, width).unwrap()
}

#[test]
fn a_log_of_70000_has_the_files_that_the_specification_counts() {
    let tiles = Tile::between(0, 70_000);
    let of_level = |level| {
        let kind = TileKind::Hashes { level };
        let tiles = tiles.iter().filter(move |tile| tile.kind() == kind);
        let (full, partial): (Vec<&Tile>, Vec<_>) = tiles.partition(|tile| tile.is_full());
        let partial: Vec<u64> = partial.iter().map(|tile| tile.width()).collect();
        (full.len(), partial)
    };
    assert_eq!(of_level(0), (273, vec![112]));
    assert_eq!(of_level(1), (1, vec![17]));
    assert_eq!(of_level(2), (0, vec![1]));
    assert_eq!(of_level(3), (0, vec![]));
    let entries = tiles
        .iter()
        .filter(|tile| tile.kind() == TileKind::Entries)
        .count();
    assert_eq!(entries, 274);
    assert_eq!(Tile::between(0, 0), []);
    // "Note that a tree of size 256 will be represented by a full level 0 tile and a partial level 1 tile of width 1."
    let entries = Tile::new(TileKind::Entries, 0, 256).unwrap();
    assert_eq!(
        Tile::between(0, 256),
        [hashes(0, 0, 256), entries, hashes(1, 0, 1)]
    );
}

#[test]
fn paths_are_those_of_the_specification() {
    for (tile, path) in [
        (hashes(0, 1_234_067, 256), "tile/0/x001/x234/067"),
        (hashes(1, 0, 17), "tile/1/000.p/17"),
        (hashes(63, 999, 1), "tile/63/999.p/1"),
        (hashes(2, 1_000, 256), "tile/2/x001/000"),
        (
            Tile::new(TileKind::Entries, 273, 112).unwrap(),
            "tile/entries/273.p/112",
        ),
    ] {
        assert_eq!(tile.to_string(), path);
        assert_eq!(path.parse(), Ok(tile));
    }
    for path in [
        "",
        "tile/0/0",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001/x002",
        "tile/00/001",
        "tile/64/001",
        "tile/-1/001",
        "tile/0/+01",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/08",
        "tile/0/001.p/",
        "tile/8/0/001",
        "tile/data/001",
        "tile/entries/x1000/000",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "/tile/0/001",
        "tile/0/001/",
        "tile/0/../001",
    ] {
        assert_eq!(path.parse::<Tile>(), Err(TileError::Path), "{path}");
    }
}

#[test]
fn tiles_hold_the_hashes_of_complete_subtrees() {
    let whole = tree(1_000);
    let bytes = whole.tile(&hashes(0, 3, 232)).unwrap();
    let expected: Vec<_> = (768..1_000).map(leaf).collect();
    assert_eq!(parse_hashes(&bytes), Ok(expected));
    // By definition a hash of level 1 is the root of its 256 leaves.
    let above = parse_hashes(&whole.tile(&hashes(1, 0, 3)).unwrap()).unwrap();
    for (index, hash) in (0u64..).zip(above) {
        let leaves = index * 256..(index + 1) * 256;
        let subtree: fcs_tlog::MerkleTree = leaves.map(leaf).collect();
        assert_eq!(subtree.root(), hash);
    }
    assert_eq!(whole.tile(&hashes(0, 3, 233)), None);
    assert_eq!(whole.tile(&hashes(1, 0, 4)), None);
    assert_eq!(whole.tile(&hashes(9, 0, 1)), None);
    assert!(hashes(1, 0, 3).is_within(1_000) && !hashes(1, 0, 4).is_within(1_000));
}

#[test]
fn entries_have_a_length_in_two_bytes() {
    assert_eq!(
        encode_entries([b"ab".as_slice(), b"", b"c"]).unwrap(),
        b"\x00\x02ab\x00\x00\x00\x01c"
    );
    let longest = vec![7; ENTRY_BYTES_MAX];
    let bytes = encode_entries([longest.as_slice()]).unwrap();
    assert_eq!(parse_entries(&bytes), Ok(vec![longest.as_slice()]));
    let longer = vec![7; ENTRY_BYTES_MAX + 1];
    assert_eq!(
        encode_entries([longer.as_slice()]),
        Err(TileError::EntryTooLong(65_536))
    );
    for broken in [
        b"".as_slice(),
        b"\x00",
        b"\x00\x01",
        b"\x00\x02a",
        b"\x00\x01a\x00",
    ] {
        assert_eq!(parse_entries(broken), Err(TileError::Entries), "{broken:?}");
    }
    assert_eq!(parse_entries(&[0; 2 * 257]), Err(TileError::Entries));
    assert_eq!(parse_hashes(&[0; 33]), Err(TileError::Hashes));
    assert_eq!(parse_hashes(&[0; 32 * 257]), Err(TileError::Hashes));
    assert_eq!(parse_hashes(&[]), Err(TileError::Hashes));
}

#[test]
fn a_frontier_has_the_roots_of_the_whole_tree() {
    let whole = tree(600);
    let mut frontier = Frontier::new();
    for size in 0..=600 {
        let head = frontier.head();
        assert_eq!((head.size, Some(head.root)), (size, whole.root_at(size)));
        let kept = Frontier::from_parts(size, frontier.hashes().to_vec());
        assert_eq!(kept.as_ref(), Some(&frontier));
        frontier.push(leaf_hash(&leaf_data(size)));
    }
    assert_eq!(Frontier::from_parts(3, vec![leaf(0)]), None);
}

proptest! {
    #[test]
    fn growing_step_by_step_leaves_every_file_of_the_last_size(mut sizes in prop::collection::vec(0u64..200_000, 1..6)) {
        sizes.sort_unstable();
        let mut old = 0;
        let mut written = std::collections::BTreeSet::new();
        for &size in &sizes {
            let step = Tile::between(old, size);
            prop_assert!(step.iter().all(|tile| tile.is_within(size) && !tile.is_within(old)));
            written.extend(step);
            old = size;
        }
        let last = Tile::between(0, old);
        prop_assert!(last.iter().all(|tile| written.contains(tile)));
    }

    #[test]
    fn every_path_reads_back(level in 0u8..64, index in 0u64..=u64::MAX / 256 - 1, width in 1u64..=256) {
        let tile = hashes(level, index, width);
        prop_assert_eq!(tile.to_string().parse(), Ok(tile));
    }
}
