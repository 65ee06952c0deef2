//! The held-out applications of a model, with the demographics and outcomes that travel apart from them.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use csv::{Reader, StringRecord};
use fcs_decision::manifest::{FeatureKind, Manifest};
use fcs_proto::monitoring::v1::{CreditOutcome, Demographics, DemographicsSource, OutcomeEvent};
use fcs_proto::scoring::v1::{FeatureValue, feature_value::Kind};
use flate2::read::GzDecoder;

/// What one applicant asks, in the terms of the decision API.
pub(crate) struct Application {
    /// The lender's identifier.
    pub(crate) id: String,
    /// Feature name to value; a missing value is left out.
    pub(crate) features: HashMap<String, FeatureValue>,
}

/// Reads `applications.csv.gz`.
pub(crate) fn applications(folder: &Path, manifest: &Manifest) -> anyhow::Result<Vec<Application>> {
    let mut reader = open(folder, "applications.csv.gz")?;
    let header = reader.headers()?.clone();
    ensure!(
        header.get(0) == Some("application_id"),
        "the first column must be application_id"
    );
    let application = |record: &StringRecord| {
        let mut features = HashMap::new();
        for (name, text) in header
            .iter()
            .zip(record)
            .skip(1)
            .filter(|(_, text)| !text.is_empty())
        {
            let kind = feature_kind(manifest, name, text)?;
            features.insert(name.to_owned(), value(kind));
        }
        Ok(Application {
            id: record[0].to_owned(),
            features,
        })
    };
    reader
        .records()
        .map(|record| application(&record?))
        .collect()
}

/// Reads `demographics.csv.gz`: one column per attribute.
pub(crate) fn demographics(folder: &Path) -> anyhow::Result<Vec<Demographics>> {
    let mut reader = open(folder, "demographics.csv.gz")?;
    let header = reader.headers()?.clone();
    let item = |record: &StringRecord| Demographics {
        application_id: record[0].to_owned(),
        attributes: header
            .iter()
            .zip(record)
            .skip(1)
            .filter(|(_, group)| !group.is_empty())
            .map(|(attribute, group)| (attribute.to_owned(), group.to_owned()))
            .collect(),
        source: DemographicsSource::SelfReported.into(),
    };
    reader.records().map(|record| Ok(item(&record?))).collect()
}

/// Reads `outcomes.csv.gz`: what became of the credit; may be empty.
pub(crate) fn outcomes(folder: &Path) -> anyhow::Result<Vec<OutcomeEvent>> {
    let mut reader = open(folder, "outcomes.csv.gz")?;
    let event = |record: &StringRecord| {
        let outcome = match &record[2] {
            "repaid" => CreditOutcome::Repaid,
            "defaulted" => CreditOutcome::Defaulted,
            other => bail!("unknown outcome {other:?}"),
        };
        Ok(OutcomeEvent {
            event_id: record[0].to_owned(),
            application_id: record[1].to_owned(),
            outcome: outcome.into(),
            occurred_at: record[3].to_owned(),
        })
    };
    reader.records().map(|record| event(&record?)).collect()
}

fn value(kind: Kind) -> FeatureValue {
    FeatureValue {
        kind: Some(kind),
        ..FeatureValue::default()
    }
}

fn feature_kind(manifest: &Manifest, name: &str, text: &str) -> anyhow::Result<Kind> {
    let feature = manifest
        .features
        .iter()
        .find(|feature| feature.name == name)
        .with_context(|| format!("the model has no feature {name}"))?;
    Ok(match feature.kind {
        FeatureKind::Category(_) => Kind::Category(text.to_owned()),
        FeatureKind::Number(_) | FeatureKind::Integer(_) => Kind::Number(
            text.parse()
                .with_context(|| format!("{name}: read {text:?}"))?,
        ),
    })
}

fn open(folder: &Path, name: &str) -> anyhow::Result<Reader<GzDecoder<File>>> {
    let path: PathBuf = folder.join(name);
    let file = File::open(&path).with_context(|| format!("open {}", path.display()))?;
    Ok(Reader::from_reader(GzDecoder::new(file)))
}
