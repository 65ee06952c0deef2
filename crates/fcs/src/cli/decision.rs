//! `fcs decision`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `fcs decision`.
#[derive(Subcommand)]
pub(crate) enum DecisionCommand {
    /// Score one application.
    Score(ScoreArguments),
    /// Show a decision.
    Get {
        /// Decision id, or an application id for its latest decision.
        id: String,
    },
    /// Show why a decision came out as it did.
    Explain {
        /// Decision id, or an application id for its latest decision.
        id: String,
    },
    /// Compute a decision again from its record and compare the bytes.
    Replay {
        /// Decision ids; none means a random sample.
        ids: Vec<String>,
        /// Size of the random sample.
        #[arg(long, default_value_t = 50)]
        sample: usize,
    },
    /// Write the records of all decisions to a file, one line each, for `policy simulate` and `model backtest`.
    Export {
        /// File to write.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// Start after this index.
        #[arg(long, default_value_t = 0)]
        after: u64,
    },
    /// Compare a shadow arm with the live decisions: swap sets, reasons, scores.
    Shadow {
        /// Name of the shadow arm.
        arm: String,
        /// Only decisions after this index.
        #[arg(long, default_value_t = 0)]
        after: u64,
        /// Only decisions up to this index; the default is all.
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        up_to: u64,
    },
    /// List decisions by log index.
    List {
        /// Start after this index.
        #[arg(long, default_value_t = 0)]
        after: u64,
        /// At most this many.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
}

/// Arguments of `fcs decision score`.
#[derive(Args)]
pub(crate) struct ScoreArguments {
    /// The lender's identifier of the application.
    #[arg(long)]
    pub(crate) application_id: String,
    /// JSON file with the features: {"name": number, "text" or null}; "-" reads standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) features: Option<PathBuf>,
    /// One feature; a number, or the name of a category.
    #[arg(long = "feature", value_name = "NAME=VALUE")]
    pub(crate) feature: Vec<String>,
    /// The lender's name of the product.
    #[arg(long)]
    pub(crate) product: Option<String>,
    /// The amount asked for.
    #[arg(long, value_name = "AMOUNT CURRENCY", num_args = 2)]
    pub(crate) amount: Vec<String>,
    /// Language of the reason texts, for example `es`.
    #[arg(long)]
    pub(crate) language: Option<String>,
    /// The same key gives the same answer; the default is made from the application id.
    #[arg(long)]
    pub(crate) idempotency_key: Option<String>,
}
