//! Every environment, applied to an emulated cloud on this machine.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;

use super::tools::Tools;
use super::{ENVIRONMENTS, folders, name};
use crate::command;

const START_LIMIT: Duration = Duration::from_mins(1);

/// The emulator; ends with the value.
struct Emulator(Child);

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Applies each environment and looks at what came to be.
pub(super) fn apply(tools: &Tools) -> anyhow::Result<()> {
    let Some(terraform) = &tools.terraform else {
        println!("apply: SKIPPED: there is no terraform here");
        return Ok(());
    };
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let _emulator = start(tools, port)?;
    for folder in folders(ENVIRONMENTS)? {
        let mut check = tools.python("infrastructure/emulator/check.py");
        check.arg(name(&folder)).arg(port.to_string());
        for (key, value) in terraform.command().get_envs() {
            match value {
                Some(value) => check.env(key, value),
                None => check.env_remove(key),
            };
        }
        command::run(&mut check)?;
    }
    Ok(())
}

fn start(tools: &Tools, port: u16) -> anyhow::Result<Emulator> {
    let child = tools
        .python("infrastructure/emulator/serve.py")
        .arg(port.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut emulator = Emulator(child);
    let start = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if let Some(status) = emulator.0.try_wait()? {
            bail!("the emulator ended with {status} while it started");
        }
        if start.elapsed() > START_LIMIT {
            bail!("the emulator did not accept connections within {START_LIMIT:?}");
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(emulator)
}
