//! `fcs erase`.

use clap::Args;

/// Arguments of `fcs erase`.
#[derive(Args)]
pub(crate) struct EraseArguments {
    /// The application to erase.
    #[arg(
        long,
        value_name = "ID",
        required_unless_present = "list",
        requires = "reason"
    )]
    pub(crate) application: Option<String>,
    /// Why; it is kept for ever, so it names no person and not the application.
    #[arg(long, value_name = "TEXT", requires = "application")]
    pub(crate) reason: Option<String>,
    /// List the erasures instead, those on hold too.
    #[arg(long, conflicts_with_all = ["application", "reason"])]
    pub(crate) list: bool,
}
