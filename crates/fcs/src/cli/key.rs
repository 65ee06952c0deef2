//! The grammar of `fcs key`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Arguments of `fcs key`.
#[derive(Args)]
pub(crate) struct KeyArguments {
    /// Work on the gateway's own store, with its settings (DATABASE_URL, FCS__AUTH__KEY_SECRET), instead of asking a
    /// gateway: the way to the first key.
    #[arg(long, global = true)]
    pub(crate) local: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: KeyCommand,
}

/// What to do with API keys.
#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a client with its first key. The key is shown once.
    Create {
        /// Name of the client, unique within its tenant.
        name: String,
        /// Role, for example originator, auditor or tenant-admin; may be given several times.
        #[arg(long = "role", value_name = "ROLE", required = true)]
        roles: Vec<String>,
        /// Tenant; the default is the caller's.
        #[arg(long)]
        tenant: Option<String>,
        /// Options of the new key.
        #[command(flatten)]
        new: NewKey,
    },
    /// List the clients of a tenant with their keys.
    List {
        /// Tenant; the default is the caller's.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Give a client a further key; the former one lives on for a while. The key is shown once.
    Rotate {
        /// Client id: the 16 digits after "fcs_".
        client: String,
        /// Hours that the former key lives on.
        #[arg(long, default_value_t = 168)]
        overlap_hours: u32,
        /// Options of the new key.
        #[command(flatten)]
        new: NewKey,
    },
    /// Revoke a key, or every key of a client.
    Revoke {
        /// Client id: the 16 digits after "fcs_".
        client: String,
        /// Fingerprint of the key as `list` shows it.
        #[arg(long, required_unless_present = "all")]
        fingerprint: Option<String>,
        /// Every key.
        #[arg(long, conflicts_with = "fingerprint")]
        all: bool,
    },
}

/// Options of a new key.
#[derive(Args)]
pub(crate) struct NewKey {
    /// Days until the key expires.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=1095))]
    pub(crate) valid_days: u32,
    /// File for the key, readable by its owner only; it must not exist. The default is standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
}
