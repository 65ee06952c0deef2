//! The engines that take part, and which of them takes which model.

mod compiled;
mod hessboost;
mod lightgbm;
mod onnx;
pub(crate) mod ours;
mod xgboost;

use std::path::Path;
use std::rc::Rc;

use anyhow::Context;
use libloading::Library as SharedLibrary;
use ort::environment::Environment;
use serde_json::Value;

use crate::contest::{Contestant, Engine, Outcome};
use crate::shape::{Library, Shape};
use lightgbm::{LightGbm, Output};
use xgboost::XgBoost;

/// The name of our own engine in tables.
pub(crate) const OURS: &str = "fcs-forest";

/// The peers' shared libraries, opened once.
pub(crate) struct Peers {
    lightgbm: Rc<LightGbm>,
    xgboost: Rc<XgBoost>,
    onnx: Environment,
}

/// An engine: its name, and how it loads a model.
pub(crate) type Entrant<'a> = (
    &'static str,
    Box<dyn Fn() -> anyhow::Result<Box<dyn Contestant>> + 'a>,
);

/// An engine by its name and by what loads it.
pub(crate) fn entrant<'a, C: Contestant + 'static>(
    name: &'static str,
    load: impl Fn() -> anyhow::Result<C> + 'a,
) -> Entrant<'a> {
    (
        name,
        Box::new(move || Ok(Box::new(load()?) as Box<dyn Contestant>)),
    )
}

impl Peers {
    /// Opens the libraries in the folder of Python's packages.
    pub(crate) fn open(packages: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            lightgbm: LightGbm::open(packages)?,
            xgboost: XgBoost::open(packages)?,
            onnx: onnx::open(packages)?,
        })
    }

    /// The library that a shape's model comes from, whose answers are the right ones.
    pub(crate) fn own_library(shape: &Shape) -> &'static str {
        if shape.library == Library::LightGbm {
            "LightGBM"
        } else {
            "XGBoost"
        }
    }

    /// Everyone who predicts, ours first.
    pub(crate) fn predictors<'a>(&'a self, shape: &'a Shape) -> Vec<Entrant<'a>> {
        let mut entrants = vec![entrant(OURS, || ours::Margins::load(shape))];
        if shape.library == Library::LightGbm {
            entrants.push(entrant("LightGBM", || {
                lightgbm::Booster::load(&self.lightgbm, shape, Output::Margin)
            }));
        } else {
            entrants.push(entrant("XGBoost", || {
                xgboost::Margins::load(&self.xgboost, shape)
            }));
        }
        entrants.push(entrant("hessboost", || hessboost::Margins::load(shape)));
        if shape.folder.join("lleaves.so").exists() {
            entrants.push(entrant("lleaves", || compiled::Lleaves::load(shape)));
        }
        if shape.folder.join("tl2cgen.so").exists() {
            entrants.push(entrant("tl2cgen", || compiled::Tl2cgen::load(shape)));
        }
        if shape.folder.join("onnx.onnx").exists() {
            entrants.push(entrant("ONNX Runtime", || {
                onnx::Probabilities::load(&self.onnx, shape)
            }));
        }
        entrants
    }

    /// Everyone who attributes along the paths of the trees, ours first.
    pub(crate) fn attributors<'a>(&'a self, shape: &'a Shape) -> Vec<Entrant<'a>> {
        let mut entrants = vec![entrant(OURS, || ours::PathContributions::load(shape))];
        if shape.library == Library::LightGbm {
            entrants.push(entrant("LightGBM", || {
                lightgbm::Booster::load(&self.lightgbm, shape, Output::Contributions)
            }));
        } else {
            entrants.push(entrant("XGBoost", || {
                xgboost::PathContributions::load(&self.xgboost, shape)
            }));
        }
        entrants.push(entrant("hessboost", || {
            hessboost::PathContributions::load(shape)
        }));
        entrants
    }
}

/// Loads the engines; those that refuse the model are outcomes already.
pub(crate) fn load(entrants: Vec<Entrant<'_>>) -> (Vec<Engine<'static>>, Vec<Outcome>) {
    let mut loaded = Vec::new();
    let mut refused = Vec::new();
    for (name, load) in entrants {
        match load() {
            Ok(contestant) => loaded.push((name.to_owned(), contestant)),
            Err(error) => refused.push(Outcome::refused(name, format!("{error:#}"))),
        }
    }
    (loaded, refused)
}

/// What `peers.py` noted about building each peer for a shape: seconds, or why it was refused.
pub(crate) fn build_notes(shape: &Shape) -> anyhow::Result<Value> {
    let mut notes = serde_json::Map::new();
    for peer in ["lleaves", "tl2cgen", "onnx"] {
        let path = shape.folder.join(peer).with_extension("json");
        if path.exists() {
            let text = std::fs::read_to_string(&path)?;
            let note =
                serde_json::from_str(&text).with_context(|| format!("read {}", path.display()))?;
            notes.insert(peer.to_owned(), note);
        }
    }
    Ok(Value::Object(notes))
}

fn open(path: &Path) -> anyhow::Result<SharedLibrary> {
    // SAFETY: these libraries come from pinned packages and are made to be loaded.
    unsafe { SharedLibrary::new(path) }.with_context(|| format!("open {}", path.display()))
}

/// A function of a library.
///
/// # Safety
/// `F` must be the function's type, and the library must stay open as long as the function is called.
unsafe fn function<F: Copy>(library: &SharedLibrary, name: &str) -> anyhow::Result<F> {
    // SAFETY: as the caller promises.
    let symbol = unsafe { library.get::<F>(name.as_bytes()) }
        .with_context(|| format!("find the function {name}"))?;
    Ok(*symbol)
}

/// Copies rows of a contribution per feature, leaving out the base that peers put at the end of each.
fn take_contributions<N: Copy + Into<f64>>(found: &[N], width: usize, answers: &mut [f64]) {
    let rows = found.chunks_exact(width + 1);
    for (answers, found) in answers.chunks_exact_mut(width).zip(rows) {
        for (answer, contribution) in answers.iter_mut().zip(found) {
            *answer = (*contribution).into();
        }
    }
}
