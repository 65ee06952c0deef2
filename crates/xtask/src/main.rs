//! Development tasks. `cargo xtask --help` lists them.

#![expect(
    clippy::print_stdout,
    reason = "a task talks to the person who runs it"
)]

mod bench;
mod command;
mod containers;
mod deploy;
mod fuzz;
mod image;
mod layers;
mod packages;
mod servers;
mod sizes;
mod stack;
mod swarm;
mod test;

use clap::{Parser, Subcommand};

use command::cargo;

#[derive(Parser)]
#[command(
    about = "Development tasks of the Fair Credit Scorer",
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Starts a private PostgreSQL and Redis (installing them if needed) and runs every test.
    Test(test::Options),
    /// Measures the product beside its peers.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Checks that dependencies point down: processes, foundations, domain, core.
    CheckLayers,
    /// Checks that no source file has more than 500 lines.
    CheckSizes,
    /// Checks the contracts in proto/ with buf.
    CheckProto,
    /// Writes the protobuf bindings and the OpenAPI documents again.
    Codegen,
    /// Checks rules, dashboards, manifests, infrastructure and workflows, with pinned tools.
    CheckDeploy(deploy::Options),
    /// Runs every check that CI runs beside the tests.
    Check,
    /// Makes the images of the services; needs no registry.
    Image(image::Options),
    /// Runs the whole system in containers on this machine.
    #[command(subcommand)]
    Stack(stack::Stack),
    /// Updates every service of deploy/swarm/stack.yml on a swarm of this machine, under load.
    SwarmTest(swarm::Options),
    /// Fuzzes every reader for a while (installing cargo-fuzz if needed).
    Fuzz(fuzz::Options),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Test(options) => test::run(&options),
        Task::Bench(bench) => bench::run_bench(&bench),
        Task::CheckLayers => layers::check(),
        Task::CheckSizes => sizes::check(),
        Task::CheckProto => check_proto(),
        Task::Codegen => codegen(),
        Task::CheckDeploy(options) => deploy::run(&options),
        Task::Check => check(),
        Task::Image(options) => image::build(&options),
        Task::Stack(task) => stack::run_stack(&task),
        Task::SwarmTest(options) => swarm::test(&options),
        Task::Fuzz(options) => fuzz::run(&options),
    }
}

fn check() -> anyhow::Result<()> {
    command::run(cargo().args(["fmt", "--all", "--check"]))?;
    command::run(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    layers::check()?;
    sizes::check()?;
    check_proto()
}

/// The version is pinned so that a new rule never breaks an old commit.
fn check_proto() -> anyhow::Result<()> {
    command::run(
        command::new("npx")
            .args(["--yes", "@bufbuild/buf@1.75.0", "lint"])
            .current_dir(command::workspace_root().join("proto")),
    )?;
    println!("proto: the contracts follow the rules in proto/buf.yaml");
    Ok(())
}

fn codegen() -> anyhow::Result<()> {
    for package in ["fcs-proto", "fcs-service", "scoring-gateway"] {
        command::run(
            cargo()
                .args(["test", "--package", package, "committed"])
                .env("FCS_UPDATE_GENERATED", "1"),
        )?;
    }
    Ok(())
}
