//! `fcs policy`.

pub(crate) mod compare;
pub(crate) mod report;

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context;
use fcs_core::ModelVersion;
use fcs_decision::decision::{DecisionContext, decide, decide_incomplete};
use fcs_decision::features::Reading;
use fcs_decision::manifest::{FileRole, Manifest};
use fcs_decision::policy::analysis::{Finding, analyse};
use fcs_decision::record::{DecisionRecord, RECORD_FORMAT};
use fcs_decision::rows::read_reference;
use serde::Serialize;
use toml::{Table, Value};

use crate::cli::{Global, PastArguments, PolicyCommand};
use crate::commands::model::Source;
use crate::exit::CliError;
use crate::output::{print, table};
use crate::records;
use compare::{Comparison, Demographics};

/// Runs one of the commands.
pub(crate) async fn run(global: &Global, command: &PolicyCommand) -> anyhow::Result<()> {
    match command {
        PolicyCommand::Check { file, model, from } => {
            check(global, file, model.as_deref(), from.as_deref()).await
        }
        PolicyCommand::Simulate { policy, from, past } => {
            simulate(global, policy, from.as_deref(), past).await
        }
    }
}

#[derive(Serialize)]
struct Checked {
    policy: String,
    digest: String,
    knock_outs: usize,
    rules: usize,
    /// Rows of the reference population among the points that were tried.
    reference_rows: usize,
    findings: Vec<Finding>,
}

async fn check(
    global: &Global,
    file: &Path,
    model: Option<&str>,
    from: Option<&str>,
) -> anyhow::Result<()> {
    let manifest = match model {
        None => parse(&read_manifest(file)?)?,
        Some(model) => {
            let base = Source::find(global, from, model)?.read().await?;
            parse(&Draft::read(file)?.put_into(&base)?)?
        }
    };
    let references = reference_rows(file, &manifest)?;
    let policy = &manifest.policy;
    let checked = Checked {
        policy: format!("{} {}", policy.name, policy.version),
        digest: policy.digest.to_string(),
        knock_outs: policy.knock_outs.len(),
        rules: policy.rules.len(),
        reference_rows: references.len(),
        findings: analyse(policy, &manifest.features, &manifest.score, &references),
    };
    print(global.output, &checked, |checked| {
        let rows = checked.findings.iter().map(|finding| {
            let other = finding.other.as_ref().map(|id| format!(" ({id})"));
            vec![
                finding.rule.clone(),
                format!(
                    "{}{}",
                    finding.kind.description(),
                    other.unwrap_or_default()
                ),
                finding.method.to_string(),
                finding.example.clone().unwrap_or_default(),
            ]
        });
        format!(
            "policy {} with {} knock-out rules and {} rules can be used\n{}",
            checked.policy,
            checked.knock_outs,
            checked.rules,
            table(&["rule", "finding", "how it is known", "for example"], rows)
        )
    })
}

/// A manifest that is refused is the answer to the question, not a failure of the command.
fn parse(bytes: &[u8]) -> Result<Manifest, CliError> {
    Manifest::parse(bytes).map_err(|error| CliError::Verification(error.problems.join("\n       ")))
}

fn read_manifest(file: &Path) -> anyhow::Result<Vec<u8>> {
    let path = if file.is_dir() {
        file.join("model.toml")
    } else {
        file.to_path_buf()
    };
    let bytes = std::fs::read(&path)
        .map_err(|error| CliError::NotFound(format!("read {}: {error}", path.display())))?;
    let is_manifest = std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| toml::from_str::<Table>(text).ok())
        .is_none_or(|table| table.contains_key("manifest_format"));
    if is_manifest {
        return Ok(bytes);
    }
    let message = format!(
        "{} is no manifest: name a package with --model",
        path.display()
    );
    Err(CliError::Usage(message).into())
}

/// The reference population beside the manifest, where there is one.
fn reference_rows(
    file: &Path,
    manifest: &Manifest,
) -> anyhow::Result<Vec<std::collections::BTreeMap<String, fcs_decision::features::FeatureInput>>> {
    let folder = if file.is_dir() {
        Some(file)
    } else {
        file.parent()
    };
    let path = folder.map(|folder| folder.join(&manifest.file(FileRole::Reference).path));
    let Some(path) = path.filter(|path| path.is_file()) else {
        return Ok(Vec::new());
    };
    let rows = read_reference(&std::fs::read(&path)?, manifest)
        .with_context(|| format!("read {}", path.display()))?;
    Ok(rows.iter().map(|row| manifest.inputs_of(row)).collect())
}

/// A policy that is not in a package yet.
struct Draft {
    policy: Value,
    reasons: Vec<Value>,
}

impl Draft {
    fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| CliError::NotFound(format!("read {}: {error}", file.display())))?;
        let mut root: Table = toml::from_str(&text)
            .map_err(|error| CliError::Verification(format!("{}: {error}", file.display())))?;
        let policy = root.remove("policy").ok_or_else(|| {
            CliError::Verification(format!("{} has no [policy] section", file.display()))
        })?;
        let whole = root.contains_key("manifest_format");
        let reasons = match root.remove("reasons") {
            Some(Value::Array(reasons)) if !whole => reasons,
            _ => Vec::new(),
        };
        Ok(Self { policy, reasons })
    }

    /// A manifest with this policy instead of its own. Texts of new reasons go into every catalogue.
    fn put_into(&self, manifest: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut root: Table = toml::from_str(std::str::from_utf8(manifest)?)?;
        root.insert("manifest_format".into(), Value::Integer(3));
        root.insert("policy".into(), self.policy.clone());
        for reason in &self.reasons {
            let mut reason = reason.clone();
            if let Some(Value::Array(catalogues)) = root.get_mut("catalogues") {
                let entry = reason.as_table_mut().context("a reason must be a table")?;
                let text = entry.remove("text").context("a reason needs a text")?;
                let code = entry
                    .get("code")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                for catalogue in catalogues {
                    if let Some(texts) = catalogue.get_mut("texts").and_then(Value::as_table_mut) {
                        texts.insert(code.to_owned(), text.clone());
                    }
                }
            }
            let reasons = root.get_mut("reasons").and_then(Value::as_array_mut);
            reasons.context("the manifest has no reasons")?.push(reason);
        }
        self.lift_reference(&mut root);
        Ok(toml::to_string(&root)?.into_bytes())
    }

    /// A manifest is refused when its reference population scores below the cut-off, which a draft may raise. The
    /// population stays as it is here, and reasons are still measured against it.
    fn lift_reference(&self, root: &mut Table) {
        let integer = |table: &Value, key: &str| table.get(key).and_then(Value::as_integer);
        let Some(cut_off) = integer(&self.policy, "approve_at_least") else {
            return;
        };
        let population = root.get_mut("reference_population");
        let Some(population) = population.and_then(Value::as_table_mut) else {
            return;
        };
        let from = population.get("score_from").and_then(Value::as_integer);
        if from.is_some_and(|from| from < cut_off) {
            eprintln!(
                "note: the reference population scores below the new cut-off {cut_off}; \
                 before this policy is used, the package needs a new one"
            );
            let to = population.get("score_to").and_then(Value::as_integer);
            population.insert("score_from".into(), Value::Integer(cut_off));
            let to = to.unwrap_or_default().max(cut_off + 1);
            population.insert("score_to".into(), Value::Integer(to));
        }
    }
}

async fn simulate(
    global: &Global,
    file: &Path,
    from: Option<&str>,
    past: &PastArguments,
) -> anyhow::Result<()> {
    let draft = Draft::read(file)?;
    let mut comparison = Comparison::new(Demographics::read(past.demographics.as_deref())?);
    // The manifests are read between the records, which is no place to wait: so first the records.
    let mut records = Vec::new();
    records::past(global, past, |record| records.push(record)).await?;
    let mut manifests: HashMap<String, (Manifest, Manifest)> = HashMap::new();
    let bar = crate::progress::bar("decided again", records.len() as u64);
    for before in &records {
        let model = format!("{}/{}", before.model.name, before.model.version);
        if !manifests.contains_key(&model) {
            let _: ModelVersion = model.parse()?;
            let base = Source::find(global, from, &model)?.read().await?;
            let changed = parse(&draft.put_into(&base)?)?;
            manifests.insert(model.clone(), (parse(&base)?, changed));
        }
        let (base, changed) = &manifests[&model];
        match again(base, changed, before) {
            Ok(after) => comparison.add(before, &after),
            Err(error) => comparison.skip(&format!("{error:#}")),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    report::print_comparison(global, &comparison)
}

/// The same application, scored as it was, by the changed policy.
fn again(
    base: &Manifest,
    changed: &Manifest,
    before: &DecisionRecord,
) -> anyhow::Result<DecisionRecord> {
    if before.model.manifest_digest != base.digest() {
        anyhow::bail!("decided with another manifest of that name and version");
    }
    let context = DecisionContext {
        record_format: RECORD_FORMAT,
        ..before.context()
    };
    let reading = changed.read(&before.inputs(), &context.application);
    match reading {
        Ok(Reading::Incomplete(row)) => Ok(decide_incomplete(changed, &row, &context)?),
        Ok(Reading::Complete(row)) => {
            let names = changed.features.iter().map(|feature| feature.name.as_str());
            let output = before.model_output(names).context("it was never scored")?;
            Ok(decide(changed, &row, &output, &context)?)
        }
        Err(_) => anyhow::bail!("incomplete, and the policy has no rule for it"),
    }
}
