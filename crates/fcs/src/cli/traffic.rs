//! `fcs traffic`.

use clap::Subcommand;

/// `fcs traffic`.
#[derive(Subcommand)]
pub(crate) enum TrafficCommand {
    /// Show which model takes which share, and which gateways have taken the table over.
    Show {
        /// Show the earlier table with this generation, as decisions name it.
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        generation: u64,
    },
}
