//! The grammar of the command line: noun, then verb.

mod audit;
mod bias;
mod decision;
mod deployment;
mod erase;
mod key;
mod policy;
mod rollout;
mod traffic;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use audit::{
    AuditCommand, MonitorArguments, TrustArguments, VerifyArguments, WitnessCommand,
    WitnessIdentity,
};
pub(crate) use bias::{
    BiasCommand, BiasPolicyCommand, ColumnArguments, ComputeArguments, DriftArguments,
    ExamineArguments, ExamineBasis, ProxyArguments, SheetArguments, ValueArguments,
    WatchedArguments,
};
pub(crate) use decision::{DecisionCommand, ScoreArguments};
pub(crate) use deployment::{
    DeploymentCommand, RegisterArguments, ScenarioArguments, SimulateArguments,
};
pub(crate) use erase::EraseArguments;
pub(crate) use key::{KeyArguments, KeyCommand, NewKey};
pub(crate) use policy::{PastArguments, PolicyCommand};
pub(crate) use rollout::{ByPerson, ProposeArguments, RolloutCommand, WithReason};
pub(crate) use traffic::TrafficCommand;

/// The Fair Credit Scorer: decisions with reasons, kept provably and watched for bias.
#[derive(Parser)]
#[command(
    version,
    arg_required_else_help = true,
    propagate_version = true,
    after_help = "Exit codes: 0 ok, 1 error, 2 usage, 3 not found, 4 denied, 5 conflict or precondition, \
                  7 verification failed, 8 timeout, 64 bad settings.\n\
                  Data goes to standard output, everything else to standard error."
)]
pub(crate) struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Args, Clone)]
pub(crate) struct Global {
    /// How to print the result.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
    /// Folder of the embedded system's data.
    #[arg(long, global = true, env = "FCS_DATA_DIR", default_value = ".fcs")]
    pub(crate) data_dir: PathBuf,
    /// Folder of the model packages.
    #[arg(long, global = true, default_value = "models")]
    pub(crate) models_dir: PathBuf,
    /// Address of the scoring gateway; the default is the running embedded system, else port 8000.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) gateway: Option<String>,
    /// Address of the bias monitor; the default is the running embedded system, else port 8020.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) bias_monitor: Option<String>,
    /// Address of deployment-audit; the default is the running embedded system, else port 8030.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) deployment_audit: Option<String>,
    /// File with the API key or the token to show to the services.
    #[arg(long, global = true, env = "FCS_API_KEY_FILE", value_name = "FILE")]
    pub(crate) api_key_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tls: TlsArguments,
}

/// TLS of the calls to services.
#[derive(Args, Clone)]
pub(crate) struct TlsArguments {
    /// PEM file with the authorities to trust, for addresses that begin with https://.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// PEM file with the certificate to show to services that ask for one.
    #[arg(long, global = true, value_name = "FILE", requires_all = ["ca", "cert_key"])]
    pub(crate) cert: Option<PathBuf>,
    /// PEM file with the private key of that certificate.
    #[arg(long, global = true, value_name = "FILE", requires = "cert")]
    pub(crate) cert_key: Option<PathBuf>,
}

/// How to print a result.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One JSON document.
    Json,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run every service in this process; needs no server.
    Up(UpArguments),
    /// Send the held-out applications of a model through a system started here, and show what came of it.
    Demo(DemoArguments),
    /// Send applications of a model again and again, and tell what failed: for drills, and for updates under load.
    Load(LoadArguments),
    /// Score applications and look at decisions.
    #[command(subcommand)]
    Decision(DecisionCommand),
    /// Have what is kept of an applicant erased, or list erasures.
    Erase(EraseArguments),
    /// Look at groups.
    #[command(subcommand)]
    Bias(BiasCommand),
    /// Take models into and out of traffic, and judge candidates.
    #[command(subcommand)]
    Deployment(DeploymentCommand),
    /// Roll a model out step by step, by a frozen and approved plan that goes back by itself.
    #[command(subcommand)]
    Rollout(RolloutCommand),
    /// Look at the traffic table and the gateways that serve it.
    #[command(subcommand)]
    Traffic(TrafficCommand),
    /// Look into the transparency log and verify it.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Make, list, rotate and revoke API keys.
    Key(KeyArguments),
    /// Check, show, sign and move model packages.
    Model(ModelArguments),
    /// Check policies, and try them on past decisions.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Check and show the settings of the services.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Check how a server of the Open Inference Protocol answers good and broken requests.
    Conformance(ConformanceArguments),
    /// Check that the system can work here; every finding says what to do.
    Doctor,
}

/// Which ports the services listen on.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ports {
    /// 8000, 8010, 8020, 8030, and 9000 to 9030 for health and metrics.
    Default,
    /// Any free ports.
    Free,
}

/// Arguments of `fcs up`.
#[derive(Args)]
pub(crate) struct UpArguments {
    /// Which ports to listen on.
    #[arg(long, value_enum, default_value_t = Ports::Default)]
    pub(crate) ports: Ports,
}

/// Arguments of `fcs demo`.
#[derive(Args)]
pub(crate) struct DemoArguments {
    /// Which model package to use; its newest version is taken.
    #[arg(long, default_value = "taiwan-default")]
    pub(crate) model: String,
    /// Stop the system after the summary instead of leaving it running.
    #[arg(long)]
    pub(crate) exit: bool,
    /// Which ports to listen on; the default ports if they are free, else any.
    #[arg(long, value_enum)]
    pub(crate) ports: Option<Ports>,
    /// Drive the services that run already instead of starting a system.
    #[arg(long, conflicts_with_all = ["ports", "exit"])]
    pub(crate) attach: bool,
    /// Applications in flight at the same time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) concurrency: u16,
}

/// Arguments of `fcs load`.
#[derive(Args)]
pub(crate) struct LoadArguments {
    /// Whose applications to send; the newest version of this model is taken.
    #[arg(long, default_value = "taiwan-default")]
    pub(crate) model: String,
    /// How many, each under an id of its own; SIGTERM and SIGINT end it earlier.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) requests: usize,
    /// Applications in flight at the same time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) concurrency: u16,
    /// Connections to each service.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) connections: u16,
}

/// Arguments of `fcs conformance`.
#[derive(Args)]
pub(crate) struct ConformanceArguments {
    /// Address of the server's gRPC port; with --ca the checks speak TLS.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) target: String,
    /// Address of its HTTP port; without it the checks over HTTP are left out.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) http: Option<String>,
    /// The model to ask with; the default is the first that is ready.
    #[arg(long)]
    pub(crate) model: Option<String>,
}

/// `fcs model`.
#[derive(Args)]
#[command(
    after_help = "A registry is a folder, file:///folder or s3://bucket/prefix; without --from it is the models folder.\n\
                  A bucket is reached with the usual variables: AWS_REGION, AWS_ENDPOINT_URL (and AWS_ALLOW_HTTP=true for \
                  http://), AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY.\n\
                  Exit codes: 0 ok, 1 error, 2 usage, 3 no such package or registry, 5 other bytes are there, \
                  7 package refused."
)]
pub(crate) struct ModelArguments {
    /// Keys that may sign packages; the default is trust.toml in the models folder.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) trust: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: ModelCommand,
}

/// What to do with packages.
#[derive(Subcommand)]
pub(crate) enum ModelCommand {
    /// Check a package as activation does: signatures, digests, schema, golden rows, additivity.
    Verify {
        /// Package as "name/version"; none means every package of the registry.
        model: Option<String>,
        /// Registry; the default is the models folder.
        #[arg(long, value_name = "REGISTRY")]
        from: Option<String>,
    },
    /// Show a package: schema, reasons, policy, reference population, lineage.
    Inspect {
        /// Package as "name/version", or a folder that holds one.
        model: String,
        /// Registry; the default is the models folder.
        #[arg(long, value_name = "REGISTRY")]
        from: Option<String>,
    },
    /// List the packages of a registry, with whether their manifests are trusted.
    List {
        /// Registry; the default is the models folder.
        #[arg(long, value_name = "REGISTRY")]
        from: Option<String>,
    },
    /// Verify a package and create it in a registry; what is there is never replaced.
    Push {
        /// Folder that holds the package.
        folder: PathBuf,
        /// Registry to create it in.
        #[arg(long, value_name = "REGISTRY")]
        to: String,
    },
    /// Copy a package from a registry into a folder, its signatures and digests verified.
    Pull {
        /// Package as "name/version".
        model: String,
        /// Registry; the default is the models folder.
        #[arg(long, value_name = "REGISTRY")]
        from: Option<String>,
        /// Folder that will hold the package; made if it is missing.
        #[arg(long, value_name = "FOLDER")]
        to: PathBuf,
    },
    /// Predict the rows of a CSV file with any supported model file: a CSV with margin and probability.
    ///
    /// Columns of the rows are found by the names of the model's features, in any order; others are ignored. Where a
    /// model has only made-up names (Column_0, f0), a file with as many columns is taken in order. An empty cell and
    /// NaN are missing values. With -o json the result is a list of objects, with the contributions as an object of
    /// their own.
    Predict(PredictArguments),
    /// Measure how fast this machine scores and attributes with a model.
    Bench(BenchArguments),
    /// Make a signing key (Ed25519) and print its entry for a trust policy.
    Keygen {
        /// File for the private key; it must not exist.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// Name of the key in trust policies.
        #[arg(long)]
        key_id: String,
    },
    /// Sign the package in a folder.
    Sign(SignArguments),
    /// Decide past applications again with this package, and compare.
    Backtest {
        /// Package as "name/version"; its features must be those of the past decisions.
        model: String,
        /// Registry; the default is the models folder.
        #[arg(long, value_name = "REGISTRY")]
        from: Option<String>,
        /// Which decisions, and what to compare.
        #[command(flatten)]
        past: PastArguments,
    },
    /// Show every key in which two manifests differ: schema, policy, reasons, digests, metrics.
    Diff {
        /// Package as "name/version", or a folder that holds one.
        before: String,
        /// The other package.
        after: String,
        /// Registry; the default is the models folder.
        #[arg(long, value_name = "REGISTRY")]
        from: Option<String>,
    },
    /// Write a model card as one HTML file: quality, effects of the features, policy, lineage.
    Card {
        /// Package as "name/version".
        model: String,
        /// Registry; the default is the models folder.
        #[arg(long, value_name = "REGISTRY")]
        from: Option<String>,
        /// File to write.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
}

/// Arguments of `fcs model predict`.
#[derive(Args)]
pub(crate) struct PredictArguments {
    /// Model file (LightGBM text, XGBoost JSON or UBJ, ONNX, linear model or scorecard in TOML or JSON), or the folder of
    /// a package.
    pub(crate) file: PathBuf,
    /// Rows to predict: a CSV file with a header; "-" is standard input.
    #[arg(long, value_name = "ROWS.csv")]
    pub(crate) rows: PathBuf,
    /// Add a column per feature and `base`: exact Shapley values of the margin. They follow the paths of the trees, as
    /// LightGBM's pred_contrib and XGBoost's pred_contribs do; for a linear model they are weight times value.
    #[arg(long)]
    pub(crate) contributions: bool,
    /// With --contributions: measure them against these applicants instead (interventional), a CSV file like the rows.
    #[arg(long, value_name = "REFERENCES.csv", requires = "contributions")]
    pub(crate) references: Option<PathBuf>,
    /// Format of the model file, when its first bytes do not tell it, for example `xgboost-json`.
    #[arg(long)]
    pub(crate) format: Option<String>,
}

/// Arguments of `fcs model bench`.
#[derive(Args)]
pub(crate) struct BenchArguments {
    /// Model file, or the folder of a package.
    pub(crate) file: PathBuf,
    /// Rows to score: a CSV file with a header. A package is measured with its golden rows by default.
    #[arg(long, value_name = "ROWS.csv")]
    pub(crate) rows: Option<PathBuf>,
    /// Seconds per measurement.
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS")]
    pub(crate) seconds: f64,
    /// Format of the model file, when its first bytes do not tell it.
    #[arg(long)]
    pub(crate) format: Option<String>,
}

/// Arguments of `fcs model sign`.
#[derive(Args)]
pub(crate) struct SignArguments {
    /// Folder that holds the package.
    pub(crate) folder: PathBuf,
    /// Private key file (Ed25519, PKCS#8 in PEM).
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Name of the key; needed when the trust policy does not hold it.
    #[arg(long)]
    pub(crate) key_id: Option<String>,
    /// Keep the signatures that are there, as when keys rotate or two must sign.
    #[arg(long)]
    pub(crate) add: bool,
}

/// `fcs config`.
#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// List every problem of the settings of all services.
    Check,
    /// Show the effective settings; secrets are redacted.
    Show {
        /// Only this service.
        #[arg(long)]
        service: Option<String>,
    },
}
