//! The `fcs` command.

mod cli;
mod client;
mod commands;
mod conformance;
mod demo;
mod embedded;
mod endpoints;
mod exit;
mod output;
mod progress;
mod records;
mod run;
mod sample;
mod verify;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::main()
}
