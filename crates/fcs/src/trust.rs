//! Whom a command believes: a policy file, one key, or what the service says of itself.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use fcs_tlog::Policy;
use fcs_tlog::note::VerifierKey;

use crate::cli::TrustArguments;
use crate::exit::CliError;

/// The policy of the arguments; `None` when they name none.
pub(crate) fn policy(arguments: &TrustArguments) -> anyhow::Result<Option<Policy>> {
    if let Some(path) = &arguments.policy {
        return read(path).map(Some);
    }
    arguments.key.as_deref().map(of_key).transpose()
}

/// The policy of the arguments, which must name one.
pub(crate) fn required(arguments: &TrustArguments) -> anyhow::Result<Policy> {
    let missing = "name whom to believe: --policy FILE, or --key VKEY (GET /v1/log/verifier-key of a log that you trust)";
    policy(arguments)?.ok_or_else(|| CliError::Usage(missing.to_owned()).into())
}

/// A policy file.
pub(crate) fn read(path: &Path) -> anyhow::Result<Policy> {
    let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    Policy::parse(&bytes)
        .map_err(|error| CliError::Usage(format!("{}: {error}", path.display())).into())
}

/// The policy that asks for one log's signature.
pub(crate) fn of_key(text: &str) -> anyhow::Result<Policy> {
    let key: VerifierKey = text
        .parse()
        .map_err(|error| CliError::Usage(format!("the verifier key: {error}")))?;
    Ok(Policy::of_log(key))
}

/// Something that was checked is not as it should be.
pub(crate) fn failed(what: &str) -> anyhow::Error {
    CliError::Verification(format!("verification failed: {what}")).into()
}

/// An error with its causes in one line.
pub(crate) fn chain(error: impl std::error::Error + Send + Sync + 'static) -> String {
    format!("{:#}", anyhow::Error::from(error))
}
