//! `fcs rollout`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::RegisterArguments;

/// What a plan looks like.
const PLAN_HELP: &str = r#"A plan, in TOML or JSON. Each part may be left out; docs/guides/canaries.md has all of it:
  [strategy]                        # 5, 25, 50 and 100 %, half an hour each
  kind = "canary"
  [[strategy.shares]]
  weight = 500                      # basis points
  bake_micros = 1800000000
  gate = false
  [analysis]                        # errors, slow requests, triggers of the deployment strategy
  look_micros = 15000000
  [limits]                          # deadlines and attempts
  extensions_max = 2"#;

/// `fcs rollout`.
#[derive(Subcommand)]
pub(crate) enum RolloutCommand {
    /// Propose a model with a plan that is frozen from here on, and print what approvals bind to.
    Propose(ProposeArguments),
    /// Approve a plan; not by its author, a committer, nor by who asked for it.
    Approve {
        #[command(flatten)]
        rollout: ByPerson,
        /// What was checked.
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// Refuse a plan.
    Reject(WithReason),
    /// Let an approved rollout go. From here on its traffic moves by itself.
    Start(ByPerson),
    /// Have a rollout stand still.
    Pause(ByPerson),
    /// Have a rollout go on; after an inconclusive step this passes the step.
    Resume(WithReason),
    /// Open the gate before the next step.
    Promote {
        #[command(flatten)]
        rollout: ByPerson,
        /// What was checked.
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// Withdraw a rollout before it has traffic, and roll it back afterwards.
    Abort(WithReason),
    /// Give everything back to the baseline. Asking again is no other rollback.
    Rollback(WithReason),
    /// Follow a rollout until it is over.
    ///
    /// Exit code 0 if the candidate has everything, 7 if it was taken back or never got traffic, 8 if it is not over in
    /// time.
    Watch {
        /// Rollout id.
        id: String,
        /// Give up after so long, for example 2h.
        #[arg(long, value_parser = humantime::parse_duration)]
        timeout: Option<std::time::Duration>,
    },
    /// Show a rollout with its history.
    Get {
        /// Rollout id.
        id: String,
    },
    /// List rollouts, newest first.
    List,
}

/// Arguments of `fcs rollout propose`.
#[derive(Args)]
#[command(after_help = PLAN_HELP)]
pub(crate) struct ProposeArguments {
    #[command(flatten)]
    pub(crate) change: RegisterArguments,
    /// Who wrote commits of the change besides the author; may be repeated.
    #[arg(long = "committer", value_name = "USER")]
    pub(crate) committers: Vec<String>,
    /// File with the plan; what it leaves out, and all of it without one, is as usual.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
}

/// A rollout, and who does something about it.
#[derive(Args)]
pub(crate) struct ByPerson {
    /// Rollout id.
    pub(crate) id: String,
    /// Who does it.
    #[arg(long = "as", value_name = "USER")]
    pub(crate) actor: String,
}

/// The same, with a justification.
#[derive(Args)]
pub(crate) struct WithReason {
    #[command(flatten)]
    pub(crate) rollout: ByPerson,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
}
