//! Stand-ins for the images of others, from Debian's packages, for machines that reach no image registry.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::command::{self, run};
use crate::containers::{docker, has_image};
use crate::packages;

/// The image that they begin with.
const DEBIAN: &str = "debian:bookworm-slim";
const SUITE: &str = "bookworm";

/// One stand-in.
pub(crate) struct Standin {
    /// Its target in deploy/standin/Dockerfile.
    target: &'static str,
    /// The variable of docker-compose.yml that names its image.
    pub(crate) variable: &'static str,
}

impl Standin {
    /// Those that there are.
    pub(crate) const ALL: [Self; 4] = [
        Self {
            target: "postgres",
            variable: "POSTGRES_IMAGE",
        },
        Self {
            target: "redis",
            variable: "REDIS_IMAGE",
        },
        Self {
            target: "prometheus",
            variable: "PROMETHEUS_IMAGE",
        },
        Self {
            target: "alertmanager",
            variable: "ALERTMANAGER_IMAGE",
        },
    ];

    /// Name of its image.
    pub(crate) fn image(&self) -> String {
        format!("fcs-standin/{}:{SUITE}", self.target)
    }
}

/// Makes the images that are missing.
pub(crate) fn prepare() -> anyhow::Result<()> {
    for standin in &Standin::ALL {
        if has_image(&standin.image()) {
            continue;
        }
        debian()?;
        run(&mut docker(&[
            "build",
            "--quiet",
            "--file=deploy/standin/Dockerfile",
            "--target",
            standin.target,
            "--tag",
            &standin.image(),
            "deploy/standin",
        ]))?;
    }
    Ok(())
}

/// Debian as an image: the engine's, else one from a tarball that is made once and kept in the user's cache.
fn debian() -> anyhow::Result<()> {
    if has_image(DEBIAN) {
        return Ok(());
    }
    let tarball = cache_folder()?.join(format!("debian-{SUITE}.tar"));
    if !tarball.exists() {
        bootstrap(&tarball)?;
    }
    let changes = ["--change", "CMD [\"bash\"]"];
    run(docker(&["import"]).args(changes).arg(&tarball).arg(DEBIAN))
}

fn bootstrap(tarball: &PathBuf) -> anyhow::Result<()> {
    packages::debootstrap()?;
    let folder = tempfile::Builder::new().prefix("fcs-debian-").tempdir()?;
    let root = folder.path().join("root");
    run(command::new("debootstrap")
        .args(["--variant=minbase", "--include=ca-certificates", SUITE])
        .arg(&root)
        .arg(packages::debian_mirror()?))?;
    for unneeded in ["var/cache/apt/archives", "var/lib/apt/lists"] {
        fs::remove_dir_all(root.join(unneeded))?;
    }
    let partial = tarball.with_extension("partial");
    run(command::new("tar")
        .arg("-C")
        .arg(&root)
        .arg("-cf")
        .arg(&partial)
        .arg("."))?;
    fs::rename(partial, tarball).context("keep the tarball")
}

fn cache_folder() -> anyhow::Result<PathBuf> {
    let own = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let usual = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let Some(base) = own.or(usual) else {
        bail!("neither XDG_CACHE_HOME nor HOME says where to keep files");
    };
    let folder = base.join("fair-credit-scorer");
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    Ok(folder)
}
