//! The arguments that every service takes.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::Service;
use crate::metrics::process::VERSION;
use crate::settings::Sources;

/// Arguments of a service. Without a command the service runs.
#[derive(Debug, Parser)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: SettingsArguments,
    /// Ask the service that runs here whether it is alive; exit 0 when it is (for container health checks)
    #[arg(long, conflicts_with = "ready")]
    pub(super) health: bool,
    /// Ask the service that runs here whether it is ready for traffic; exit 0 when it is
    #[arg(long)]
    pub(super) ready: bool,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Args)]
struct SettingsArguments {
    /// Read a further settings file
    #[arg(long = "config", value_name = "FILE", global = true)]
    files: Vec<PathBuf>,
    /// Set one key, for example --set http.listen=127.0.0.1:8000
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE", global = true)]
    assignments: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Apply the database migrations and exit
    Migrate,
    /// Look at the settings
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check the settings; exit 64 when there is a problem
    Check,
    /// Print the effective settings, secrets redacted
    Show {
        /// Format
        #[arg(short, long, value_enum, default_value_t = Format::Toml)]
        output: Format,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Format {
    Toml,
    Json,
}

impl Arguments {
    /// The arguments of this process; wrong ones end it with exit code 2.
    pub(super) fn of_process<S: Service>() -> Self {
        let command = Self::command().name(S::NAME).version(VERSION);
        let matches = command.get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// The probe that these arguments ask for.
    pub(super) fn probe(&self) -> Option<&'static str> {
        match (self.ready, self.health) {
            (true, _) => Some("/ready"),
            (_, true) => Some("/health"),
            _ => None,
        }
    }

    /// Where these arguments say to read settings from.
    pub(super) fn sources(&self) -> Sources {
        Sources {
            files: self.settings.files.clone(),
            assignments: self.settings.assignments.clone(),
            ..Sources::from_process()
        }
    }
}
