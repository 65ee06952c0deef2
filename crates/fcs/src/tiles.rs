//! A published log: where it is read, and the check of every tile and entry.

use std::time::Duration;

use anyhow::Context as _;
use deployment_audit::tile_folder::{TileFolder, first};
use fcs_core::Digest;
use fcs_tlog::tile::{TILE_WIDTH, TileKind, parse_entries, parse_hashes};
use fcs_tlog::{Frontier, Tile, TreeHead, leaf_hash};
use reqwest::{Client, StatusCode, Url};

use crate::cli::Global;
use crate::exit::CliError;
use crate::trust::failed;

/// Longest wait for a file.
const LIMIT: Duration = Duration::from_secs(10);
/// Longest file: a bundle of 256 entries of the greatest length.
const FILE_BYTES_MAX: usize = 17 << 20;

/// Where a log is read.
pub(crate) enum TileSource {
    /// A folder of this machine.
    Folder(TileFolder),
    /// An address, with what is shown to it.
    Http {
        /// Connections.
        client: Client,
        /// The address before `/checkpoint`.
        prefix: String,
        /// The `authorization` header.
        credential: Option<String>,
    },
}

impl TileSource {
    /// A folder, or an address that begins with `http`.
    pub(crate) fn open(place: &str, global: &Global) -> anyhow::Result<Self> {
        if !place.starts_with("http://") && !place.starts_with("https://") {
            return Ok(Self::Folder(TileFolder::new(place)));
        }
        // Whichever call is first decides for the process, and all of them say the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder().timeout(LIMIT);
        if let Some(ca) = &global.tls.ca {
            let pem = std::fs::read(ca).with_context(|| format!("read {}", ca.display()))?;
            client = client.tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem)?);
        }
        let credential = match &global.api_key_file {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("read {}", path.display()))?;
                Some(format!("Bearer {}", text.trim()))
            }
        };
        Ok(Self::Http {
            client: client.build()?,
            prefix: place.trim_end_matches('/').to_owned(),
            credential,
        })
    }

    /// The latest checkpoint.
    pub(crate) async fn checkpoint(&self) -> anyhow::Result<Vec<u8>> {
        let found = match self {
            Self::Folder(folder) => folder.checkpoint()?,
            Self::Http { .. } => self.get("checkpoint").await?,
        };
        found.ok_or_else(|| CliError::NotFound("there is no checkpoint".to_owned()).into())
    }

    /// The bytes of a tile. A partial one may be gone once the full one is there.
    pub(crate) async fn tile(&self, tile: &Tile) -> anyhow::Result<Vec<u8>> {
        let found = match self {
            Self::Folder(folder) => folder.tile(tile)?,
            Self::Http { .. } => match self.get(&tile.to_string()).await? {
                Some(bytes) => Some(bytes),
                None => match Tile::new(tile.kind(), tile.index(), TILE_WIDTH) {
                    Some(full) if full != *tile => {
                        let bytes = self.get(&full.to_string()).await?;
                        bytes.and_then(|bytes| first(&bytes, tile))
                    }
                    _ => None,
                },
            },
        };
        found.ok_or_else(|| failed(&format!("{tile} is missing")))
    }

    async fn get(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let Self::Http {
            client,
            prefix,
            credential,
        } = self
        else {
            return Ok(None);
        };
        let url = Url::parse(&format!("{prefix}/{path}"))?;
        let mut request = client.get(url);
        if let Some(credential) = credential {
            request = request.header("authorization", credential);
        }
        let mut response = request.send().await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => anyhow::bail!("{prefix}/{path} answers {status}"),
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            bytes.extend_from_slice(&chunk);
            anyhow::ensure!(bytes.len() <= FILE_BYTES_MAX, "{path} is too long");
        }
        Ok(Some(bytes))
    }
}

/// Reads every entry behind the frontier up to a head, gives each with its hash to `look`, and checks that they lead to the head.
pub(crate) async fn follow(
    source: &TileSource,
    frontier: &mut Frontier,
    head: &TreeHead,
    mut look: impl FnMut(&[u8], Digest) -> Result<(), String>,
) -> anyhow::Result<()> {
    while frontier.size() < head.size {
        let index = frontier.size() / TILE_WIDTH;
        let width = TILE_WIDTH.min(head.size - index * TILE_WIDTH);
        let bundle = Tile::new(TileKind::Entries, index, width)
            .context("the log is longer than any log can be")?;
        let bytes = source.tile(&bundle).await?;
        let entries =
            parse_entries(&bytes).map_err(|error| failed(&format!("{bundle}: {error}")))?;
        if entries.len() as u64 != width {
            return Err(failed(&format!("{bundle} holds {} entries", entries.len())));
        }
        let known = usize::try_from(frontier.size() - bundle.start())?;
        for entry in &entries[known..] {
            let position = frontier.size();
            let leaf = leaf_hash(entry);
            look(entry, leaf).map_err(|error| failed(&format!("entry {position}: {error}")))?;
            frontier.push(leaf);
        }
    }
    if frontier.head() == *head {
        Ok(())
    } else {
        Err(failed("the entries do not give the root of the checkpoint"))
    }
}

/// Checks every hash tile of a log whose leaves have these hashes; returns their number.
pub(crate) async fn check_hashes(
    source: &TileSource,
    mut level: Vec<Digest>,
) -> anyhow::Result<usize> {
    let (mut height, mut tiles) = (0, 0);
    for tile in Tile::between(0, level.len() as u64) {
        let TileKind::Hashes { level: of } = tile.kind() else {
            continue;
        };
        if of != height {
            level = above(&level);
            height = of;
        }
        let bytes = source.tile(&tile).await?;
        let found = parse_hashes(&bytes).map_err(|error| failed(&format!("{tile}: {error}")))?;
        let start = usize::try_from(tile.start())?;
        let end = start + usize::try_from(tile.width())?;
        if level.get(start..end) != Some(found.as_slice()) {
            return Err(failed(&format!("{tile} is not over what is below it")));
        }
        tiles += 1;
    }
    Ok(tiles)
}

/// The roots of the full tiles of a level.
fn above(level: &[Digest]) -> Vec<Digest> {
    let full = level.chunks_exact(usize::try_from(TILE_WIDTH).unwrap_or(usize::MAX));
    full.map(|hashes| {
        let mut frontier = Frontier::new();
        for hash in hashes {
            frontier.push(*hash);
        }
        frontier.head().root
    })
    .collect()
}
