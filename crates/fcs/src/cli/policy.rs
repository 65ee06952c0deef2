//! `fcs policy`, and which past decisions to try something on.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `fcs policy`.
#[derive(Subcommand)]
pub(crate) enum PolicyCommand {
    /// Check the rules of a policy: types, names, rules that can never decide, rules that contradict each other.
    ///
    /// What is found is told with how: exactly, or by trying applications at the bounds of the conditions and of the
    /// reference population. Exit code 7 when the policy would be refused.
    Check {
        /// Folder of a package, a model.toml, or a file with a [policy] section (then --model names the schema).
        file: PathBuf,
        /// Package as "name/version" whose schema a file of its own is checked against.
        #[arg(long)]
        model: Option<String>,
        /// Registry; the default is the models folder.
        #[arg(long, value_name = "REGISTRY")]
        from: Option<String>,
    },
    /// Decide past applications again by another policy, with the scores that they had, and compare.
    Simulate {
        /// File with a [policy] section, and with [[reasons]] that it needs beyond those of the packages.
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,
        /// Registry of the packages that decided; the default is the models folder.
        #[arg(long, value_name = "REGISTRY")]
        from: Option<String>,
        /// Which decisions, and what to compare.
        #[command(flatten)]
        past: PastArguments,
    },
}

/// Which past decisions, and what to compare.
#[derive(Args)]
pub(crate) struct PastArguments {
    /// File written by `decision export`; the default is the running gateway.
    #[arg(long, value_name = "FILE")]
    pub(crate) records: Option<PathBuf>,
    /// Start after this log index of the gateway.
    #[arg(long, default_value_t = 0, conflicts_with = "records")]
    pub(crate) after: u64,
    /// CSV file with the column application_id and one column per attribute, to compare groups.
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) demographics: Option<PathBuf>,
}
