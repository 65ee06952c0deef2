//! `fcs bias sheet` and `fcs bias verify`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use fcs_decision::manifest::sha256;
use fcs_proto::monitoring::v1::{GetSheetRequest, SheetFormat};
use fcs_tlog::note::{SignedNote, VerifierKey};
use serde::Serialize;

use super::examine::basis;
use super::parse_references;
use crate::cli::{Global, SheetArguments};
use crate::client::Clients;
use crate::exit::CliError;
use crate::output::print;

/// The first line of a note on a sheet.
const NOTE_HEAD: &str = "faircredit fairness sheet v1";
/// What the name of a note ends in, after the name of its sheet.
const NOTE: &str = "note";

#[derive(Serialize)]
struct Written {
    file: PathBuf,
    note: PathBuf,
    bytes: usize,
    verifier_key: String,
}

#[derive(Serialize)]
struct Verified {
    file: PathBuf,
    made_at: String,
    last_index: String,
    model: String,
    day: String,
    policy_digest: String,
    signed_by: String,
}

/// Writes a sheet and its note.
pub(super) async fn write(global: &Global, arguments: &SheetArguments) -> anyhow::Result<()> {
    let format = format_of(&arguments.to)?;
    let mut clients = Clients::of(global)?;
    let request = GetSheetRequest {
        model: arguments.model.clone().unwrap_or_default(),
        day: arguments.day.clone().unwrap_or_default(),
        reference_groups: parse_references(&arguments.references)?,
        format: format.into(),
        attributes: arguments.attributes.clone(),
        stratify_by: arguments.stratify_by.clone().unwrap_or_default(),
        basis: basis(arguments.basis).into(),
        arm: arguments.arm.clone().unwrap_or_default(),
    };
    let answer = clients.monitoring.get_sheet(request).await;
    let answer = answer.map_err(CliError::from)?.into_inner();
    let note = note_of(&arguments.to);
    for (path, bytes) in [
        (&arguments.to, &answer.sheet[..]),
        (&note, answer.note.as_bytes()),
    ] {
        fs::write(path, bytes).with_context(|| format!("write {}", path.display()))?;
    }
    let written = Written {
        file: arguments.to.clone(),
        note,
        bytes: answer.sheet.len(),
        verifier_key: answer.verifier_key,
    };
    print(global.output, &written, |it| {
        format!(
            "{} ({} bytes), signed in {}\nCheck it with: fcs bias verify {} --key '{}'\n\
             Whoever is to believe it must have the key from elsewhere than the sheet.",
            it.file.display(),
            it.bytes,
            it.note.display(),
            it.file.display(),
            it.verifier_key
        )
    })
}

/// Checks a sheet against its note.
pub(super) fn verify(global: &Global, file: &Path, key: &str) -> anyhow::Result<()> {
    let key: VerifierKey = key
        .parse()
        .map_err(|error| CliError::Usage(format!("the verifier key: {error}")))?;
    let bytes = fs::read(file).with_context(|| format!("read {}", file.display()))?;
    let path = note_of(file);
    let note = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    let failed = |why: String| CliError::Verification(format!("{}: {why}", file.display()));
    let note = SignedNote::parse(&note).map_err(|error| failed(error.to_string()))?;
    let keys = [key];
    let verified = note
        .verify(&keys)
        .map_err(|error| failed(error.to_string()))?;
    let lines: Vec<&str> = verified.text.lines().collect();
    let [
        NOTE_HEAD,
        made_at,
        last_index,
        model,
        day,
        policy,
        _,
        digest,
    ] = lines[..]
    else {
        return Err(failed("the note is not that of a sheet".to_owned()).into());
    };
    if digest != sha256(&bytes).to_string() {
        return Err(failed("the file is not the one that was signed".to_owned()).into());
    }
    let verified = Verified {
        file: file.to_owned(),
        made_at: made_at.to_owned(),
        last_index: last_index.to_owned(),
        model: model.to_owned(),
        day: day.to_owned(),
        policy_digest: policy.to_owned(),
        signed_by: keys[0].name().to_string(),
    };
    print(global.output, &verified, |it| {
        format!(
            "{} is what {} signed at {}: model {}, day {}, from the log up to index {}, under the policy {}",
            it.file.display(),
            it.signed_by,
            it.made_at,
            it.model,
            it.day,
            it.last_index,
            it.policy_digest
        )
    })
}

fn format_of(file: &Path) -> Result<SheetFormat, CliError> {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("json") => Ok(SheetFormat::Json),
        Some("csv") => Ok(SheetFormat::Csv),
        Some("html") => Ok(SheetFormat::Html),
        _ => Err(CliError::Usage(format!(
            "--to {}: end the name in .json, .csv or .html",
            file.display()
        ))),
    }
}

fn note_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(NOTE);
    name.into()
}
