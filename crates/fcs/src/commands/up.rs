//! `fcs up`.

use std::time::Instant;

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{Global, UpArguments};
use crate::embedded::{Place, System, check_models_dir};

/// Runs every service until SIGTERM or SIGINT.
pub(crate) async fn run(global: &Global, arguments: &UpArguments) -> anyhow::Result<()> {
    let start = Instant::now();
    check_models_dir(&global.models_dir)?;
    let place = Place {
        data_dir: global.data_dir.clone(),
        note_dir: global.data_dir.clone(),
        models_dir: global.models_dir.clone(),
        ports: arguments.ports,
    };
    let system = System::start(&place).await?;
    eprintln!(
        "ready after {:.2} s; data in {}\n{}\n\
         Put a model into traffic with `fcs deployment register`, or try `fcs demo`. Stop with Ctrl-C.",
        start.elapsed().as_secs_f64(),
        global.data_dir.display(),
        system.describe(),
    );
    until_stopped().await?;
    eprintln!("stopping");
    system.stop().await
}

/// Waits for SIGTERM or SIGINT.
pub(crate) async fn until_stopped() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
