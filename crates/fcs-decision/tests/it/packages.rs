//! The model packages of this repository.

use std::fs;
use std::path::PathBuf;

use fcs_core::UnixMicros;
use fcs_decision::decision::PROBABILITY_TOLERANCE;
use fcs_decision::manifest::{FileRole, Manifest, sha256};
use fcs_decision::trust::{DetachedSignature, TrustError, TrustPolicy};

const PACKAGES: [&str; 3] = ["taiwan-default", "boston-hmda", "boston-hmda-rules"];

fn models() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

fn package(name: &str) -> PathBuf {
    models().join(name).join("1")
}

fn manifest_bytes(name: &str) -> Vec<u8> {
    fs::read(package(name).join("model.toml")).unwrap()
}

fn manifest(name: &str) -> Manifest {
    Manifest::parse(&manifest_bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn manifests_are_complete() {
    for name in PACKAGES {
        let manifest = manifest(name);
        assert_eq!(manifest.model_version().to_string(), format!("{name}/1"));
    }
}

#[test]
fn signatures_verify_and_altered_manifests_do_not() {
    let trust = TrustPolicy::parse(&fs::read_to_string(models().join("trust.toml")).unwrap());
    let trust = trust.unwrap();
    for name in PACKAGES {
        let mut bytes = manifest_bytes(name);
        let file = fs::read(package(name).join("model.toml.sig")).unwrap();
        let signature = DetachedSignature::parse_file(&file).unwrap();
        assert_eq!(
            trust.verify(&bytes, &signature, name, UnixMicros(0)),
            Ok(()),
            "{name}"
        );
        bytes[0] ^= 1;
        let altered = trust.verify(&bytes, &signature, name, UnixMicros(0));
        assert!(
            matches!(altered, Err(TrustError::BadSignature { .. })),
            "{name}"
        );
    }
}

#[test]
fn files_match_their_digests() {
    for name in PACKAGES {
        for file in manifest(name).files {
            let bytes = fs::read(package(name).join(&file.path)).unwrap();
            assert_eq!(sha256(&bytes), file.sha256, "{name}: {}", file.path);
        }
    }
}

#[test]
fn tables_have_the_columns_of_the_schema() {
    for name in PACKAGES {
        let manifest = manifest(name);
        let columns: Vec<&str> = manifest
            .features
            .iter()
            .map(|feature| feature.name.as_str())
            .collect();
        let columns = columns.join(",");
        let read =
            |role| fs::read_to_string(package(name).join(&manifest.file(role).path)).unwrap();

        let reference = read(FileRole::Reference);
        assert_eq!(reference.lines().next(), Some(columns.as_str()), "{name}");
        let rows = u32::try_from(reference.lines().skip(1).count()).unwrap();
        assert_eq!(rows, manifest.reference_population.rows, "{name}");

        let golden = read(FileRole::Golden);
        let header = format!("{columns},margin,probability");
        assert_eq!(golden.lines().next(), Some(header.as_str()), "{name}");
        assert!(golden.lines().skip(1).count() >= 64, "{name}");
        for line in golden.lines().skip(1) {
            let mut fields = line.rsplit(',').map(|field| field.parse::<f64>().unwrap());
            let (probability, margin) = (fields.next().unwrap(), fields.next().unwrap());
            let linked = manifest.model.link.probability(margin);
            assert!(
                (linked - probability).abs() <= PROBABILITY_TOLERANCE,
                "{name}: {line}"
            );
        }
    }
}
