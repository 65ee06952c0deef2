//! One suite for every kind of registry, and what is particular to a folder.

use std::fs;
use std::sync::Arc;

use fcs_core::{ErrorCode, ModelVersion, Secret};
use fcs_service::SystemClock;
use fcs_testkit::s3::{self, S3Server};
use model_server::app::models::{ModelLimits, ModelState, Models};
use model_server::app::package::{self, PackageError, SignedPackage};
use model_server::registry::{Created, PackagePlace, Registry, RegistryError, S3Settings};
use tempfile::TempDir;

use crate::spoiled::{Copy, NOW, block_on, real_registry, real_trust};

const BUCKET: &str = "models";

fn boston() -> ModelVersion {
    "boston-hmda/1".parse().unwrap()
}

/// A registry with nothing in it, and what keeps it alive.
struct Empty {
    registry: Registry,
    _folder: Option<TempDir>,
    server: Option<S3Server>,
}

fn folder() -> Empty {
    let folder = TempDir::new().unwrap();
    let url = format!("file://{}", folder.path().display());
    Empty {
        registry: Registry::open(&url, &S3Settings::default()).unwrap(),
        _folder: Some(folder),
        server: None,
    }
}

fn bucket() -> Empty {
    let server = s3::server(BUCKET);
    let settings = S3Settings {
        endpoint: Some(server.endpoint.clone()),
        region: Some("eu-central-1".into()),
        access_key_id: Some("test".into()),
        secret_access_key: Some(Secret::new("test".into())),
        secret_access_key_file: None,
    };
    let registry = Registry::open(&format!("s3://{BUCKET}/some/prefix/"), &settings).unwrap();
    Empty {
        registry,
        _folder: None,
        server: Some(server),
    }
}

async fn real_package() -> SignedPackage {
    let place = PackagePlace::folder(&real_registry().join("boston-hmda/1")).unwrap();
    SignedPackage::read(&place, &boston(), &real_trust(), NOW)
        .await
        .unwrap()
        .unwrap()
}

#[test]
fn a_folder_keeps_the_rules_of_a_registry() {
    block_on(suite(&folder().registry));
}

#[test]
fn a_bucket_keeps_the_rules_of_a_registry() {
    block_on(suite(&bucket().registry));
}

async fn suite(registry: &Registry) {
    let trust = real_trust();
    let (model, package) = (boston(), real_package().await);
    let place = registry.package(&model);
    assert_eq!(registry.list().await.unwrap(), []);
    assert_eq!(place.read("model.toml", 1).await.unwrap(), None);

    half_push(&place).await;
    assert_eq!(registry.list().await.unwrap(), []);
    let refused = package::load(registry, &model, &trust, NOW).await;
    assert!(matches!(refused, Err(PackageError::NotFound { .. })));

    assert_eq!(package.create(&place).await.unwrap(), Created::Written);
    assert_eq!(registry.list().await.unwrap(), std::slice::from_ref(&model));
    let loaded = package::load(registry, &model, &trust, NOW).await.unwrap();
    assert_eq!(loaded.manifest_bytes, package.signed.bytes);

    let again = package.create(&place).await.unwrap();
    assert_eq!(again, Created::AlreadyThere);
    other_bytes_are_a_conflict(&place, &package).await;
    reads_are_bounded(&place).await;
    names_lead_nowhere_else(registry).await;
    assert!(package::load(registry, &model, &trust, NOW).await.is_ok());
}

/// A push that breaks off after its first file: the second one is refused.
async fn half_push(place: &PackagePlace) {
    let text = fs::read(real_registry().join("boston-hmda/1/model.txt")).unwrap();
    let files = [("model.txt", text.as_slice()), ("model.txt", b"other")];
    let broken = place.create(b"never written", &files).await;
    assert!(
        matches!(&broken, Err(RegistryError::Conflict { object }) if object.ends_with("/1/model.txt")),
        "{broken:?}"
    );
}

async fn other_bytes_are_a_conflict(place: &PackagePlace, package: &SignedPackage) {
    let mut longer = package.signed.bytes.clone();
    longer.push(b'\n');
    let mut altered = package.signed.bytes.clone();
    altered[0] ^= 1;
    for manifest in [&longer, &altered, &Vec::new()] {
        let refused = place.create(manifest, &[("new.csv", b"1")]).await;
        assert!(
            matches!(&refused, Err(RegistryError::Conflict { object }) if object.ends_with("model.toml")),
            "{refused:?}"
        );
    }
    let written = place.read("new.csv", 10).await.unwrap();
    assert_eq!(
        written, None,
        "a conflict is found before a file is written"
    );
}

async fn reads_are_bounded(place: &PackagePlace) {
    let size = fs::metadata(real_registry().join("boston-hmda/1/golden.csv")).unwrap();
    let whole = place.read("golden.csv", size.len()).await.unwrap().unwrap();
    assert_eq!(whole.len() as u64, size.len());
    let refused = place.read("golden.csv", size.len() - 1).await;
    assert!(matches!(refused, Err(RegistryError::TooLarge { .. })));
}

/// The manifest refuses such names long before; the registry does not follow them either.
async fn names_lead_nowhere_else(registry: &Registry) {
    let place = registry.package(&"boston-hmda/2".parse().unwrap());
    for name in [
        "../1/model.txt",
        "..",
        ".",
        "/etc/hostname",
        "a/../../1/model.txt",
    ] {
        assert_eq!(place.read(name, 1 << 20).await.unwrap(), None, "{name}");
    }
}

#[test]
fn an_unreachable_bucket_is_an_error_of_the_registry() {
    let settings = S3Settings {
        endpoint: Some("http://127.0.0.1:9".into()),
        access_key_id: Some("test".into()),
        secret_access_key: Some(Secret::new("test".into())),
        ..S3Settings::default()
    };
    let registry = Registry::open("s3://models", &settings).unwrap();
    let refused = block_on(package::load(&registry, &boston(), &real_trust(), NOW));
    assert!(matches!(refused, Err(PackageError::Registry(_))));
    assert!(block_on(registry.list()).is_err());
}

#[test]
fn huge_files_are_refused_before_they_are_read() {
    let copy = Copy::new();
    // Sparse, so that it costs nothing here; the announced size is what is refused.
    let file = fs::File::options()
        .write(true)
        .open(copy.path("golden.csv"));
    file.unwrap().set_len(1 << 40).unwrap();
    let registry = Registry::open(copy.registry().to_str().unwrap(), &S3Settings::default());
    let refused = block_on(package::load(
        &registry.unwrap(),
        &boston(),
        &real_trust(),
        NOW,
    ));
    assert!(
        matches!(&refused, Err(PackageError::TooLarge(_))),
        "{:?}",
        refused.err()
    );
}

/// An outage of the bucket must not look like an outage of the models in memory.
#[tokio::test(flavor = "multi_thread")]
async fn models_in_memory_outlive_their_registry() {
    let Empty {
        registry, server, ..
    } = bucket();
    let package = real_package().await;
    package.create(&registry.package(&boston())).await.unwrap();
    let models = Arc::new(Models::new(
        registry,
        real_trust(),
        Arc::new(SystemClock),
        ModelLimits {
            models_max: 2,
            working_max: 1,
            waiting_max: 1,
        },
    ));
    let blocking = |work: fn(&Models) -> bool| {
        let models = Arc::clone(&models);
        tokio::task::spawn_blocking(move || work(&models))
    };
    let loads = blocking(|models| models.load(&boston(), None).is_ok());
    assert!(loads.await.unwrap());
    drop(server);
    let lists = blocking(|models| {
        let listed = models.list().unwrap();
        matches!(&listed[..], [(model, ModelState::Loaded(_))] if *model == boston())
    });
    assert!(lists.await.unwrap());
    let other = blocking(|models| {
        let refused = models.load(&"boston-hmda/2".parse().unwrap(), None);
        refused.err().unwrap().code == ErrorCode::Unavailable
    });
    assert!(other.await.unwrap());
}
