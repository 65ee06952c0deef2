//! Triton's own client against a running server, gRPC and HTTP.

use std::process::Command;

use model_server::ModelServerSettings;

use crate::service::{real_settings, serve};
use crate::spoiled::real_registry;

async fn check(section: &'static str) {
    let python = fcs_testkit::tritonclient_python();
    let settings = ModelServerSettings {
        preload: vec!["boston-hmda/1".to_owned()],
        // Four clients at a time, whatever the machine has.
        max_concurrent_requests: 2,
        ..real_settings()
    };
    let server = serve(settings).await;
    let address = server.running.http.to_string();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tritonclient/check.py");
    let golden = real_registry().join("boston-hmda/1/golden.csv");
    let run = move || {
        Command::new(python)
            .arg(script)
            .args(["--address", &address, "--section", section, "--golden"])
            .arg(golden)
            .output()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    server.running.stop();
    server.running.wait().await.unwrap();
}

macro_rules! sections {
    ($($name:ident: $section:literal,)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            check($section).await;
        }
    )*};
}

sections! {
    grpc: "grpc",
    grpc_asynchronous: "grpc-aio",
    http: "http",
    http_asynchronous: "http-aio",
    every_row_of_the_error_table_over_grpc: "errors-grpc",
    every_row_of_the_error_table_over_http: "errors-http",
    twenty_reloads_under_load_drop_nothing: "reload",
    unloads_and_loads_again: "unload",
}
