//! The scoring gateway process.

use std::process::ExitCode;

fn main() -> ExitCode {
    fcs_service::run::<scoring_gateway::Gateway>()
}
