//! `fcs conformance`: asks any server of the Open Inference Protocol what it does with good and broken requests.
//!
//! The tool knows no model: it reads a model's metadata and builds its requests from that. What it expects is the
//! protocol, and where the protocol is silent, the error codes that Triton's clients act on; see
//! docs/guides/open-inference-protocol.md.

mod grpc;
mod http;
mod lifecycle;
mod request;
mod target;

use std::time::Duration;

use serde::Serialize;

use crate::cli::{ConformanceArguments, Global};
use crate::exit::CliError;
use crate::output::{print, table};

/// A server that does not answer a request within this does not answer it.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// As expected.
    Pass,
    /// Otherwise than expected.
    Deviation,
    /// The model or the server gives no occasion for it.
    NotApplicable,
}

/// One check.
#[derive(Debug, Serialize)]
struct Finding {
    transport: &'static str,
    check: &'static str,
    outcome: Outcome,
    expected: String,
    found: String,
}

/// The checks of one transport so far.
struct Findings {
    transport: &'static str,
    all: Vec<Finding>,
}

impl Findings {
    fn new(transport: &'static str) -> Self {
        Self {
            transport,
            all: Vec::new(),
        }
    }

    /// A check that passes when it is good.
    fn that(&mut self, check: &'static str, good: bool, expected: &str, found: impl Into<String>) {
        let outcome = if good {
            Outcome::Pass
        } else {
            Outcome::Deviation
        };
        self.add(check, outcome, expected, found.into());
    }

    /// A check that there is no occasion for.
    fn not_applicable(&mut self, check: &'static str, expected: &str, why: impl Into<String>) {
        self.add(check, Outcome::NotApplicable, expected, why.into());
    }

    fn add(&mut self, check: &'static str, outcome: Outcome, expected: &str, found: String) {
        self.all.push(Finding {
            transport: self.transport,
            check,
            outcome,
            expected: expected.to_owned(),
            found,
        });
    }
}

/// Runs every check and prints them.
///
/// # Errors
/// `Verification` when there is a deviation; another error when the server cannot be asked at all.
pub(crate) async fn run(global: &Global, arguments: &ConformanceArguments) -> anyhow::Result<()> {
    let tls = global.tls.load()?;
    let mut target = target::Target::discover(arguments, tls.as_ref()).await?;
    let mut findings = grpc::check(&mut target).await;
    findings.extend(lifecycle::check(&mut target).await);
    if let Some(address) = &arguments.http {
        let server = http::Server {
            address,
            tls: tls.as_ref(),
        };
        findings.extend(http::check(server, &target).await);
    }
    print(global.output, &findings, |findings| {
        let rows = findings.iter().map(|finding| {
            let outcome = match finding.outcome {
                Outcome::Pass => "pass",
                Outcome::Deviation => "deviation",
                Outcome::NotApplicable => "not applicable",
            };
            vec![
                finding.transport.to_owned(),
                finding.check.to_owned(),
                outcome.to_owned(),
                finding.expected.clone(),
                shortened(&finding.found),
            ]
        });
        table(
            &["transport", "check", "outcome", "expected", "found"],
            rows,
        )
    })?;
    let deviations = findings
        .iter()
        .filter(|finding| finding.outcome == Outcome::Deviation)
        .count();
    if deviations == 0 {
        return Ok(());
    }
    let message = format!("{deviations} of {} checks deviate", findings.len());
    Err(CliError::Verification(message).into())
}

/// A server's text in a table.
fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 100;
    if text.chars().count() <= CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(CHARS_MAX).chain(['…']).collect()
}
