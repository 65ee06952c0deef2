//! The committed bindings are what the contracts in `proto/` generate.

use std::fs;
use std::path::{Path, PathBuf};

use prost::Message as _;

const CONTRACTS: [&str; 13] = [
    "faircredit/scoring/v1/scoring.proto",
    "faircredit/scoring/v1/feed.proto",
    "faircredit/scoring/v1/keys.proto",
    "faircredit/scoring/v1/notice.proto",
    "faircredit/scoring/v1/privacy.proto",
    "faircredit/scoring/v1/review.proto",
    "faircredit/scoring/v1/traffic.proto",
    "faircredit/model/v1/model.proto",
    "faircredit/monitoring/v1/alerts.proto",
    "faircredit/monitoring/v1/monitoring.proto",
    "faircredit/deployment/v1/deployment.proto",
    "faircredit/deployment/v1/audit.proto",
    "inference/grpc_service.proto",
];

/// `cargo xtask codegen` sets this variable to write the bindings instead of comparing them.
const UPDATE: &str = "FCS_UPDATE_GENERATED";

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a development switch of this test alone"
)]
fn committed_bindings_are_current() {
    let fresh = tempfile::tempdir().expect("temporary folder");
    generate(fresh.path());
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generated");
    if std::env::var(UPDATE).is_ok() {
        for (name, text) in bindings(fresh.path()) {
            fs::write(committed.join(name), text).expect("write a binding");
        }
    }
    assert_eq!(
        names(&bindings(&committed)),
        names(&bindings(fresh.path())),
        "run `cargo xtask codegen`"
    );
    for ((name, old), (_, new)) in bindings(&committed).iter().zip(bindings(fresh.path())) {
        assert!(
            *old == new,
            "{name} is out of date: run `cargo xtask codegen`"
        );
    }
}

fn generate(folder: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let descriptors = protox::compile(CONTRACTS, [root]).expect("the contracts compile");
    // Reflection hands these out; comments would only make them long.
    let mut bare = descriptors.clone();
    for file in &mut bare.file {
        file.source_code_info = None;
    }
    fs::write(folder.join("descriptors.bin"), bare.encode_to_vec()).expect("write descriptors");
    tonic_prost_build::configure()
        .out_dir(folder)
        .compile_fds(descriptors)
        .expect("bindings are generated");
}

fn bindings(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("folder of bindings")
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files
        .iter()
        .map(|path| (name(path), fs::read(path).unwrap()))
        .collect()
}

fn names(bindings: &[(String, Vec<u8>)]) -> Vec<&str> {
    bindings.iter().map(|(name, _)| name.as_str()).collect()
}
