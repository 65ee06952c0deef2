//! Every test, against real servers.

use std::path::Path;

use crate::command::{self, cargo};
use crate::packages::{node_program, poppler, prometheus_program, python_environment};
use crate::servers::Servers;

/// Packages of the S3 server that tests start.
const S3_REQUIREMENTS: &str = "crates/model-server/tests/s3/requirements.txt";

/// Triton's client, which tests drive the model server with.
const TRITONCLIENT_REQUIREMENTS: &str = "crates/model-server/tests/tritonclient/requirements.txt";

/// The OpenID Connect issuer that tests start.
const OIDC_FOLDER: &str = "crates/fcs-service/tests/oidc";

/// The program that tests the decision API from its OpenAPI document.
const SCHEMATHESIS_REQUIREMENTS: &str = "crates/fcs/tests/schemathesis/requirements.txt";

/// Other people's verifiers and witnesses of transparency logs.
const TLOG_REQUIREMENTS: &str = "crates/fcs/tests/tlog/requirements.txt";

/// What the example in Python needs.
const GRPC_REQUIREMENTS: &str = "examples/python/requirements.txt";

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only this package.
    #[arg(long, short)]
    package: Option<String>,
    /// Passed on to the test runner, for example a part of a test's name.
    #[arg(trailing_var_arg = true)]
    rest: Vec<String>,
}

/// Builds the programs, starts the servers, runs the tests and stops the servers.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    // End-to-end tests start the real programs from the target folder.
    command::run(cargo().args(["build", "--workspace", "--bins"]))?;
    let servers = Servers::start()?;
    let s3 = python_environment(Path::new(S3_REQUIREMENTS))?;
    let tritonclient = python_environment(Path::new(TRITONCLIENT_REQUIREMENTS))?;
    let oidc = node_program(Path::new(OIDC_FOLDER), "provider.mjs")?;
    let schemathesis = python_environment(Path::new(SCHEMATHESIS_REQUIREMENTS))?;
    let grpc = python_environment(Path::new(GRPC_REQUIREMENTS))?;
    let tlog = python_environment(Path::new(TLOG_REQUIREMENTS))?;
    let prometheus = prometheus_program()?;
    poppler()?;
    command::run(
        runner()
            .args(selection(options.package.as_deref()))
            .args(&options.rest)
            .env("FCS_TEST_POSTGRES_URL", &servers.postgres_url)
            .env("FCS_TEST_POSTGRES_PROGRAMS", &servers.postgres_programs)
            .env("FCS_TEST_REDIS_URL", &servers.redis_url)
            .env("FCS_TEST_PROMETHEUS", prometheus)
            .env("FCS_TEST_OIDC_ISSUER", oidc)
            .env("FCS_TEST_MOTO_SERVER", s3.join("moto_server"))
            .env("FCS_TEST_TRITONCLIENT_PYTHON", tritonclient.join("python"))
            .env("FCS_TEST_SCHEMATHESIS", schemathesis.join("schemathesis"))
            .env("FCS_TEST_GRPC_PYTHON", grpc.join("python"))
            .env("FCS_TEST_TLOG_PROGRAMS", tlog),
    )
}

/// nextest when it is installed: it runs the tests of all crates side by side; else `cargo test`.
fn runner() -> std::process::Command {
    let mut command = cargo();
    if command::exists("cargo-nextest") {
        command.args(["nextest", "run", "--no-fail-fast"]);
    } else {
        command.args(["test", "--no-fail-fast", "--all-targets"]);
    }
    command
}

fn selection(package: Option<&str>) -> Vec<&str> {
    package.map_or(vec!["--workspace"], |package| vec!["--package", package])
}
