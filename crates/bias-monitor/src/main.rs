//! The bias monitor's program.

use std::process::ExitCode;

fn main() -> ExitCode {
    fcs_service::run::<bias_monitor::BiasMonitor>()
}
