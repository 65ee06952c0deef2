//! `fcs bias`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use fcs_fairness::Confidence;

/// `fcs bias`.
#[derive(Subcommand)]
pub(crate) enum BiasCommand {
    /// Show outcomes by group with intervals and verdicts.
    Report {
        /// Only this model, as "name/version".
        #[arg(long)]
        model: Option<String>,
        /// Compare with this group instead of the largest.
        #[arg(long = "reference", value_name = "ATTRIBUTE=GROUP")]
        references: Vec<String>,
    },
    /// Measure the decisions of a CSV file by group; needs no service.
    ///
    /// Every group metric with its interval and counts, each group beside the reference group. An empty cell is a
    /// value that is not known; in decisions, labels and scores NA, NaN and null are too. A row without a decision is
    /// left out and counted. Intervals and tests are right for one look at the file, not for watching it grow.
    Compute(Box<ComputeArguments>),
}

/// Arguments of `fcs bias compute`.
#[derive(Args)]
#[command(after_help = "Values, in upper or lower case:\n  \
                  decision  approve: 1 true yes approve approved accept accepted\n            \
                  refer: refer referred review\n            \
                  deny: 0 false no deny denied decline declined reject rejected\n  \
                  label     repaid: 1 true yes repaid paid good\n            \
                  defaulted: 0 false no defaulted default bad\n\n\
                  Examples:\n  \
                  fcs bias compute decisions.csv --attribute sex --reference male --decision approved\n  \
                  fcs bias compute decisions.csv --attribute sex --attribute age_band --reference male --reference 25-59 \\\n      \
                  --decision action --approve-value funded --deny-value turned-down --label repaid --score probability -o json")]
pub(crate) struct ComputeArguments {
    /// Decisions: a CSV file with a header; "-" is standard input.
    #[arg(value_name = "FILE.csv")]
    pub(crate) file: PathBuf,
    /// Column with the groups; several give the groups of their intersections.
    #[arg(long = "attribute", value_name = "COLUMN", required = true)]
    pub(crate) attributes: Vec<String>,
    /// Group to compare with, one for each attribute in their order; the default is the largest group.
    #[arg(long = "reference", value_name = "GROUP")]
    pub(crate) references: Vec<String>,
    /// The columns beside the attributes.
    #[command(flatten)]
    pub(crate) columns: ColumnArguments,
    /// Spellings beside the usual ones.
    #[command(flatten)]
    pub(crate) values: ValueArguments,
    /// Only the rows with this value of the column --stratum.
    #[arg(long, value_name = "STRATUM", requires = "stratum")]
    pub(crate) within: Option<String>,
    /// Groups with fewer decisions are listed without numbers.
    #[arg(long, value_name = "DECISIONS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) minimum_cell_size: u32,
    /// Confidence of the intervals.
    #[arg(long, value_name = "SHARE", default_value = "0.95", value_parser = parse_confidence)]
    pub(crate) confidence: Confidence,
    /// Shares of everybody that a cut by score would approve, for adverse impact at each of them.
    #[arg(
        long,
        value_name = "SHARES",
        value_delimiter = ',',
        default_value = "0.25,0.5,0.75"
    )]
    pub(crate) quantiles: Vec<f64>,
    /// Round scores to so many decimals, for files with more different scores than fit.
    #[arg(long, value_name = "DIGITS", value_parser = clap::value_parser!(u8).range(0..=12))]
    pub(crate) score_decimals: Option<u8>,
}

/// Where to find what.
#[derive(Args)]
pub(crate) struct ColumnArguments {
    /// Column with what was decided.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) decision: String,
    /// Column with how it went; 1 is repaid, the favourable outcome.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label: Option<String>,
    /// Column with the score; higher is better, and within [0, 1] it counts as the probability of repayment.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) score: Option<String>,
    /// Column with what groups are compared within as well, for example a product.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) stratum: Option<String>,
    /// Column that says how many equal decisions a row stands for.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) count: Option<String>,
}

/// Spellings of decisions and labels. Once a column has one of its own, the usual ones do not count for it.
#[derive(Args)]
pub(crate) struct ValueArguments {
    /// What approval is called in the decision column; then the usual spellings do not count for it.
    #[arg(long = "approve-value", value_name = "VALUE")]
    pub(crate) approve: Vec<String>,
    /// What handing over to a person is called.
    #[arg(long = "refer-value", value_name = "VALUE")]
    pub(crate) refer: Vec<String>,
    /// What denial is called.
    #[arg(long = "deny-value", value_name = "VALUE")]
    pub(crate) deny: Vec<String>,
    /// What repayment is called in the label column; then the usual spellings do not count for it.
    #[arg(long = "repaid-value", value_name = "VALUE", requires = "label")]
    pub(crate) repaid: Vec<String>,
    /// What default is called.
    #[arg(long = "defaulted-value", value_name = "VALUE", requires = "label")]
    pub(crate) defaulted: Vec<String>,
}

fn parse_confidence(text: &str) -> Result<Confidence, String> {
    let level: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    Confidence::try_from(level).map_err(|error| error.to_string())
}
