//! `fcs bias`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
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
    ///
    /// Where groups are known only by probabilities, --probabilities takes their columns instead of --attribute: the
    /// weighted and the linear estimate and Fréchet's bounds stand beside each other, and nobody is put into a group.
    Compute(Box<ComputeArguments>),
    /// Work out probabilities of race and ethnicity from names and places; needs no service.
    ///
    /// Surname and place are looked up in published tables that you supply (BISG), with --first-name first names too
    /// (BIFSG). Each row of the file gives one row with the kept columns, the probability of each group, what they
    /// rest on and the version of the tables; names and places are not written. A person whose surname and place are
    /// in no table gets no probabilities, which is counted. The probabilities are for sums over many people, such as
    /// those of "fcs bias compute --probabilities probability_", and must not be used to decide about one.
    Proxy(ProxyArguments),
    /// List what the evidence says of each group that is watched.
    ///
    /// These verdicts stay valid however often one looks. Exit code 7 with --fail-on-breach when a group is in breach.
    Verdicts {
        /// Only this model, as "name/version".
        #[arg(long)]
        model: Option<String>,
        /// End with exit code 7 if any group is in breach.
        #[arg(long)]
        fail_on_breach: bool,
    },
    /// Show how features and scores of late decisions differ from what the model was built on.
    ///
    /// Each arm is compared with the rows that the model was built on, other arms with the stable one, and each group
    /// with its own decisions in the four windows before.
    /// A difference counts only beyond what chance alone would reach with so many decisions.
    Drift(DriftArguments),
    /// Read the monitor's decisions again, and give every group metric: of intersections, vintages, strata, overrides.
    ///
    /// What a group report cannot show because it follows from counters. The output is that of "fcs bias compute".
    Examine(Box<ExamineArguments>),
    /// Count every decision again, and compare that with the monitor's counters.
    ///
    /// Nothing is changed without --apply. Meanwhile the monitor refuses facts and tells senders to come
    /// back. Exit code 7 if counters
    /// differ and were not replaced.
    Rebuild {
        /// Replace counters that differ.
        #[arg(long)]
        apply: bool,
    },
    /// Write a fairness sheet: groups, verdicts, drift and the log of alerts, as a signed file.
    ///
    /// The name of the file says how it is written: .html is a page with plots, .csv a table of the groups, .json
    /// everything. The note that signs it is written beside it, with .note after its name.
    Sheet(SheetArguments),
    /// Check that a fairness sheet is the one that was signed; needs no service.
    ///
    /// The note is looked for beside the file, with .note after its name. Exit code 7 if it is not.
    Verify {
        /// The sheet.
        file: PathBuf,
        /// The key of the signer, as `fcs bias sheet` tells it.
        #[arg(long, value_name = "VKEY")]
        key: String,
    },
    /// Follow what happens to alerts, until interrupted.
    Watch {
        /// Only this model, as "name/version".
        #[arg(long)]
        model: Option<String>,
        /// Begin after this entry of the history; 0 begins with the first.
        #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
        after: u64,
        /// End when everything until now was shown.
        #[arg(long)]
        no_follow: bool,
    },
    /// Explain the verdict on one group in words: what is shown, by how much, what is missing, what happened before.
    Explain(WatchedArguments),
    /// Say that you work on an alert.
    Acknowledge {
        /// Which alert.
        #[command(flatten)]
        watched: WatchedArguments,
        /// What you found or will do.
        #[arg(long)]
        note: String,
    },
    /// Silence the notices of an alert for a while; the verdict stays what it is.
    Mute {
        /// Which alert.
        #[command(flatten)]
        watched: WatchedArguments,
        /// Why nobody needs to hear of it.
        #[arg(long)]
        reason: String,
        /// For how long, for example 90m or 2days; at most what the policy allows.
        #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
        duration: Duration,
    },
    /// Want notices of an alert again.
    Unmute(WatchedArguments),
    /// The policy that groups are watched by.
    #[command(subcommand)]
    Policy(BiasPolicyCommand),
}

/// One group under one model.
#[derive(Args)]
pub(crate) struct WatchedArguments {
    /// Model, as "name/version".
    pub(crate) model: String,
    /// Protected attribute, for example sex.
    pub(crate) attribute: String,
    /// Group, for example female.
    pub(crate) group: String,
    /// The model that decided, where MODEL is in the shadow and the gap between the groups is watched.
    #[arg(long, value_name = "MODEL", default_value = "")]
    pub(crate) baseline: String,
}

/// `fcs bias policy`.
#[derive(Subcommand)]
pub(crate) enum BiasPolicyCommand {
    /// Check a policy file; needs no service. Exit code 7 when a monitor would refuse it.
    Check {
        /// The policy, in TOML, or in JSON where the name ends in .json.
        file: PathBuf,
    },
    /// Show the policy in force with every default, and its digest.
    Show,
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
                  --decision action --approve-value funded --deny-value turned-down --label repaid --score probability -o json\n  \
                  fcs bias compute decisions.csv --probabilities probability_ --reference white --decision approved")]
pub(crate) struct ComputeArguments {
    /// Decisions: a CSV file with a header; "-" is standard input.
    #[arg(value_name = "FILE.csv")]
    pub(crate) file: PathBuf,
    /// Column with the groups; several give the groups of their intersections.
    #[arg(
        long = "attribute",
        value_name = "COLUMN",
        required_unless_present = "probabilities"
    )]
    pub(crate) attributes: Vec<String>,
    /// Columns with the probability of each group instead of the group: what their names begin with, before the group,
    /// or all of them with commas between. Those of a row are 1 together; a row without any is left out and counted.
    #[arg(
        long,
        value_name = "PREFIX|COLUMNS",
        conflicts_with_all = ["attributes", "label", "score", "stratum", "within", "quantiles", "score_decimals"]
    )]
    pub(crate) probabilities: Option<String>,
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

/// Arguments of `fcs bias examine`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
                  fcs bias examine --attribute sex --attribute race --reference male --reference white\n  \
                  fcs bias examine --attribute sex --stratify-by vintage --within 2026-10\n  \
                  fcs bias examine --attribute race --basis low-side-overrides")]
pub(crate) struct ExamineArguments {
    /// Protected attribute; up to three give the groups of their intersections.
    #[arg(long = "attribute", value_name = "ATTRIBUTE", required = true)]
    pub(crate) attributes: Vec<String>,
    /// Group to compare with, one for each attribute in their order; the default is the largest group.
    #[arg(long = "reference", value_name = "GROUP")]
    pub(crate) references: Vec<String>,
    /// Only this model, as "name/version".
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Only this traffic arm.
    #[arg(long)]
    pub(crate) arm: Option<String>,
    /// Only decisions from this time on, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Only decisions before this time, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Compare within strata: "vintage" is the month of the decision, anything else another attribute.
    #[arg(long, value_name = "vintage|ATTRIBUTE")]
    pub(crate) stratify_by: Option<String>,
    /// Only this stratum, for example 2026-10.
    #[arg(long, value_name = "STRATUM", requires = "stratify_by")]
    pub(crate) within: Option<String>,
    /// Groups with fewer decisions are listed without numbers; never below the monitor's minimum.
    #[arg(long, value_name = "DECISIONS", default_value_t = 0)]
    pub(crate) minimum_cell_size: u32,
    /// Shares of everybody that a cut by score would approve, for adverse impact at each of them.
    #[arg(
        long,
        value_name = "SHARES",
        value_delimiter = ',',
        default_value = "0.25,0.5,0.75"
    )]
    pub(crate) quantiles: Vec<f64>,
    /// Which decisions are compared.
    #[arg(long, value_enum, default_value_t = ExamineBasis::Model)]
    pub(crate) basis: ExamineBasis,
}

/// Which decisions an examination compares.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ExamineBasis {
    /// What the model decided.
    Model,
    /// What a person decided, or else the model.
    Final,
    /// Of what the model denied, what people approved.
    LowSideOverrides,
    /// Of what the model approved, what people did not deny.
    HighSideOverrides,
}

/// Arguments of `fcs bias proxy`.
#[derive(Args)]
#[command(
    after_help = "Tables, CSV files in the folder (their columns: docs/guides/fairness.md):\n  \
                  surnames.csv                                    the Census Bureau's surnames\n  \
                  first_names.csv                                 for --first-name\n  \
                  block_groups.csv, tracts.csv, zctas.csv         people by place; at least one of them\n\n\
                  Example:\n  \
                  fcs bias proxy decisions.csv --surname last_name --geography zip --tables census \\\n      \
                  --keep id --keep approved > proxied.csv\n  \
                  fcs bias compute proxied.csv --probabilities probability_ --reference white --decision approved"
)]
pub(crate) struct ProxyArguments {
    /// People: a CSV file with a header. It is read twice, so that nothing is written if a row cannot be read.
    #[arg(value_name = "FILE.csv")]
    pub(crate) file: PathBuf,
    /// Column with the surname.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) surname: String,
    /// Column with the first name.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) first_name: Option<String>,
    /// Column with the place: the code of a block, block group or tract, or a ZIP code, with its leading zeros.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) geography: String,
    /// Folder with the tables.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) tables: PathBuf,
    /// Column to write beside the probabilities, for example the id or the decision; as often as needed.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) keep: Vec<String>,
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

/// `fcs bias drift`.
#[derive(Args)]
pub(crate) struct DriftArguments {
    /// The model, as "name/version".
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,
    /// Decisions of the last so many hours.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=744))]
    pub(crate) hours: u32,
    /// List what has not drifted, too.
    #[arg(long)]
    pub(crate) all: bool,
    /// End with exit code 7 if a comparison shows a drift to act on.
    #[arg(long)]
    pub(crate) fail_on_drift: bool,
}

/// `fcs bias sheet`.
#[derive(Args)]
pub(crate) struct SheetArguments {
    /// Only this model, as "name/version"; its drift is shown, too.
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Only decisions of this day in UTC, YYYY-MM-DD.
    #[arg(long)]
    pub(crate) day: Option<String>,
    /// Compare with this group instead of the largest.
    #[arg(long = "reference", value_name = "ATTRIBUTE=GROUP")]
    pub(crate) references: Vec<String>,
    /// Add every metric of this attribute's groups; up to three give those of their intersections.
    #[arg(long = "attribute", value_name = "ATTRIBUTE")]
    pub(crate) attributes: Vec<String>,
    /// For --attribute: compare within strata; "vintage" is the month of the decision, anything else another attribute.
    #[arg(long, value_name = "vintage|ATTRIBUTE", requires = "attributes")]
    pub(crate) stratify_by: Option<String>,
    /// For --attribute: which decisions are compared.
    #[arg(long, value_enum, default_value_t = ExamineBasis::Model, requires = "attributes")]
    pub(crate) basis: ExamineBasis,
    /// For --attribute: only this traffic arm.
    #[arg(long, requires = "attributes")]
    pub(crate) arm: Option<String>,
    /// Where to write it.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
}
