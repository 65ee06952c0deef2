//! A log published as files: the layout of C2SP tlog-tiles in a folder that any web server can serve.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use fcs_tlog::Tile;
use fcs_tlog::tile::TileKind;

/// A folder with `checkpoint` and `tile/`.
#[derive(Debug, Clone)]
pub struct TileFolder {
    root: PathBuf,
}

impl TileFolder {
    /// The folder at a path, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The published checkpoint; `None` when nothing is published.
    pub fn checkpoint(&self) -> io::Result<Option<Vec<u8>>> {
        read(&self.root.join("checkpoint"))
    }

    /// The bytes of a tile; `None` when there is none. A partial tile may be cut from the full one, which is the same
    /// tile later on.
    pub fn tile(&self, tile: &Tile) -> io::Result<Option<Vec<u8>>> {
        if let Some(bytes) = read(&self.root.join(tile.to_string()))? {
            return Ok(Some(bytes));
        }
        match Tile::new(tile.kind(), tile.index(), fcs_tlog::tile::TILE_WIDTH) {
            Some(full) if !tile.is_full() => {
                Ok(read(&self.root.join(full.to_string()))?.and_then(|bytes| first(&bytes, tile)))
            }
            _ => Ok(None),
        }
    }

    /// Writes tiles, durably; what is there with other bytes is an error. Partial tiles go once the full one is there.
    pub fn put_tiles(&self, tiles: &[(Tile, Vec<u8>)]) -> io::Result<()> {
        for (tile, bytes) in tiles {
            let path = self.root.join(tile.to_string());
            match read(&path)? {
                Some(found) if found == *bytes => {}
                Some(_) => {
                    let text = format!("{} holds another tile", path.display());
                    return Err(io::Error::new(ErrorKind::AlreadyExists, text));
                }
                None => write_whole(&path, bytes)?,
            }
        }
        for (tile, _) in tiles.iter().filter(|(tile, _)| tile.is_full()) {
            let partial = self.root.join(format!("{tile}.p"));
            match fs::remove_dir_all(partial) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Publishes a checkpoint, durably and at once.
    pub fn put_checkpoint(&self, note: &str) -> io::Result<()> {
        write_whole(&self.root.join("checkpoint"), note.as_bytes())
    }
}

/// The part of a full tile that a partial one is.
pub fn first(full: &[u8], tile: &Tile) -> Option<Vec<u8>> {
    let width = usize::try_from(tile.width()).ok()?;
    if matches!(tile.kind(), TileKind::Hashes { .. }) {
        return full.get(..32 * width).map(<[u8]>::to_vec);
    }
    let entries = fcs_tlog::tile::parse_entries(full).ok()?;
    fcs_tlog::tile::encode_entries(entries.get(..width)?.iter().copied()).ok()
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        // Where a folder should be there may be a file: then the tile is not there either.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Writes a file so that whoever looks, also after a power cut, sees all of it or what was there before.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let draft = path.with_file_name(name);
    let mut file = File::create(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&draft, path)?;
    File::open(folder)?.sync_all()
}
