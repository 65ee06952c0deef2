//! Arguments of `fcs audit`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `fcs audit`.
#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Verify the running log, a published log (--tiles) or a proof (--proof).
    Verify(VerifyArguments),
    /// Write the proof that a decision or an event is in the log, to keep or hand over.
    Prove {
        /// Id of a decision (or its application), of a deployment or of a rollout.
        id: String,
        /// Which event of the deployment or rollout, by its sequence; the default is the last one.
        #[arg(long)]
        event: Option<u64>,
        /// File to write, by custom with the ending .tlog-proof; the default is standard output.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Write the log as files (C2SP tlog-tiles), which any web server can publish and anyone can verify.
    Export {
        /// Folder to write into; a log that is there already is carried on.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        trust: TrustArguments,
    },
    /// Follow a published log: that it only grows, and that every entry is of a known kind and in its place.
    Monitor(MonitorArguments),
    /// Run a witness, which cosigns what extends what it has seen.
    #[command(subcommand)]
    Witness(WitnessCommand),
    /// Put back, from the published log, what an older backup of the database lacks. Stop deployment-audit before.
    Recover,
    /// Show the newest leaves.
    Tail {
        /// How many.
        #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        lines: u32,
        /// Go on showing leaves as they come.
        #[arg(short, long)]
        follow: bool,
    },
}

/// Whom to believe.
#[derive(Args, Clone)]
pub(crate) struct TrustArguments {
    /// C2SP tlog-policy file: the log's key, and the witnesses that must have cosigned.
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    pub(crate) policy: Option<PathBuf>,
    /// The log's verifier key, from a source that you trust, when no witness is asked for.
    #[arg(long, value_name = "VKEY")]
    pub(crate) key: Option<String>,
}

/// Arguments of `fcs audit verify`.
#[derive(Args)]
pub(crate) struct VerifyArguments {
    /// Verify the proof of this decision (an id), not of a sample.
    #[arg(long, conflicts_with_all = ["tiles", "proof"])]
    pub(crate) decision: Option<String>,
    /// Verify this proof; needs no service.
    #[arg(long, value_name = "FILE", conflicts_with = "tiles")]
    pub(crate) proof: Option<PathBuf>,
    /// With --proof: the bytes of the entry, when the proof does not bring them itself.
    #[arg(long, value_name = "FILE", requires = "proof")]
    pub(crate) entry: Option<PathBuf>,
    /// Verify every tile and every entry of a published log: a folder, or the address before "/checkpoint".
    #[arg(long, value_name = "DIR|URL")]
    pub(crate) tiles: Option<String>,
    /// With --tiles: do not look at what the entries say, as for a log of somebody else.
    #[arg(long, requires = "tiles")]
    pub(crate) any_entries: bool,
    #[command(flatten)]
    pub(crate) trust: TrustArguments,
}

/// Arguments of `fcs audit monitor`.
#[derive(Args)]
pub(crate) struct MonitorArguments {
    /// The published log: a folder, or the address before "/checkpoint".
    #[arg(long, value_name = "DIR|URL")]
    pub(crate) log: String,
    /// Folder for what was seen last, and for the evidence of a fork.
    #[arg(long, value_name = "DIR")]
    pub(crate) state: PathBuf,
    /// Look once instead of going on.
    #[arg(long)]
    pub(crate) once: bool,
    /// Seconds between two looks.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) interval: u64,
    #[command(flatten)]
    pub(crate) trust: TrustArguments,
}

/// `fcs audit witness`.
#[derive(Subcommand)]
pub(crate) enum WitnessCommand {
    /// Answer requests (C2SP tlog-witness).
    Serve {
        /// Address to listen on.
        #[arg(long, default_value = "127.0.0.1:7380")]
        listen: SocketAddr,
        #[command(flatten)]
        identity: WitnessIdentity,
        /// C2SP tlog-policy file whose logs are followed.
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,
    },
    /// Print the witness's verifier key, for the policies of others.
    Key {
        #[command(flatten)]
        identity: WitnessIdentity,
    },
}

/// Who a witness is.
#[derive(Args, Clone)]
pub(crate) struct WitnessIdentity {
    /// Name of its key, for example witness.example/w1.
    #[arg(long)]
    pub(crate) name: String,
    /// Folder of its key (witness.key, made when missing), of what it cosigned last, and of evidence.
    #[arg(long, value_name = "DIR")]
    pub(crate) state: PathBuf,
}
