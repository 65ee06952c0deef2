//! `fcs erase`.

use fcs_proto::scoring::v1::{EraseApplicationRequest, Erasure, ErasureState, ListErasuresRequest};
use serde_json::{Value, json};

use crate::cli::{EraseArguments, Global};
use crate::client::Clients;
use crate::exit::CliError;
use crate::output::{print, table};

/// Erasures of one page.
const PAGE: u32 = 1_000;

/// Asks for an erasure, or lists all of them.
pub(crate) async fn run(global: &Global, arguments: &EraseArguments) -> anyhow::Result<()> {
    let mut clients = Clients::of(global)?;
    if arguments.list {
        let erasures = list(&mut clients).await?;
        let documents: Vec<Value> = erasures.iter().map(document).collect();
        return print(global.output, &documents, |_| listed(&erasures));
    }
    let request = EraseApplicationRequest {
        application_id: arguments.application.clone().unwrap_or_default(),
        reason: arguments.reason.clone().unwrap_or_default(),
    };
    let asked = clients.privacy.erase_application(request).await;
    let erasure = asked.map_err(CliError::from)?.into_inner().erasure;
    let erasure = erasure.unwrap_or_default();
    print(global.output, &document(&erasure), |_| said(&erasure))
}

async fn list(clients: &mut Clients) -> anyhow::Result<Vec<Erasure>> {
    let mut erasures: Vec<Erasure> = Vec::new();
    loop {
        let request = ListErasuresRequest {
            after_place: erasures.last().map_or(0, |last| last.place),
            page_size: PAGE,
        };
        let page = clients.privacy.list_erasures(request).await;
        let page = page.map_err(CliError::from)?.into_inner().erasures;
        if page.is_empty() {
            return Ok(erasures);
        }
        erasures.extend(page);
    }
}

fn state(erasure: &Erasure) -> &'static str {
    match erasure.state() {
        ErasureState::Erased => "erased",
        ErasureState::Scheduled => "scheduled",
        ErasureState::Unspecified => "unknown",
    }
}

fn document(erasure: &Erasure) -> Value {
    json!({
        "place": erasure.place,
        "applicant": erasure.applicant,
        "state": state(erasure),
        "actor": erasure.actor,
        "reason": erasure.reason,
        "requested_at": erasure.requested_at,
        "on_hold_until": erasure.on_hold_until,
        "erased_at": erasure.erased_at,
    })
}

fn said(erasure: &Erasure) -> String {
    let applicant = &erasure.applicant;
    match erasure.state() {
        ErasureState::Erased => format!("erased at {}: {applicant}\n", erasure.erased_at),
        _ => format!(
            "scheduled: on hold until {} (12 CFR 1002.12(b)): {applicant}\n",
            erasure.on_hold_until
        ),
    }
}

fn listed(erasures: &[Erasure]) -> String {
    let rows = erasures.iter().map(|erasure| {
        vec![
            erasure.applicant.clone(),
            state(erasure).to_owned(),
            erasure.on_hold_until.clone(),
            erasure.requested_at.clone(),
            erasure.erased_at.clone(),
            erasure.actor.clone(),
            erasure.reason.clone(),
        ]
    });
    let header = [
        "applicant",
        "state",
        "on hold until",
        "requested at",
        "erased at",
        "by",
        "reason",
    ];
    table(&header, rows)
}
