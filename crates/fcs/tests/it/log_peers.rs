//! The transparency log beside code that nobody here wrote: `aics-tlog`, `aics-witness` and `metamorphic-log` (PyPI).

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deployment_audit::app::ports::{Answer, Witness as _};
use deployment_audit::tile_folder::TileFolder;
use deployment_audit::witness_client::HttpWitness;
use fcs_core::Digest;
use fcs_testkit::process::{Process, free_port, program};
use fcs_tlog::note::SigningKey;
use fcs_tlog::tile::{TileKind, encode_entries};
use fcs_tlog::witness::AddCheckpoint;
use fcs_tlog::{Checkpoint, MerkleTree, Policy, Tile, TreeHead, leaf_hash};
use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};

use crate::system::{fcs, json as document, root};

const ORIGIN: &str = "faircredit.example/peers";
const SIZE: u64 = 100_000;
/// Sizes that have a checkpoint, the last one the whole log.
const SIZES: [u64; 4] = [300, 65_536, 70_000, SIZE];
const LIMIT: Duration = Duration::from_secs(30);

/// A program of the Python environment.
fn outside(name: &str) -> PathBuf {
    let folder = std::env::var_os("FCS_TEST_TLOG_PROGRAMS");
    PathBuf::from(folder.expect("run the tests with `cargo xtask test`")).join(name)
}

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

fn key() -> SigningKey {
    SigningKey::from_seed(ORIGIN.parse().unwrap(), &[7; 32])
}

fn signed(head: TreeHead) -> String {
    let origin = ORIGIN.parse().unwrap();
    Checkpoint { origin, head }
        .sign(&key())
        .unwrap()
        .to_string()
}

/// Our log in a folder, with a checkpoint of each size beside it.
struct Log {
    folder: TempDir,
    /// Outside the folder that a server would deliver: verifiers take no key from there.
    vkey: NamedTempFile,
    tree: MerkleTree,
}

impl Log {
    fn publish() -> Self {
        let folder = TempDir::new().unwrap();
        let tree: MerkleTree = (0..SIZE).map(|index| leaf_hash(&entry(index))).collect();
        let vkey = NamedTempFile::new().unwrap();
        fs::write(&vkey, format!("{}\n", key().verifier_key())).unwrap();
        let log = Self { folder, vkey, tree };
        for tile in Tile::between(0, SIZE) {
            let bytes = match tile.kind() {
                TileKind::Hashes { .. } => log.tree.tile(&tile).unwrap(),
                TileKind::Entries => {
                    let entries: Vec<_> = (tile.start()..tile.start() + tile.width())
                        .map(entry)
                        .collect();
                    encode_entries(entries.iter().map(Vec::as_slice)).unwrap()
                }
            };
            // Without waiting for the disk: a thousand files, and nobody needs them tomorrow.
            let path = log.path(&tile.to_string());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        for size in SIZES {
            fs::write(log.path(&format!("checkpoint.{size}")), log.note(size)).unwrap();
        }
        TileFolder::new(log.folder.path())
            .put_checkpoint(&log.note(SIZE))
            .unwrap();
        log
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn note(&self, size: u64) -> String {
        let root = self.tree.root_at(size).unwrap();
        signed(TreeHead { size, root })
    }

    /// Runs `aics-tlog` with the log's folder and key.
    fn aics(&self, arguments: &[&str]) -> Output {
        Command::new(outside("aics-tlog"))
            .args(arguments)
            .arg("--tiles")
            .arg(self.folder.path())
            .arg("--vkey-file")
            .arg(self.vkey.path())
            .output()
            .unwrap()
    }

    fn ours(&self) -> Output {
        let key = key().verifier_key().to_string();
        let place = self.folder.path().to_str().unwrap().to_owned();
        let command = [
            "audit",
            "verify",
            "--any-entries",
            "--tiles",
            &place,
            "--key",
            &key,
        ];
        fcs(
            self.folder.path(),
            &[&command[..], &["-o", "json"]].concat(),
        )
        .output()
        .unwrap()
    }
}

fn accepted(output: &Output) -> Value {
    let answer = document(output);
    assert_eq!(answer["ok"], true, "{answer}");
    answer
}

fn encoded(proof: &[Digest]) -> Vec<String> {
    let encode = |hash: &Digest| STANDARD.encode(hash.as_bytes());
    proof.iter().map(encode).collect()
}

fn script(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(outside("python"))
        .arg(root().join("crates/fcs/tests/tlog/outsiders.py"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

#[test]
fn outsiders_accept_a_log_of_100000_entries_and_refuse_a_changed_byte() {
    let log = Log::publish();
    let newest = log.path("checkpoint.100000").display().to_string();
    accepted(&log.aics(&["verify-checkpoint", "--note", &newest]));
    for index in [0, 255, 256, 65_535, 65_536, 99_999] {
        fs::write(log.path("leaf"), entry(index)).unwrap();
        let (leaf, index) = (log.path("leaf").display().to_string(), index.to_string());
        accepted(&log.aics(&["verify-inclusion", "--leaf", &leaf, "--index", &index]));
    }
    for old in [300, 65_536, 70_000] {
        let old = log.path(&format!("checkpoint.{old}")).display().to_string();
        let arguments = ["--old-checkpoint", &old, "--checkpoint", &newest];
        accepted(&log.aics(&[&["verify-consistency"][..], &arguments].concat()));
    }
    metamorphic_accepts(&log);
    assert_eq!(document(&log.ours())["size"], SIZE);

    let tile = log.path("tile/entries/123");
    let mut bytes = fs::read(&tile).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&tile, &bytes).unwrap();
    assert_eq!(log.ours().status.code(), Some(7));
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&tile, &bytes).unwrap();
    let tile = log.path("tile/1/001.p/134");
    let mut bytes = fs::read(&tile).unwrap();
    bytes[1_000] ^= 1;
    fs::write(&tile, &bytes).unwrap();
    assert_eq!(log.ours().status.code(), Some(7));
    let refused = log.aics(&["verify-checkpoint", "--note", &newest]);
    assert!(!refused.status.success());
}

fn metamorphic_accepts(log: &Log) {
    let notes: serde_json::Map<String, Value> = SIZES
        .iter()
        .map(|size| (size.to_string(), log.note(*size).into()))
        .collect();
    let inclusion = |index: u64| {
        json!({
            "index": index,
            "leaf": STANDARD.encode(leaf_hash(&entry(index)).as_bytes()),
            "note": SIZE.to_string(),
            "proof": encoded(&log.tree.inclusion_proof(index, SIZE).unwrap()),
        })
    };
    let consistency = |old: &u64| {
        json!({
            "old": old.to_string(),
            "new": SIZE.to_string(),
            "proof": encoded(&log.tree.consistency_proof(*old, SIZE).unwrap()),
        })
    };
    let inclusions: Vec<Value> = (0..SIZE).step_by(997).map(inclusion).collect();
    let mut asked = json!({
        "vkey": key().verifier_key().to_string(),
        "notes": notes,
        "inclusions": inclusions,
        "consistencies": SIZES[..3].iter().map(consistency).collect::<Vec<_>>(),
    });
    let held = document(&script(&["check"], &asked.to_string()));
    assert_eq!(
        held,
        json!({"inclusions": inclusions.len(), "consistencies": 3})
    );
    asked["inclusions"][5]["index"] = json!(1);
    assert!(!script(&["check"], &asked.to_string()).status.success());
}

#[test]
fn we_verify_a_log_that_outsiders_made() {
    let folder = TempDir::new().unwrap();
    let place = folder.path().to_str().unwrap();
    for count in ["1", "256", "1000", "70000"] {
        fs::remove_dir_all(place).unwrap();
        fs::create_dir(place).unwrap();
        let made = script(&["build", place, "other.example/log", count], "");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let key = String::from_utf8(made.stdout).unwrap();
        let verify = |key: &str| {
            let arguments = [
                "audit",
                "verify",
                "--any-entries",
                "--tiles",
                place,
                "--key",
                key,
            ];
            fcs(folder.path(), &[&arguments[..], &["-o", "json"]].concat())
                .output()
                .unwrap()
        };
        let verified = document(&verify(key.trim()));
        assert_eq!(verified["size"].to_string(), count);
        assert_eq!(verified["origin"], "other.example/log");
        let stranger = self::key().verifier_key().to_string();
        assert_eq!(verify(&stranger).status.code(), Some(7));
    }
}

/// A process that is stopped with the value.
fn serve(command: Command, folder: &Path, port: u16) -> Process {
    let process = Process::start_command("witness", folder, command);
    let start = std::time::Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(start.elapsed() < LIMIT, "{}", process.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    process
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outside_witness_cosigns_our_log_and_not_its_forgery() {
    let folder = TempDir::new().unwrap();
    let tree: MerkleTree = (0..70_000).map(|index| leaf_hash(&entry(index))).collect();
    let port = free_port();
    let config = folder.path().join("witness.json").display().to_string();
    let witness = |arguments: &[&str]| {
        let mut command = Command::new(outside("aics-witness"));
        command.args(arguments).args(["--config", &config]);
        command
    };
    let listen = format!("127.0.0.1:{port}");
    let identity = ["init", "--name", "outside.example/w", "--listen", &listen];
    let made = witness(&identity).output().unwrap();
    let vkey = String::from_utf8(made.stdout).unwrap();
    let log_key = key().verifier_key().to_string();
    let added = witness(&["add-log", "--origin", ORIGIN, "--vkey", &log_key])
        .output()
        .unwrap();
    assert!(added.status.success());
    let _running = serve(witness(&["serve"]), folder.path(), port);

    let text = format!(
        "log {log_key}\nwitness w {} http://{listen}\nquorum w\n",
        vkey.trim()
    );
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let client = HttpWitness::of(&policy.witnesses()[0]).unwrap().unwrap();
    let head = |size: u64| TreeHead {
        size,
        root: tree.root_at(size).unwrap(),
    };
    let request = |old_size, head: TreeHead| AddCheckpoint {
        old_size,
        proof: tree.consistency_proof(old_size, head.size).unwrap(),
        checkpoint: signed(head),
    };
    let cosigned = async |request: &AddCheckpoint| {
        let Ok(Answer::Cosigned(lines)) = client.ask(request).await else {
            panic!("it does not cosign");
        };
        let lines = lines
            .iter()
            .fold(String::new(), |text, line| text + &line.to_string() + "\n");
        let note = request.checkpoint.clone() + &lines;
        policy.accept(note.as_bytes()).unwrap().checkpoint.head
    };
    assert_eq!(cosigned(&request(0, head(300))).await, head(300));
    let wrong = client.ask(&request(0, head(70_000))).await;
    assert_eq!(wrong, Ok(Answer::OtherSize(300)));
    assert_eq!(cosigned(&request(300, head(70_000))).await, head(70_000));
    let forged = |size| TreeHead {
        size,
        root: leaf_hash(b"forged"),
    };
    // Version 1.1.0 of the protocol answers 422 to both; ours and 1.0.0 tell the first one by 409.
    let mut same_size = request(70_000, head(70_000));
    same_size.checkpoint = signed(forged(70_000));
    let mut grown = request(69_999, head(70_000));
    grown.old_size = 70_000;
    grown.checkpoint = signed(forged(70_001));
    for asked in [same_size, grown] {
        assert_eq!(client.ask(&asked).await, Ok(Answer::Inconsistent));
    }
    let kept = witness(&["evidence"]).output().unwrap();
    assert!(String::from_utf8_lossy(&kept.stdout).contains(ORIGIN));
}

#[test]
fn an_outside_log_is_cosigned_by_our_witness_and_outsiders_verify_it() {
    let log = Log::publish();
    let port = free_port();
    let state = TempDir::new().unwrap();
    let policy = state.path().join("logs.policy");
    fs::write(
        &policy,
        format!("log {}\nquorum none\n", key().verifier_key()),
    )
    .unwrap();
    let folder = state.path().to_str().unwrap();
    let identity = ["--name", "ours.example/w1", "--state", folder];
    let vkey = fcs(
        state.path(),
        &[&["audit", "witness", "key", "-o", "json"][..], &identity].concat(),
    );
    let vkey = document(&{ vkey }.output().unwrap());
    let vkey = vkey["verifier_key"].as_str().unwrap();
    let mut command = Command::new(program("fcs"));
    command
        .args(["audit", "witness", "serve", "--policy"])
        .arg(&policy)
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .args(identity);
    let mut running = serve(command, state.path(), port);

    let url = format!("http://127.0.0.1:{port}");
    let tiles = log.folder.path().to_str().unwrap();
    let sizes = SIZES.map(|size| size.to_string());
    let mut arguments = vec!["feed", &url, vkey, tiles];
    arguments.extend(sizes.iter().map(String::as_str));
    let cosigned = script(&arguments, "");
    assert!(
        cosigned.status.success(),
        "{}",
        String::from_utf8_lossy(&cosigned.stderr)
    );
    fs::write(log.path("cosigned"), &cosigned.stdout).unwrap();
    let note = log.path("cosigned").display().to_string();
    let quorum = ["--witness-key", vkey, "--quorum", "1", "--max-age", "3600"];
    accepted(&log.aics(&[&["verify-checkpoint", "--note", &note][..], &quorum].concat()));
    let alone = log.path("checkpoint.100000").display().to_string();
    let refused = log.aics(&[&["verify-checkpoint", "--note", &alone][..], &quorum].concat());
    assert!(!refused.status.success());

    // An earlier checkpoint again: the client learns that the witness is ahead, also after a restart.
    running.signal("TERM");
    assert!(running.wait(LIMIT).success());
    let mut command = Command::new(program("fcs"));
    command
        .args(["audit", "witness", "serve", "--policy"])
        .arg(&policy)
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .args(identity);
    let _running = serve(command, state.path(), port);
    let stale = script(&["feed", &url, vkey, tiles, "300"], "");
    assert!(String::from_utf8_lossy(&stale.stderr).contains("WitnessAhead"));
}
