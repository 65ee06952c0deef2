//! The OpenAPI document: what is checked in is what is served is what the code says.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::server::Server;

/// `cargo xtask codegen` sets this variable to write the document instead of comparing it.
const UPDATE: &str = "FCS_UPDATE_GENERATED";

#[test]
fn the_committed_document_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi/gateway.json");
    let document = scoring_gateway::openapi_document();
    if std::env::var(UPDATE).is_ok() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &document).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == document,
        "docs/openapi/gateway.json is out of date: run `cargo xtask codegen`"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_is_served_and_holds_every_route() {
    let server = Server::start().await;
    let answer = server.get("/v1/openapi.json").await;
    assert_eq!(
        String::from_utf8(answer.body).unwrap(),
        scoring_gateway::openapi_document()
    );
    let document: Value = serde_json::from_str(&scoring_gateway::openapi_document()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 12, "{:?}", paths.keys());
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().unwrap() {
            let answers = operation["responses"].as_object().unwrap();
            for (status, answer) in answers
                .iter()
                .filter(|(status, _)| status.starts_with(['4', '5']))
            {
                let problem = &answer["content"]["application/problem+json"];
                assert!(problem.is_object(), "{method} {path} {status}: {answer}");
            }
        }
    }
}
