//! ONNX Runtime on the model that onnxmltools converted.

use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, anyhow};
use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::{BuilderResult, GraphOptimizationLevel, SessionBuilder};
use ort::value::TensorRef;

use crate::contest::{Contestant, Scale};
use crate::shape::{Rows, Shape};

/// Opens the library of the Python package.
pub(crate) fn open(packages: &Path) -> anyhow::Result<Environment> {
    let folder = packages.join("onnxruntime/capi");
    let library = std::fs::read_dir(&folder)
        .with_context(|| format!("list {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so"))
        })
        .context("find the library of ONNX Runtime")?;
    let environment =
        ort::init_from(&library).map_err(|error| anyhow!("open ONNX Runtime: {error}"))?;
    Ok(environment.with_telemetry(false).build()?)
}

/// Its errors carry the builder itself, which cannot go into ours.
fn configured(builder: BuilderResult) -> anyhow::Result<SessionBuilder> {
    builder.map_err(|error| anyhow!("configure a session: {error}"))
}

/// Probabilities of the second class.
pub(crate) struct Probabilities {
    session: Session,
    rows: Rc<Rows>,
}

impl Probabilities {
    /// Opens a session that works in the calling thread alone.
    pub(crate) fn load(environment: &Environment, shape: &Shape) -> anyhow::Result<Self> {
        let builder = Session::builder(environment)?;
        let builder = configured(builder.with_optimization_level(GraphOptimizationLevel::All))?;
        let builder = configured(builder.with_intra_threads(1))?;
        let mut builder = configured(builder.with_inter_threads(1))?;
        let session = builder.commit_from_file(shape.folder.join("onnx.onnx"))?;
        Ok(Self {
            session,
            rows: Rc::clone(&shape.rows),
        })
    }
}

impl Contestant for Probabilities {
    fn answer(&mut self, first: usize, answers: &mut [f64]) -> anyhow::Result<()> {
        let count = answers.len();
        let rows = self.rows.singles(first, count);
        let input = TensorRef::from_array_view(([count, self.rows.width], rows))?;
        let found = self.session.run(ort::inputs![input])?;
        let (_, probabilities) = found[1].try_extract_tensor::<f32>()?;
        for (answer, pair) in answers.iter_mut().zip(probabilities.chunks_exact(2)) {
            *answer = f64::from(pair[1]);
        }
        Ok(())
    }

    fn scale(&self) -> Scale {
        Scale::Probability
    }
}
