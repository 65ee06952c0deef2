//! `fcs model`.

mod backtest;
mod bench;
mod card;
mod diff;
mod file;
mod inspect;
mod predict;
mod sign;
mod transfer;

use std::path::{Path, PathBuf};
use std::time::Instant;

use fcs_core::{Clock as _, ModelVersion, UnixMicros};
use fcs_decision::manifest::Manifest;
use fcs_decision::trust::{DetachedSignature, TrustPolicy};
use fcs_service::SystemClock;
use model_server::app::models::describe;
use model_server::app::package::{self, PackageError, SignedPackage};
use model_server::registry::{MANIFEST_FILE, Registry, RegistryError, S3Settings};
use serde::Serialize;
use serde_json::Value;

use crate::cli::{Format, Global, ModelArguments, ModelCommand};
use crate::exit::CliError;
use crate::output::{print, table};

/// Runs one of the commands.
pub(crate) async fn run(global: &Global, arguments: &ModelArguments) -> anyhow::Result<()> {
    let keys = || Keys::read(global, arguments.trust.as_deref());
    match &arguments.command {
        ModelCommand::Verify { model, from } => {
            let registry = open_registry(global, from.as_deref())?;
            verify(global, &registry, model.as_deref(), &keys()?).await
        }
        ModelCommand::Inspect { model, from } => {
            let manifest = Source::find(global, from.as_deref(), model)?.read().await?;
            inspect(global, &manifest)
        }
        ModelCommand::List { from } => {
            let registry = open_registry(global, from.as_deref())?;
            transfer::list(global, &registry, &keys()?).await
        }
        ModelCommand::Push { folder, to } => {
            let registry = open_registry(global, Some(to))?;
            transfer::push(global, folder, &registry, &keys()?).await
        }
        ModelCommand::Pull { model, from, to } => {
            let registry = open_registry(global, from.as_deref())?;
            transfer::pull(global, &registry, &parse(model)?, to, &keys()?).await
        }
        ModelCommand::Predict(arguments) => predict::run(global.output, arguments),
        ModelCommand::Bench(arguments) => bench::run(global.output, arguments),
        ModelCommand::Keygen { to, key_id } => sign::keygen(global, to, key_id),
        ModelCommand::Sign(arguments) => sign::sign(global, arguments, &keys()?),
        ModelCommand::Diff {
            before,
            after,
            from,
        } => {
            let before = Source::find(global, from.as_deref(), before)?
                .read()
                .await?;
            let after = Source::find(global, from.as_deref(), after)?.read().await?;
            diff::run(global.output, &to_json(&before)?, &to_json(&after)?)
        }
        ModelCommand::Backtest { model, from, past } => {
            let registry = open_registry(global, from.as_deref())?;
            backtest::run(global, &registry, &parse(model)?, &keys()?, past).await
        }
        ModelCommand::Card { model, from, to } => {
            let registry = open_registry(global, from.as_deref())?;
            card::run(global, &registry, &parse(model)?, &keys()?, to).await
        }
    }
}

/// The trust policy, and the moment at which keys must be valid.
struct Keys {
    trust: TrustPolicy,
    now: UnixMicros,
}

impl Keys {
    fn read(global: &Global, file: Option<&Path>) -> anyhow::Result<Self> {
        Ok(Self {
            trust: read_trust(global, file)?,
            now: SystemClock.now(),
        })
    }

    /// The package of a registry, its signatures and digests verified.
    async fn fetch(
        &self,
        registry: &Registry,
        model: &ModelVersion,
    ) -> Result<SignedPackage, CliError> {
        package::fetch(registry, model, &self.trust, self.now)
            .await
            .map_err(package_error)
    }
}

/// Where a manifest is: a folder with a package, or a version in a registry.
pub(crate) enum Source {
    Folder(PathBuf),
    Registry(Registry, ModelVersion),
}

impl Source {
    pub(crate) fn find(global: &Global, from: Option<&str>, name: &str) -> anyhow::Result<Self> {
        let folder = Path::new(name);
        if folder.join(MANIFEST_FILE).is_file() {
            return Ok(Self::Folder(folder.to_path_buf()));
        }
        Ok(Self::Registry(open_registry(global, from)?, parse(name)?))
    }

    /// The bytes of the manifest, which parse.
    pub(crate) async fn read(&self) -> anyhow::Result<Vec<u8>> {
        let bytes = match self {
            Self::Folder(folder) => folder_manifest(folder)?.0,
            Self::Registry(registry, model) => {
                let place = registry.package(model);
                let bytes_max = fcs_decision::manifest::MANIFEST_SIZE_MAX as u64;
                place.read(MANIFEST_FILE, bytes_max).await?.ok_or_else(|| {
                    CliError::NotFound(format!(
                        "there is no package {place}; name the folder of the packages with --models-dir, \
                         or a registry with --from"
                    ))
                })?
            }
        };
        Manifest::parse(&bytes)?;
        Ok(bytes)
    }
}

/// The manifest of a folder that holds one package: its bytes, and what they say. Nothing is verified.
fn folder_manifest(folder: &Path) -> anyhow::Result<(Vec<u8>, Manifest)> {
    let path = folder.join(MANIFEST_FILE);
    let bytes = std::fs::read(&path)
        .map_err(|error| CliError::NotFound(format!("read {}: {error}", path.display())))?;
    let manifest = Manifest::parse(&bytes)
        .map_err(|error| CliError::Verification(format!("{}: {error}", path.display())))?;
    Ok((bytes, manifest))
}

#[derive(Serialize)]
struct Verified {
    model: ModelVersion,
    verified: bool,
    manifest_digest: Option<String>,
    signed_by: Option<String>,
    trees: usize,
    /// How its leaves are found; every kernel gives the same bits.
    kernel: Option<&'static str>,
    seconds: f64,
    problem: Option<String>,
}

async fn verify(
    global: &Global,
    registry: &Registry,
    model: Option<&str>,
    keys: &Keys,
) -> anyhow::Result<()> {
    let models = match model {
        Some(model) => vec![parse(model)?],
        None => registry.list().await?,
    };
    let mut verified = Vec::with_capacity(models.len());
    for model in &models {
        verified.push(verify_one(registry, model, keys).await);
    }
    print(global.output, &verified, |verified| {
        let rows = verified.iter().map(|model| {
            vec![
                model.model.to_string(),
                model.problem.clone().unwrap_or_else(|| "verified".into()),
                model.signed_by.clone().unwrap_or_default(),
                model.trees.to_string(),
                model.kernel.unwrap_or_default().to_owned(),
                format!("{:.2}", model.seconds),
            ]
        });
        table(
            &[
                "model",
                "result",
                "signed by",
                "#trees",
                "kernel",
                "#seconds",
            ],
            rows,
        )
    })?;
    let refused = verified.iter().filter(|model| !model.verified).count();
    if refused == 0 {
        return Ok(());
    }
    Err(CliError::Verification(format!("{refused} of {} packages refused", verified.len())).into())
}

/// The keys that may sign packages: those of a file, or of the models folder.
pub(crate) fn read_trust(global: &Global, file: Option<&Path>) -> anyhow::Result<TrustPolicy> {
    let default = global.models_dir.join("trust.toml");
    let path = file.unwrap_or(&default);
    let text = std::fs::read_to_string(path).map_err(|error| {
        CliError::NotFound(format!(
            "read {}: {error}; name the folder of the packages with --models-dir, or the keys with --trust",
            path.display()
        ))
    })?;
    Ok(TrustPolicy::parse(&text)?)
}

/// The registry that a command names; the default is the models folder.
pub(crate) fn open_registry(global: &Global, location: Option<&str>) -> anyhow::Result<Registry> {
    let default = global.models_dir.to_string_lossy();
    let location = location.unwrap_or(&default);
    let opened = Registry::open(location, &S3Settings::default());
    opened.map_err(|error| CliError::NotFound(error.to_string()).into())
}

async fn verify_one(registry: &Registry, model: &ModelVersion, keys: &Keys) -> Verified {
    let start = Instant::now();
    let loaded = package::load(registry, model, &keys.trust, keys.now).await;
    let seconds = start.elapsed().as_secs_f64();
    let model = model.clone();
    match loaded {
        Ok(loaded) => Verified {
            model,
            verified: true,
            manifest_digest: Some(loaded.manifest.digest().to_string()),
            signed_by: Some(signers(&loaded.signatures)),
            trees: loaded.forest.tree_count(),
            kernel: Some(loaded.engine.kernel().name()),
            seconds,
            problem: None,
        },
        Err(error) => Verified {
            model,
            verified: false,
            manifest_digest: None,
            signed_by: None,
            trees: 0,
            kernel: None,
            seconds,
            problem: Some(describe(&error)),
        },
    }
}

/// The keys that a signature file names.
fn signers(signatures: &[DetachedSignature]) -> String {
    let names: Vec<&str> = signatures.iter().map(|it| it.key_id.as_str()).collect();
    names.join(", ")
}

fn inspect(global: &Global, manifest: &[u8]) -> anyhow::Result<()> {
    if global.output == Format::Json {
        return print(Format::Json, &to_json(manifest)?, |_| String::new());
    }
    let manifest = Manifest::parse(manifest)?;
    print(Format::Table, &(), |()| inspect::text(&manifest))
}

fn to_json(manifest: &[u8]) -> anyhow::Result<Value> {
    Ok(toml::from_str(std::str::from_utf8(manifest)?)?)
}

/// A refused package as an error with the documented exit code.
fn package_error(error: PackageError) -> CliError {
    let text = describe(&error);
    match error {
        PackageError::NotFound { .. } => CliError::NotFound(text),
        PackageError::Registry(error) => registry_error(&error),
        _ => CliError::Verification(format!("the package was refused: {text}")),
    }
}

fn registry_error(error: &RegistryError) -> CliError {
    let text = describe(error);
    match error {
        RegistryError::Conflict { .. } => CliError::Conflict(text),
        RegistryError::Location { .. } => CliError::NotFound(text),
        _ => CliError::Registry(text),
    }
}

fn parse(model: &str) -> Result<ModelVersion, CliError> {
    model
        .parse()
        .map_err(|error| CliError::Usage(format!("{error}")))
}
