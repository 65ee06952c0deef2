//! The committed bindings are what the contracts in `proto/` generate.

use std::fs;
use std::path::{Path, PathBuf};

use prost::Message as _;
use prost_types::{DescriptorProto, FileDescriptorSet};

const CONTRACTS: [&str; 14] = [
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
    "faircredit/deployment/v1/rollout.proto",
    "faircredit/deployment/v1/audit.proto",
    "inference/grpc_service.proto",
];

/// Packages whose messages carry what is said of applicants, so that they print no more than their names. Of the last
/// one these are the messages about inference.
const PERSONAL: [&str; 4] = [
    "faircredit.scoring.v1",
    "faircredit.model.v1",
    "faircredit.monitoring.v1",
    "inference",
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
        .skip_debug(personal_messages(&descriptors))
        .compile_fds(descriptors)
        .expect("bindings are generated");
    for package in PERSONAL {
        add_debug(&folder.join(format!("{package}.rs")));
    }
}

/// Full names of the personal messages. Enums keep their `Debug`: they say no more than a word of ours.
fn personal_messages(descriptors: &FileDescriptorSet) -> Vec<String> {
    let mut names = Vec::new();
    for file in &descriptors.file {
        let package = file.package();
        let messages = file.message_type.iter().map(DescriptorProto::name);
        let personal = messages.filter(|name| package != "inference" || name.contains("Infer"));
        if PERSONAL.contains(&package) {
            names.extend(personal.map(|name| format!(".{package}.{name}")));
        }
    }
    names
}

/// Gives every type that was generated without `Debug` one that prints its name.
fn add_debug(path: &Path) {
    let bindings = fs::read_to_string(path).expect("a binding");
    let mut lines = Vec::new();
    let mut is_bare = false;
    let mut open = None;
    for line in bindings.lines() {
        lines.push(line.to_owned());
        is_bare |= line.trim() == "#[prost(skip_debug)]";
        if let (true, Some(name)) = (is_bare, type_name(line)) {
            is_bare = false;
            open = Some((line.replace(line.trim_start(), ""), name));
        }
        if let Some((indent, name)) = &open
            && (line.ends_with(['}', ';']) && line.starts_with(&format!("{indent}pub "))
                || *line == format!("{indent}}}"))
        {
            lines.push(format!("{indent}::fcs_core::redacted_debug!({name});"));
            open = None;
        }
    }
    lines.push(String::new());
    fs::write(path, lines.join("\n")).expect("write a binding");
}

/// The name of the type whose definition begins on a line.
fn type_name(line: &str) -> Option<String> {
    let line = line.trim_start();
    let rest = line
        .strip_prefix("pub struct ")
        .or_else(|| line.strip_prefix("pub enum "))?;
    let name = rest.split(|char: char| !char.is_alphanumeric()).next()?;
    Some(name.to_owned())
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

#[test]
fn a_message_about_an_applicant_prints_its_name() {
    use fcs_proto::scoring::v1::feature_value::Kind;
    use fcs_proto::scoring::v1::{Outcome, ScoreRequest};

    let request = ScoreRequest {
        application_id: "A-17".to_owned(),
        ..ScoreRequest::default()
    };
    assert_eq!(format!("{request:?}"), "ScoreRequest([redacted])");
    assert_eq!(format!("{:?}", Kind::Number(90_000.0)), "Kind([redacted])");
    assert_eq!(format!("{:?}", Outcome::Deny), "Deny");
}
