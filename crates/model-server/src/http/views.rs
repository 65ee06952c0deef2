//! JSON of metadata, configuration, statistics and the index, in the shapes of the protocol.

use serde_json::{Value, json};

use crate::app::inference::{BACKEND, IndexEntry, PLATFORM, TensorContract, contract};
use crate::app::models::Served;
use crate::app::score::ROWS_MAX;
use crate::app::statistics::Tally;

/// `GET /v2/models/{model}`.
pub(super) fn metadata(served: &Served, versions: &[String]) -> Value {
    let contract = contract(served);
    let tensor = |tensor: &TensorContract| json!({ "name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape });
    json!({
        "name": contract.model.name(),
        "versions": versions,
        "platform": PLATFORM,
        "inputs": contract.inputs.iter().map(tensor).collect::<Vec<_>>(),
        "outputs": contract.outputs.iter().map(tensor).collect::<Vec<_>>(),
        "properties": contract.properties,
    })
}

/// `GET /v2/models/{model}/config`.
pub(super) fn config(served: &Served) -> Value {
    let contract = contract(served);
    // A configuration leaves the batch dimension out.
    let tensor = |tensor: &TensorContract| {
        let dims = tensor.shape.get(1..).unwrap_or_default();
        json!({ "name": tensor.name, "data_type": "TYPE_FP64", "dims": dims })
    };
    json!({
        "name": contract.model.name(),
        "platform": PLATFORM,
        "backend": BACKEND,
        "max_batch_size": ROWS_MAX,
        "input": contract.inputs.iter().map(tensor).collect::<Vec<_>>(),
        "output": contract.outputs.iter().map(tensor).collect::<Vec<_>>(),
    })
}

/// `GET /v2/models/{model}/stats`.
pub(super) fn statistics(found: &[Served]) -> Value {
    let duration = |tally: &Tally| {
        let (count, ns) = tally.read();
        json!({ "count": count, "ns": ns })
    };
    let model = |served: &Served| {
        let statistics = &served.statistics;
        json!({
            "name": served.model.version().name(),
            "version": served.model.version().version(),
            "last_inference": statistics.last_ms(),
            "inference_count": statistics.rows(),
            "execution_count": statistics.success.read().0,
            "inference_stats": {
                "success": duration(&statistics.success),
                "fail": duration(&statistics.fail),
                "queue": duration(&statistics.queue),
                "compute_input": duration(&statistics.input),
                "compute_infer": duration(&statistics.compute),
                "compute_output": duration(&statistics.output),
            },
        })
    };
    json!({ "model_stats": found.iter().map(model).collect::<Vec<_>>() })
}

/// `POST /v2/repository/index`.
pub(super) fn index(entries: &[IndexEntry]) -> Value {
    let entry = |entry: &IndexEntry| {
        json!({
            "name": entry.model.name(),
            "version": entry.model.version(),
            "state": entry.state,
            "reason": entry.reason,
        })
    };
    entries.iter().map(entry).collect()
}
