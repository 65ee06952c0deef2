//! What others send: a client of the Open Inference Protocol, and who reports demographics.

use serde_json::{Value, json};

use super::forms::{NUMBER, NUMBER_OUT_OF_RANGE, TEXT};
use super::wire::send;
use crate::system::System;

/// What others send: a client of the Open Inference Protocol, and who reports demographics.
pub(crate) fn talk_elsewhere(system: &System) {
    let head = format!("content-type: application/json\r\ncookie: {TEXT}\r\n");
    let models = system.url("model-server");
    let infer = |path: &str, name: &str, datatype: &str, data: Value| {
        let input = json!({"name": name, "datatype": datatype, "shape": [1, 1], "data": data});
        let body = json!({"id": TEXT, "inputs": [input], "parameters": {TEXT: TEXT}}).to_string();
        send(
            &models,
            &format!("POST /v2/models/{path}/infer"),
            &head,
            &body,
        )
        .status
    };
    assert_eq!(infer(TEXT, "dir", "FP64", json!([NUMBER])), 404);
    for (name, datatype, data) in [
        (TEXT, "FP64", json!([NUMBER])),
        ("dir", TEXT, json!([NUMBER])),
        ("dir", "FP64", json!([TEXT])),
        ("dir", "BYTES", json!([TEXT])),
        ("dir", "FP64", json!([NUMBER, NUMBER])),
        ("dir", "FP64", json!({TEXT: NUMBER})),
        ("dir", "FP64", json!([NUMBER_OUT_OF_RANGE])),
    ] {
        let status = infer("boston-hmda/versions/1", name, datatype, data);
        assert_eq!(status, 400, "{name} {datatype}");
    }
    let monitor = system.url("bias-monitor");
    let demographics = |id: &str, attributes: Value, source: &str| {
        let item = json!({"application_id": id, "attributes": attributes, "source": source});
        let body = json!({"items": [item]}).to_string();
        send(&monitor, "POST /v1/demographics", &head, &body).status
    };
    let own = format!("A-{TEXT}-1");
    let self_reported = "self_reported";
    for (id, attributes, source, status) in [
        (&*own, json!({"race": "black"}), self_reported, 200),
        (
            &*own,
            json!({"race": format!("{TEXT}\n")}),
            self_reported,
            400,
        ),
        (&*own, json!({TEXT.to_uppercase(): "x"}), self_reported, 400),
        (&*own, json!({"race": "black"}), TEXT, 400),
        (&*own, json!({"race": NUMBER}), self_reported, 400),
        ("", json!({"race": TEXT}), self_reported, 400),
    ] {
        let answered = demographics(id, attributes.clone(), source);
        assert_eq!(answered, status, "{attributes} {source}");
    }
    let outcome = json!({"items": [{"event_id": TEXT, "application_id": own, "outcome": TEXT, "occurred_at": TEXT}]});
    assert_eq!(
        send(&monitor, "POST /v1/outcomes", &head, &outcome.to_string()).status,
        400
    );
}
