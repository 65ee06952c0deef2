//! The rules that a manifest must keep once its tables have the right shape.

use std::collections::BTreeSet;

use fcs_core::{ModelVersion, UnixMicros};

use super::shape::{CutOffs, Draft};
use super::{
    Evaluation, FileEntry, FileRole, ModelInfo, Reason, ReferencePopulation, Training, evidence,
};
use crate::catalogue;
use crate::score::ScoreScale;

/// Names that a package's other files must not take.
const RESERVED_PATHS: [&str; 2] = ["model.toml", "model.toml.sig"];

/// Adds a problem for every broken rule that concerns neither features nor knock-outs.
pub(super) fn sections(draft: &Draft, problems: &mut Vec<String>) {
    if let Some(model) = &draft.model {
        model_info(model, problems);
    }
    files(&draft.files, draft.format, problems);
    reasons(draft, problems);
    catalogue::check(&draft.catalogues, &draft.reasons, problems);
    if let Some(score) = &draft.score {
        score_scale(score, problems);
    }
    if let (Some(score), Some(cut_offs)) = (&draft.score, &draft.cut_offs) {
        cut_offs_fit(score, cut_offs, problems);
    }
    if let Some(cut_offs) = &draft.cut_offs {
        for (key, text) in [("name", &cut_offs.name), ("version", &cut_offs.version)] {
            if let Some(text) = text {
                not_blank(&format!("policy.{key}"), text, problems);
            }
        }
    }
    if let Some(population) = &draft.reference_population {
        reference_population(population, draft, problems);
    }
    if let Some(Training { rows: 0 }) = draft.training {
        problems.push("training.rows: must be at least 1".to_owned());
    }
    if let Some(measured) = &draft.evaluation {
        evaluation(measured, problems);
    }
    if let Some(table) = &draft.lineage {
        evidence::lineage(table, problems);
    }
    if let Some(table) = &draft.engine {
        evidence::engine(table, problems);
    }
    if let Some(table) = &draft.calibration {
        evidence::calibration(table, problems);
    }
    if let Some(table) = &draft.score_distribution {
        evidence::score_distribution(table, problems);
    }
}

fn model_info(model: &ModelInfo, problems: &mut Vec<String>) {
    if let Err(error) = ModelVersion::new(&model.name, &model.version) {
        problems.push(format!("model.name, model.version: {error}"));
    }
    not_blank("model.title", &model.title, problems);
    not_blank("model.adverse_outcome", &model.adverse_outcome, problems);
    let midnight = format!("{}T00:00:00Z", model.created);
    if model.created.len() != 10 || UnixMicros::parse_rfc3339(&midnight).is_err() {
        problems.push("model.created: must be a day as YYYY-MM-DD".to_owned());
    }
    let commit = &model.git_commit;
    if !commit.is_empty() && !is_commit(commit) {
        problems.push(
            "model.git_commit: must be empty or 7 to 64 lower-case hexadecimal digits".to_owned(),
        );
    }
}

pub(super) fn is_commit(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (7..=64).contains(&text.len()) && text.bytes().all(is_digit)
}

fn files(files: &[Option<FileEntry>], manifest_format: i64, problems: &mut Vec<String>) {
    let mut paths = BTreeSet::new();
    for (index, file) in present(files) {
        let plain = !file.path.is_empty()
            && file.path.len() <= 255
            && !file.path.starts_with('.')
            && file
                .path
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if !plain {
            problems.push(format!(
                "files[{index}].path: must be a plain file name of letters, digits, '.', '_' and '-', \
                 not starting with '.'"
            ));
        }
        if RESERVED_PATHS.contains(&file.path.to_ascii_lowercase().as_str()) {
            problems.push(format!(
                "files[{index}].path: {:?} is the manifest's or its signature's own name",
                file.path
            ));
        }
        if !paths.insert(&file.path) {
            problems.push(format!(
                "files[{index}].path: {:?} is listed twice",
                file.path
            ));
        }
        let formats = file.role.formats(manifest_format);
        if !formats.contains(&file.format.as_str()) {
            let allowed: Vec<String> = formats.iter().map(|name| format!("{name:?}")).collect();
            problems.push(format!(
                "files[{index}].format: must be {} for this role",
                allowed.join(" or ")
            ));
        }
    }
    // A file that could not be read might be the missing one.
    if files.iter().any(Option::is_none) {
        return;
    }
    for role in FileRole::ALL {
        let count = files
            .iter()
            .flatten()
            .filter(|file| file.role == role)
            .count();
        if count != 1 {
            problems.push(format!(
                "files: role {role:?} must occur once, found {count} times"
            ));
        }
    }
}

fn reasons(draft: &Draft, problems: &mut Vec<String>) {
    let mut codes = BTreeSet::new();
    for (index, reason) in present(&draft.reasons) {
        let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=64).contains(&reason.code.len()) || !reason.code.bytes().all(allowed) {
            problems.push(format!(
                "reasons[{index}].code: must be 1 to 64 upper-case letters, digits and '-'"
            ));
        }
        if !codes.insert(&reason.code) {
            problems.push(format!(
                "reasons[{index}].code: {:?} occurs twice",
                reason.code
            ));
        }
        reason_text(&format!("reasons[{index}].text"), reason, draft, problems);
        let digits = reason.regb_ref.bytes().all(|byte| byte.is_ascii_digit());
        let listed = digits
            && reason.regb_ref.len() == 2
            && ("01"..="23").contains(&reason.regb_ref.as_str());
        if !listed && reason.regb_ref != "other" {
            problems.push(format!(
                "reasons[{index}].regb_ref: must be \"01\" to \"23\" or \"other\""
            ));
        }
        if !(1..=9).contains(&reason.hmda_code) {
            problems.push(format!("reasons[{index}].hmda_code: must be 1 to 9"));
        }
    }
}

/// A reason has its text here or in the catalogues, not in both.
fn reason_text(path: &str, reason: &Reason, draft: &Draft, problems: &mut Vec<String>) {
    if draft.catalogues.is_empty() {
        not_blank(path, &reason.text, problems);
    } else if !reason.text.is_empty() {
        problems.push(format!("{path}: the texts are in [[catalogues]]"));
    }
}

fn score_scale(score: &ScoreScale, problems: &mut Vec<String>) {
    if score.minimum >= score.maximum {
        problems.push("score.minimum: must be below score.maximum".to_owned());
    }
    let (low, high) = (f64::from(score.minimum), f64::from(score.maximum));
    if !(low..=high).contains(&score.base_score) {
        problems
            .push("score.base_score: must lie between score.minimum and score.maximum".to_owned());
    }
    let positive = [
        ("base_odds", score.base_odds),
        ("points_to_double_odds", score.points_to_double_odds),
    ];
    for (key, value) in positive {
        if !(value.is_finite() && value > 0.0) {
            problems.push(format!("score.{key}: must be a finite number above 0"));
        }
    }
}

fn cut_offs_fit(score: &ScoreScale, cut_offs: &CutOffs, problems: &mut Vec<String>) {
    let scale = score.minimum..=score.maximum;
    if !scale.contains(&cut_offs.approve_at_least) {
        problems.push("policy.approve_at_least: must lie on the scale of [score]".to_owned());
    }
    if !scale.contains(&cut_offs.refer_at_least) {
        problems.push("policy.refer_at_least: must lie on the scale of [score]".to_owned());
    }
    if cut_offs.refer_at_least > cut_offs.approve_at_least {
        problems
            .push("policy.refer_at_least: must not be above policy.approve_at_least".to_owned());
    }
}

fn reference_population(
    population: &ReferencePopulation,
    draft: &Draft,
    problems: &mut Vec<String>,
) {
    not_blank("reference_population.id", &population.id, problems);
    not_blank(
        "reference_population.description",
        &population.description,
        problems,
    );
    if population.rows == 0 {
        problems.push("reference_population.rows: must be at least 1".to_owned());
    }
    if population.score_from >= population.score_to {
        problems.push("reference_population.score_from: must be below score_to".to_owned());
    }
    if let Some(cut_offs) = &draft.cut_offs
        && population.score_from < cut_offs.approve_at_least
    {
        problems.push(
            "reference_population.score_from: must not be below policy.approve_at_least".to_owned(),
        );
    }
}

fn evaluation(evaluation: &Evaluation, problems: &mut Vec<String>) {
    if evaluation.rows == 0 {
        problems.push("evaluation.rows: must be at least 1".to_owned());
    }
    for (key, value) in [("auc", evaluation.auc), ("brier", evaluation.brier)] {
        if !(0.0..=1.0).contains(&value) {
            problems.push(format!("evaluation.{key}: must be from 0 to 1"));
        }
    }
}

/// The entries that could be read, with their positions in the file.
pub(super) fn present<T>(entries: &[Option<T>]) -> impl Iterator<Item = (usize, &T)> {
    entries
        .iter()
        .enumerate()
        .filter_map(|(index, entry)| Some((index, entry.as_ref()?)))
}

pub(super) fn not_blank(path: &str, text: &str, problems: &mut Vec<String>) {
    if text.trim().is_empty() {
        problems.push(format!("{path}: must not be empty"));
    }
}
