//! Arguments of `fcs decision`.

use std::path::PathBuf;

use clap::Args;

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
