//! The `fcs` command.

mod cli;
mod client;
mod commands;
mod conformance;
mod demo;
mod embedded;
mod endpoints;
mod entries;
mod exit;
mod output;
mod progress;
mod records;
mod run;
mod sample;
mod tiles;
mod trust;
mod verify;
mod witness;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::main()
}
