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
    /// Let a model look at a sample of the decisions, without an effect on them; replaces an arm of the same name.
    Shadow {
        /// Name of the shadow arm.
        arm: String,
        /// Model package as "name/version".
        model: String,
        /// Share of the applications in basis points, of which 10,000 are all.
        #[arg(long, value_name = "BASIS POINTS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        sample: u32,
    },
    /// End a shadow arm; its results stay.
    Unshadow {
        /// Name of the shadow arm.
        arm: String,
    },
}
