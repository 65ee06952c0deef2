//! The model server's program.

use std::process::ExitCode;

fn main() -> ExitCode {
    fcs_service::run::<model_server::ModelServer>()
}
