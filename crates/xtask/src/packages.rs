//! Finding the programs that tasks need, and installing them from Debian's packages when they are missing.

use std::cmp::Ordering;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::command;

/// Folder with `initdb` and `postgres`; installs PostgreSQL when there is none.
pub(crate) fn postgres_folder() -> anyhow::Result<PathBuf> {
    if let Some(folder) = find_postgres() {
        return Ok(folder);
    }
    install("postgresql")?;
    find_postgres()
        .context("PostgreSQL was installed, yet there is no initdb in /usr/lib/postgresql/*/bin")
}

/// The Redis server program; installs it when there is none.
pub(crate) fn redis_program() -> anyhow::Result<PathBuf> {
    let program = PathBuf::from("redis-server");
    if !command::exists(&program) {
        install("redis-server")?;
    }
    Ok(program)
}

/// Makes sure that there are the programs that read PDF files.
pub(crate) fn poppler() -> anyhow::Result<()> {
    // They print their version for `-v`, and nothing but help for `--version`.
    if command::output(command::new("pdftotext").arg("-v")).is_ok() {
        return Ok(());
    }
    install("poppler-utils")
}

/// Makes sure that there are a container engine, its client and Compose.
pub(crate) fn container_engine() -> anyhow::Result<()> {
    for (program, package) in [
        ("dockerd", "docker.io"),
        ("docker-compose", "docker-compose"),
    ] {
        if !command::exists(program) {
            install(package)?;
        }
    }
    Ok(())
}

/// Makes sure that there is the program that makes certificates.
pub(crate) fn openssl() -> anyhow::Result<()> {
    if command::output(command::new("openssl").arg("version")).is_ok() {
        return Ok(());
    }
    install("openssl")
}

/// Makes sure that there is the program that lays out Debian in a folder.
pub(crate) fn debootstrap() -> anyhow::Result<()> {
    if command::exists("debootstrap") {
        return Ok(());
    }
    install("debootstrap")
}

/// Where this machine gets Debian's packages.
pub(crate) fn debian_mirror() -> anyhow::Result<String> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(folder) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(folder.filter_map(|entry| Some(entry.ok()?.path())));
    }
    let texts = files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok());
    let words: Vec<String> = texts
        .flat_map(|text| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    let mirror = words
        .into_iter()
        .find(|word| word.starts_with("http") && word.trim_end_matches('/').ends_with("/debian"));
    mirror.context("no address of Debian's packages in /etc/apt/sources.list")
}

/// The Prometheus server program. Where there is none, Debian's package is unpacked under `target/` and not installed:
/// installing it would start a service of the system.
pub(crate) fn prometheus_program() -> anyhow::Result<PathBuf> {
    let program = PathBuf::from("prometheus");
    if command::exists(&program) {
        return Ok(program);
    }
    let folder = command::workspace_root().join("target/debian/prometheus");
    let unpacked = folder.join("usr/bin/prometheus");
    if !unpacked.exists() {
        unpack("prometheus", &folder)?;
    }
    Ok(unpacked)
}

/// Makes sure that there is a C++ compiler, which builds the fuzzer.
pub(crate) fn cpp_compiler() -> anyhow::Result<()> {
    if command::exists("c++") {
        return Ok(());
    }
    install("g++")
}

/// Folder of the programs of a Python environment with exactly these packages, made under `target/` when it is
/// missing or when the requirements have changed.
pub(crate) fn python_environment(requirements: &Path) -> anyhow::Result<PathBuf> {
    let root = command::workspace_root();
    let wanted = fs::read_to_string(root.join(requirements))
        .with_context(|| format!("read {}", requirements.display()))?;
    let name = requirements
        .components()
        .filter_map(|part| part.as_os_str().to_str())
        .collect::<Vec<_>>()
        .join("-");
    let folder = root.join("target/python").join(name);
    let (programs, installed) = (folder.join("bin"), folder.join("installed.txt"));
    if fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(programs);
    }
    if command::output(command::new("python3").args(["-c", "import ensurepip"])).is_err() {
        install("python3-venv")?;
    }
    command::run(
        command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder),
    )?;
    command::run(
        command::new(programs.join("python"))
            .args(["-m", "pip", "install", "--quiet", "--no-deps"])
            // The pins are complete, and what they are tested with is the Python that is here.
            .args(["--ignore-requires-python", "-r"])
            .arg(requirements),
    )?;
    fs::write(installed, wanted)?;
    Ok(programs)
}

/// Folder with a Node program, a copy of `program` of this folder of the workspace, and the packages that its lock
/// file names; made under `target/` when it is missing or when something has changed.
pub(crate) fn node_program(folder: &Path, program: &str) -> anyhow::Result<PathBuf> {
    let source = command::workspace_root().join(folder);
    let name = folder
        .components()
        .filter_map(|part| part.as_os_str().to_str())
        .collect::<Vec<_>>()
        .join("-");
    let target = command::workspace_root().join("target/node").join(name);
    fs::create_dir_all(&target)?;
    let (lock, installed) = (
        source.join("package-lock.json"),
        target.join("installed.json"),
    );
    let wanted = fs::read_to_string(&lock).with_context(|| format!("read {}", lock.display()))?;
    for file in ["package.json", "package-lock.json", program] {
        fs::copy(source.join(file), target.join(file))?;
    }
    if !fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        if !command::exists("npm") {
            install("npm")?;
        }
        command::run(
            command::new("npm")
                .args(["ci", "--silent", "--no-audit", "--no-fund"])
                .current_dir(&target),
        )?;
        fs::write(installed, wanted)?;
    }
    Ok(target.join(program))
}

fn find_postgres() -> Option<PathBuf> {
    let newest_debian = || {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
        let mut folders: Vec<PathBuf> = versions
            .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
            .collect();
        folders.retain(|folder| folder.join("initdb").exists());
        let major = |folder: &PathBuf| {
            folder
                .parent()
                .and_then(Path::file_name)?
                .to_str()?
                .parse::<f64>()
                .ok()
        };
        folders.sort_by(|a, b| major(a).partial_cmp(&major(b)).unwrap_or(Ordering::Equal));
        folders.pop()
    };
    let on_path =
        || env::split_paths(&env::var_os("PATH")?).find(|folder| folder.join("initdb").exists());
    newest_debian().or_else(on_path)
}

/// Downloads a package of Debian and unpacks it into a folder.
fn unpack(package: &str, folder: &Path) -> anyhow::Result<()> {
    check_apt(package)?;
    eprintln!("unpacking {package} into {}", folder.display());
    let download = tempfile::tempdir().context("make a folder for the package")?;
    let fetch = || {
        let mut command = command::new("apt-get");
        command.args(["download", "-qq", package]);
        command::run(command.current_dir(download.path()))
    };
    if fetch().is_err() {
        apt_get(&["update", "-qq"])?;
        fetch()?;
    }
    let file = fs::read_dir(download.path())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|it| it == "deb"))
        .with_context(|| format!("apt-get downloaded no package of {package}"))?;
    fs::create_dir_all(folder)?;
    command::run(command::new("dpkg-deb").arg("-x").arg(file).arg(folder))
}

fn check_apt(package: &str) -> anyhow::Result<()> {
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("install {package} and run this again (only Debian's apt-get is known here)");
    }
    Ok(())
}

fn install(package: &str) -> anyhow::Result<()> {
    check_apt(package)?;
    eprintln!("installing {package} with apt-get");
    apt_get(&["update", "-qq"])?;
    apt_get(&["install", "-y", "-qq", "--no-install-recommends", package])
}

/// Runs apt-get, as root or by sudo.
pub(crate) fn apt_get(arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = if is_root()? {
        command::new("apt-get")
    } else {
        let mut sudo = command::new("sudo");
        sudo.arg("apt-get");
        sudo
    };
    command::run(
        command
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

/// Whether the task runs as root.
pub(crate) fn is_root() -> anyhow::Result<bool> {
    Ok(command::output(command::new("id").arg("-u"))?.trim() == "0")
}
