//! `fcs model push`, `pull` and `list`.

use std::path::Path;

use anyhow::Context as _;
use fcs_core::ModelVersion;
use model_server::app::models::describe;
use model_server::app::package::{SignedManifest, SignedPackage, check};
use model_server::registry::{Created, PackagePlace, Registry};
use serde::Serialize;

use super::{Keys, folder_manifest, package_error, registry_error, signers};
use crate::cli::Global;
use crate::output::{print, table};
use crate::progress;

#[derive(Serialize)]
struct Moved {
    model: ModelVersion,
    manifest_digest: String,
    to: String,
    bytes: usize,
    /// "written" or "already there".
    result: &'static str,
}

#[derive(Serialize)]
struct Listed {
    model: ModelVersion,
    title: String,
    created: String,
    manifest_format: i64,
    manifest_digest: String,
    signed_by: String,
    /// Why the package is not trusted; null when it is.
    problem: Option<String>,
}

/// Verifies a package as activation does, and creates it in a registry.
pub(super) async fn push(
    global: &Global,
    folder: &Path,
    registry: &Registry,
    keys: &Keys,
) -> anyhow::Result<()> {
    let (_, manifest) = folder_manifest(folder)?;
    let model = manifest.model_version();
    let spinner = progress::spinner(format!("verifying {model}"));
    let source = PackagePlace::folder(folder).map_err(|error| registry_error(&error))?;
    let package = read(&source, model, keys).await?;
    check(&package).map_err(package_error)?;
    let to = registry.package(model);
    spinner.set_message(format!("writing {} bytes to {to}", package.byte_count()));
    let created = create(&package, &to).await;
    spinner.finish_and_clear();
    report(global, &package, &to, created?)
}

/// Copies a verified package from a registry into a folder.
pub(super) async fn pull(
    global: &Global,
    registry: &Registry,
    model: &ModelVersion,
    to: &Path,
    keys: &Keys,
) -> anyhow::Result<()> {
    let spinner = progress::spinner(format!("reading {}", registry.package(model)));
    let package = keys.fetch(registry, model).await;
    spinner.finish_and_clear();
    let package = package?;
    std::fs::create_dir_all(to).with_context(|| format!("create {}", to.display()))?;
    let place = PackagePlace::folder(to).map_err(|error| registry_error(&error))?;
    let created = create(&package, &place).await?;
    report(global, &package, &place, created)
}

/// Lists the packages of a registry, with whether their manifests are trusted. Other files are not read.
pub(super) async fn list(global: &Global, registry: &Registry, keys: &Keys) -> anyhow::Result<()> {
    let models = registry
        .list()
        .await
        .map_err(|error| registry_error(&error))?;
    let mut listed = Vec::with_capacity(models.len());
    for model in models {
        listed.push(list_one(registry, model, keys).await);
    }
    print(global.output, &listed, |listed| {
        let rows = listed.iter().map(|it| {
            vec![
                it.model.to_string(),
                it.created.clone(),
                it.title.clone(),
                it.signed_by.clone(),
                it.problem.clone().unwrap_or_else(|| "trusted".into()),
            ]
        });
        table(
            &["model", "created", "title", "signed by", "manifest"],
            rows,
        )
    })
}

async fn list_one(registry: &Registry, model: ModelVersion, keys: &Keys) -> Listed {
    let place = registry.package(&model);
    let signed = SignedManifest::read(&place, &model, &keys.trust, keys.now).await;
    let mut listed = Listed {
        model,
        title: String::new(),
        created: String::new(),
        manifest_format: 0,
        manifest_digest: String::new(),
        signed_by: String::new(),
        problem: None,
    };
    match signed {
        Ok(Some(signed)) => {
            listed.title.clone_from(&signed.manifest.model.title);
            listed.created.clone_from(&signed.manifest.model.created);
            listed.manifest_format = signed.manifest.format;
            listed.manifest_digest = signed.manifest.digest().to_string();
            listed.signed_by = signers(&signed.signatures);
        }
        Ok(None) => listed.problem = Some("the manifest is gone".to_owned()),
        Err(error) => listed.problem = Some(describe(&error)),
    }
    listed
}

async fn read(
    place: &PackagePlace,
    model: &ModelVersion,
    keys: &Keys,
) -> anyhow::Result<SignedPackage> {
    let package = SignedPackage::read(place, model, &keys.trust, keys.now).await;
    package
        .map_err(package_error)?
        .context("the manifest was removed while the package was read")
}

async fn create(package: &SignedPackage, to: &PackagePlace) -> anyhow::Result<Created> {
    let created = package.create(to).await;
    created.map_err(|error| registry_error(&error).into())
}

fn report(
    global: &Global,
    package: &SignedPackage,
    to: &PackagePlace,
    created: Created,
) -> anyhow::Result<()> {
    let moved = Moved {
        model: package.signed.manifest.model_version().clone(),
        manifest_digest: package.signed.manifest.digest().to_string(),
        to: to.to_string(),
        bytes: package.byte_count(),
        result: match created {
            Created::Written => "written",
            Created::AlreadyThere => "already there",
        },
    };
    print(global.output, &moved, |moved| {
        format!(
            "{}: {} ({} bytes)\n{}\nmanifest digest {}",
            moved.model, moved.result, moved.bytes, moved.to, moved.manifest_digest
        )
    })
}
