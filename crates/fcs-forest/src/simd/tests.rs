//! All compilations of every job on the golden models.

#![cfg(target_arch = "x86_64")]

use std::fs;
use std::path::{Path, PathBuf};

use super::{has_avx2, has_avx512, with_registers};
use crate::{AttributionError, Attributor, Engine, Format, Kernel, Model, PathAttributor};

/// Rows of a reference population.
const REFERENCES: usize = 20;
/// Models of the three folders.
const MODELS: usize = 98;

/// A golden model, and its rows one after the other.
struct Golden {
    name: String,
    model: Model,
    rows: Vec<f64>,
}

fn goldens() -> Vec<Golden> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut goldens = Vec::new();
    for folder in ["interventional", "lightgbm", "xgboost"] {
        for entry in fs::read_dir(root.join(folder)).expect("the folder is there") {
            let path = entry.expect("the folder can be read").path();
            if path.extension().is_some_and(|extension| extension == "csv") {
                goldens.extend(golden(&path));
            }
        }
    }
    assert_eq!(goldens.len(), MODELS);
    goldens
}

/// The model beside a table; `None` when the table belongs to none.
fn golden(table: &Path) -> Option<Golden> {
    let paths = ["txt", "json"].map(|extension| table.with_extension(extension));
    let path: &PathBuf = paths.iter().find(|path| path.exists())?;
    let bytes = fs::read(path).expect("the model can be read");
    let format = Format::detect(&bytes).expect("the format is known");
    let model = Model::read(&bytes, format).expect("the model is well formed");
    let mut reader = csv::Reader::from_path(table).expect("the table can be read");
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.expect("the table is well formed");
        let cells = record.iter().take(model.feature_names().len());
        rows.extend(cells.map(|cell| cell.parse().unwrap_or(f64::NAN)));
    }
    let name = path.display().to_string();
    Some(Golden { name, model, rows })
}

/// Checks that some work gives the same bits with and without better instructions.
fn compare(name: &str, count: usize, work: impl Fn(&mut [f64])) {
    let bits = |register_bits_max| -> Vec<u64> {
        let mut numbers = vec![f64::NAN; count];
        with_registers(register_bits_max, || work(&mut numbers));
        numbers.into_iter().map(f64::to_bits).collect()
    };
    let plain = bits(128);
    for register_bits in [256, 512] {
        assert_eq!(bits(register_bits), plain, "{name}, {register_bits}");
    }
}

#[test]
fn better_instructions_give_the_bits_of_the_portable_code() {
    if !has_avx2() {
        // Nothing can be compared here.
        return;
    }
    assert!(!with_registers(128, has_avx2) && !with_registers(256, has_avx512));
    let mut kernels = Vec::new();
    for Golden { name, model, rows } in goldens() {
        let width = model.feature_names().len();
        for kernel in Kernel::ALL {
            if let Some(engine) = Engine::with_kernel(&model, kernel) {
                compare(&name, rows.len() / width, |margins| {
                    engine.margins(&rows, margins);
                });
                kernels.push(kernel);
            }
        }
        let references: Vec<Vec<f64>> = rows
            .chunks(width)
            .take(REFERENCES)
            .map(<[f64]>::to_vec)
            .collect();
        let attributor = Attributor::new(&model, &references).expect("the model is small");
        compare(&name, rows.len(), |values| {
            attributor.contributions_of(&rows, values);
        });
        let attributor = match PathAttributor::new(&model) {
            Err(AttributionError::NoTrees) => continue,
            attributor => attributor.expect("the model tells its covers"),
        };
        // One row, and several.
        for count in [width, rows.len()] {
            compare(&name, count, |values| {
                attributor.contributions_of(&rows[..count], values);
            });
        }
    }
    for kernel in Kernel::ALL {
        assert!(kernels.contains(&kernel), "no model suits {kernel}");
    }
}
