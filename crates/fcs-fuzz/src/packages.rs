//! Readers of what comes with a model, and of decision records.

use std::sync::LazyLock;

use fcs_core::UnixMicros;
use fcs_decision::manifest::{FileRole, Manifest, sha256};
use fcs_decision::record::DecisionRecord;
use fcs_decision::rows::{read_golden, read_reference};
use fcs_decision::trust::{DetachedSignature, TrustPolicy};

/// A manifest that was read holds every file, and a text for every reason it names.
pub(crate) fn manifest(bytes: &[u8]) {
    match Manifest::parse(bytes) {
        Ok(manifest) => {
            assert_eq!(manifest.digest(), sha256(bytes));
            for role in FileRole::ALL {
                assert_eq!(manifest.file(role).role, role);
            }
            for feature in &manifest.features {
                assert!(manifest.reason(&feature.reason).is_some());
            }
        }
        Err(error) => assert!(!error.problems.is_empty()),
    }
}

/// A policy that was read accepts no signature that nobody made.
pub(crate) fn trust_policy(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(policy) = TrustPolicy::parse(text) {
        let signature = DetachedSignature {
            key_id: "demo-publisher-2026".to_owned(),
            signature: [0; 64],
        };
        let refused = policy.verify(bytes, &[signature], "taiwan-default", UnixMicros(0));
        assert!(refused.is_err());
    }
}

/// Signatures that were read name their keys as the file does, and are written as they were read.
pub(crate) fn detached_signature(bytes: &[u8]) {
    if let Ok(signatures) = DetachedSignature::parse_file(bytes) {
        let names: usize = signatures.iter().map(|it| it.key_id.len()).sum();
        assert!(names < bytes.len());
        let text = DetachedSignature::file_text(&signatures);
        let again = DetachedSignature::parse_file(text.as_bytes());
        assert_eq!(again.as_ref(), Ok(&signatures));
    }
}

/// A record has one byte form.
pub(crate) fn decision_record(bytes: &[u8]) {
    if let Ok(record) = DecisionRecord::from_bytes(bytes) {
        assert_eq!(record.to_canonical_bytes(), bytes);
        assert_eq!(record.inputs().len(), record.features.len());
        drop(record.context());
    }
}

/// The rows of a package for a fixed manifest: one number per feature, of golden rows a margin too.
pub(crate) fn package_rows(bytes: &[u8]) {
    static MANIFEST: LazyLock<Manifest> = LazyLock::new(|| {
        let bytes = include_bytes!("../../fcs-decision/tests/fixture/model.toml");
        Manifest::parse(bytes).expect("the fixture is a manifest")
    });
    let width = MANIFEST.features.len();
    let is_number = |value: &f64| value.is_finite() || value.is_nan();
    if let Ok(rows) = read_reference(bytes, &MANIFEST) {
        let expected = MANIFEST.reference_population.rows;
        assert_eq!(u32::try_from(rows.len()), Ok(expected));
        let is_row = |row: &Vec<f64>| row.len() == width && row.iter().all(is_number);
        assert!(rows.iter().all(is_row));
    }
    if let Ok(rows) = read_golden(bytes, &MANIFEST) {
        for row in rows {
            assert!(row.values.len() == width && row.values.iter().all(is_number));
            assert!(row.margin.is_finite() && row.probability.is_finite());
        }
    }
}
