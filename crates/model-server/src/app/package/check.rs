//! Whether a signed package works: it scores as its training library did, and its attributions add up.

use fcs_decision::manifest::{FileRole, Manifest};
use fcs_forest::{Attributor, Engine, Format, Kernel, Model};

use super::{LoadedModel, PackageError, SignedPackage};
use crate::app::pace::Pace;
use crate::app::rows::{GoldenRow, RowsError, read_golden, read_reference};

/// A model that passed every check, with the rows that came with it.
pub struct Checked {
    /// The model.
    pub model: LoadedModel,
    /// The reference population: rows of one number per feature, NaN for missing.
    pub references: Vec<Vec<f64>>,
    /// The golden rows.
    pub golden: Vec<GoldenRow>,
}

/// Parses the files of a package and makes the model prove itself on the golden rows.
///
/// # Errors
/// [`PackageError`] names the first check that failed.
pub fn check(package: &SignedPackage) -> Result<Checked, PackageError> {
    let manifest = &package.signed.manifest;
    let forest = read_model(package)?;
    let declared = manifest.features.iter().map(|feature| &feature.name);
    if !forest.feature_names().iter().eq(declared) {
        return Err(PackageError::Features);
    }
    if !forest.is_log_odds() {
        return Err(PackageError::Link);
    }
    let references = rows(package, FileRole::Reference, read_reference)?;
    let attributor = Attributor::new(&forest, &references).map_err(PackageError::Attribution)?;
    let golden = rows(package, FileRole::Golden, read_golden)?;
    let engine = compile(manifest, &forest)?;
    let model = LoadedModel {
        manifest: manifest.clone(),
        manifest_bytes: package.signed.bytes.clone(),
        signatures: package.signed.signatures.clone(),
        forest,
        engine,
        attributor,
        pace: Pace::default(),
    };
    reproduce_golden_rows(&model, &golden)?;
    Ok(Checked {
        model,
        references,
        golden,
    })
}

/// The one place that hands a model file to its reader.
fn read_model(package: &SignedPackage) -> Result<Model, PackageError> {
    let name = &package.signed.manifest.file(FileRole::Model).format;
    let format = Format::from_name(name).ok_or_else(|| PackageError::ModelFormat {
        format: name.clone(),
    })?;
    Model::read(package.file(FileRole::Model), format).map_err(PackageError::Model)
}

/// Compiles the model, with the kernel that the manifest pins if it pins one.
fn compile(manifest: &Manifest, forest: &Model) -> Result<Engine, PackageError> {
    let Some(pinned) = &manifest.engine else {
        return Ok(Engine::new(forest));
    };
    let mut kernels = Kernel::ALL.into_iter();
    kernels
        .find(|kernel| kernel.name() == pinned.kernel)
        .and_then(|kernel| Engine::with_kernel(forest, kernel))
        .ok_or_else(|| PackageError::Kernel {
            kernel: pinned.kernel.clone(),
        })
}

fn rows<T>(
    package: &SignedPackage,
    role: FileRole,
    parse: fn(&[u8], &Manifest) -> Result<Vec<T>, RowsError>,
) -> Result<Vec<T>, PackageError> {
    parse(package.file(role), &package.signed.manifest).map_err(|source| PackageError::Rows {
        file: package.signed.manifest.file(role).path.clone(),
        source,
    })
}

fn reproduce_golden_rows(model: &LoadedModel, golden: &[GoldenRow]) -> Result<(), PackageError> {
    for (position, golden) in golden.iter().enumerate() {
        let row = position + 1;
        let margin = model.engine.margin(&golden.values);
        // Every kernel gives the bits of the plain walk; one that did not could not be replayed.
        if margin.to_bits() != model.forest.margin(&golden.values).to_bits() {
            return Err(PackageError::Kernel {
                kernel: model.engine.kernel().name().to_owned(),
            });
        }
        let probability = model.forest.probability(margin);
        for (found, expected) in [(margin, golden.margin), (probability, golden.probability)] {
            let distance = (found - expected).abs();
            if distance.is_nan() || distance > model.manifest.golden_tolerance() * expected.abs() {
                return Err(PackageError::Golden {
                    row,
                    expected,
                    found,
                });
            }
        }
        let sum: f64 = model.attributor.contributions(&golden.values).iter().sum();
        let difference = (model.attributor.base_margin() + sum - margin).abs();
        if difference.is_nan() || difference > model.manifest.additivity_tolerance(margin) {
            return Err(PackageError::Additivity { row, difference });
        }
    }
    Ok(())
}
