//! The images of the services, and what is promised of them.

use anyhow::{Context, ensure};

use crate::command::{self, cargo, output, run};
use crate::containers::{ask, docker};

/// The images: one per service, and the command line.
pub(crate) const IMAGES: [&str; 5] = [
    "scoring-gateway",
    "model-server",
    "bias-monitor",
    "deployment-audit",
    "fcs",
];

/// What names of images begin with.
pub(crate) const PREFIX: &str = "fair-credit-scorer/";
/// Bytes of an image at most.
const BYTES_MAX: u64 = 40_000_000;

/// How to build.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Profile of cargo: `release`, or `image`, which builds in a fraction of the time.
    #[arg(long, default_value = "release")]
    pub(crate) profile: String,
    /// Tag of the images.
    #[arg(long, default_value = "local")]
    pub(crate) tag: String,
    /// Also builds them a second time, from nothing, and checks size, contents and that both are the same.
    #[arg(long)]
    pub(crate) check: bool,
}

/// What writes the dependencies into the binaries and into bills of materials.
const TOOLS: [(&str, &str); 2] = [("cargo-auditable", "0.7.7"), ("cargo-cyclonedx", "0.5.9")];

/// Installs the tools that are neither on the path nor in the target folder.
fn tools() -> anyhow::Result<()> {
    let folder = command::workspace_root().join("target/tools");
    for (tool, version) in TOOLS {
        if command::exists(tool) || folder.join("bin").join(tool).exists() {
            continue;
        }
        run(cargo()
            .args([
                "install",
                "--quiet",
                "--locked",
                tool,
                "--version",
                version,
                "--root",
            ])
            .arg(&folder))?;
    }
    Ok(())
}

/// Compiles every binary in one run and makes the images; needs no registry.
pub(crate) fn build(options: &Options) -> anyhow::Result<()> {
    tools()?;
    run(command::new("deploy/docker/lay-rootfs.sh").env("PROFILE", &options.profile))?;
    for image in IMAGES {
        build_one(image, &options.tag, &[])?;
    }
    if options.check {
        check(&options.tag)?;
    }
    Ok(())
}

fn name(image: &str, tag: &str) -> String {
    format!("{PREFIX}{image}:{tag}")
}

fn git(arguments: &[&str]) -> anyhow::Result<String> {
    Ok(output(command::new("git").args(arguments))?
        .trim()
        .to_owned())
}

/// One image of the binaries that were laid out, which are all that it is made of.
pub(crate) fn build_one(image: &str, tag: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let revision = git(&["rev-parse", "HEAD"])?;
    let utc = [
        "log",
        "-1",
        "--format=%cd",
        "--date=format-local:%Y-%m-%dT%H:%M:%SZ",
    ];
    let created = output(command::new("git").args(utc).env("TZ", "UTC0"))?;
    let epoch = git(&["log", "-1", "--format=%ct"])?;
    let name = name(image, tag);
    run(
        docker(&["build", "--quiet", "--target", image, "--tag", &name])
            .arg("--build-arg=BINARIES=prebuilt")
            .arg(format!("--build-arg=REVISION={revision}"))
            .arg(format!("--build-arg=VERSION={}", env!("CARGO_PKG_VERSION")))
            .arg(format!("--build-arg=CREATED={}", created.trim()))
            .arg(format!("--build-arg=SOURCE_DATE_EPOCH={epoch}"))
            .args(arguments)
            .arg("."),
    )
}

/// What is promised of every image.
fn check(tag: &str) -> anyhow::Result<()> {
    let revision = git(&["rev-parse", "HEAD"])?;
    for image in IMAGES {
        let built = name(image, tag);
        let inspect = |format: &str| ask(&["image", "inspect", "--format", format, &built]);
        let bytes: u64 = inspect("{{.Size}}")?.parse().context("a size")?;
        ensure!(
            bytes <= BYTES_MAX,
            "{built} has {bytes} bytes, more than {BYTES_MAX}"
        );
        ensure!(
            inspect("{{.Config.User}}")? == "65532:65532",
            "{built} runs as root"
        );
        let label = inspect("{{index .Config.Labels \"org.opencontainers.image.revision\"}}")?;
        ensure!(label == revision, "{built} says that it is {label}");
        let shell = docker(&[
            "run",
            "--rm",
            "--entrypoint",
            "/bin/sh",
            &built,
            "-c",
            "true",
        ])
        .output()
        .context("try a shell")?;
        ensure!(!shell.status.success(), "{built} has a shell");
        runs_locked_down(image, &built)?;

        build_one(image, "again", &["--no-cache"])?;
        let layers = "{{json .RootFS.Layers}}";
        let again = ask(&[
            "image",
            "inspect",
            "--format",
            layers,
            &name(image, "again"),
        ])?;
        ensure!(
            inspect(layers)? == again,
            "two builds of {built} differ: {again}"
        );
        println!(
            "{built}: {:.1} MB, layers the same in two builds",
            bytes as f64 / 1e6
        );
    }
    Ok(())
}

/// Read-only, without a capability and as nobody, it still says its version.
fn runs_locked_down(image: &str, built: &str) -> anyhow::Result<()> {
    let arguments = [
        "run",
        "--rm",
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--network=none",
        built,
        "--version",
    ];
    let version = ask(&arguments)?;
    ensure!(
        version == format!("{image} {}", env!("CARGO_PKG_VERSION")),
        "{built} says it is {version:?}"
    );
    Ok(())
}
