//! What the evidence says of groups, and what people do about it.

mod words;

use std::io::IsTerminal as _;

use fcs_proto::monitoring::v1 as wire;
use serde::Serialize;

use crate::cli::{Format, Global, WatchedArguments};
use crate::client::Clients;
use crate::exit::CliError;
use crate::output::{line, print, table};

/// What holds for one group.
#[derive(Serialize)]
struct Verdict {
    model: String,
    /// The model that decided, where `model` is in the shadow and the gap between the groups is watched; else empty.
    baseline_model: String,
    attribute: String,
    group: String,
    verdict: String,
    grounds: String,
    breach_ln_e: f64,
    clear_ln_e: Option<f64>,
    reference_decisions: u64,
    group_decisions: u64,
    more_decisions: Option<u64>,
    found_at: String,
    judged_at: String,
    policy_digest: String,
    alert: String,
    acknowledged_by: String,
    muted_until: String,
    /// Whether the evidence is from probabilities of a proxy.
    by_proxy: bool,
}

#[derive(Serialize)]
struct Verdicts {
    last_index: u64,
    verdicts: Vec<Verdict>,
}

/// One change of an alert.
#[derive(Serialize)]
struct Entry {
    sequence: u64,
    at: String,
    model: String,
    baseline_model: String,
    attribute: String,
    group: String,
    change: String,
    by: String,
    detail: String,
    tell: bool,
    policy_digest: String,
}

#[derive(Serialize)]
struct Explanation {
    verdict: Verdict,
    history: Vec<Entry>,
}

/// Lists verdicts.
pub(super) async fn verdicts(
    global: &Global,
    model: Option<&str>,
    fail_on_breach: bool,
) -> anyhow::Result<()> {
    let mut clients = Clients::of(global)?;
    let found = list(&mut clients, model.unwrap_or_default()).await?;
    print(global.output, &found, overview)?;
    let in_breach = |verdict: &&Verdict| verdict.verdict == "breach";
    let breaches = found.verdicts.iter().filter(in_breach).count();
    if fail_on_breach && breaches > 0 {
        let text = format!("{breaches} groups are in breach; look at `fcs bias explain`");
        return Err(CliError::Verification(text).into());
    }
    Ok(())
}

/// Follows the history of alerts.
pub(super) async fn watch(
    global: &Global,
    model: Option<&str>,
    after: u64,
    no_follow: bool,
) -> anyhow::Result<()> {
    let mut clients = Clients::of(global)?;
    let model = model.unwrap_or_default();
    if no_follow {
        let entries = history(&mut clients, after).await?;
        let mut wanted = entries
            .iter()
            .filter(|it| model.is_empty() || it.model == model);
        return wanted.try_for_each(|entry| show(global.output, entry));
    }
    if std::io::stderr().is_terminal() {
        eprintln!("following alerts; end with Ctrl-C");
    }
    let request = wire::WatchAlertsRequest {
        after_sequence: after,
        model: model.to_owned(),
    };
    let answer = clients.alerts.watch_alerts(request).await;
    let mut stream = answer.map_err(CliError::from)?.into_inner();
    while let Some(news) = stream.message().await.map_err(CliError::from)? {
        for entry in news.entries {
            show(global.output, &self::entry(entry))?;
        }
    }
    Ok(())
}

/// One line for each entry, so that a program can read them as they come.
fn show(format: Format, entry: &Entry) -> anyhow::Result<()> {
    match format {
        Format::Json => line(&serde_json::to_string(entry)?),
        Format::Table => line(&words::entry(entry)),
    }
}

/// Explains one verdict.
pub(super) async fn explain(global: &Global, watched: &WatchedArguments) -> anyhow::Result<()> {
    let mut clients = Clients::of(global)?;
    let found = list(&mut clients, &watched.model).await?;
    let is_asked_for = |it: &Verdict| {
        it.baseline_model == watched.baseline
            && it.attribute == watched.attribute
            && it.group == watched.group
    };
    let Some(verdict) = found.verdicts.into_iter().find(is_asked_for) else {
        let text = format!(
            "nothing is watched as {} {} {}; `fcs bias verdicts` lists what is",
            watched.model, watched.attribute, watched.group
        );
        return Err(CliError::NotFound(text).into());
    };
    let mut history = history(&mut clients, 0).await?;
    history.retain(|entry| {
        entry.model == watched.model
            && entry.baseline_model == watched.baseline
            && entry.attribute == watched.attribute
            && entry.group == watched.group
    });
    let explanation = Explanation { verdict, history };
    print(global.output, &explanation, |it| {
        words::explain(&it.verdict, &it.history)
    })
}

/// Acknowledges an alert.
pub(super) async fn acknowledge(
    global: &Global,
    watched: &WatchedArguments,
    note: &str,
) -> anyhow::Result<()> {
    let mut clients = Clients::of(global)?;
    let request = wire::AcknowledgeAlertRequest {
        watched: Some(group(watched)),
        note: note.to_owned(),
    };
    clients
        .alerts
        .acknowledge_alert(request)
        .await
        .map_err(CliError::from)?;
    explain(global, watched).await
}

/// Silences an alert.
pub(super) async fn mute(
    global: &Global,
    watched: &WatchedArguments,
    reason: &str,
    duration: std::time::Duration,
) -> anyhow::Result<()> {
    let mut clients = Clients::of(global)?;
    let for_s = u32::try_from(duration.as_secs())
        .map_err(|_| CliError::Usage("--for: at most 136 years".to_owned()))?;
    let request = wire::MuteAlertRequest {
        watched: Some(group(watched)),
        reason: reason.to_owned(),
        for_s,
    };
    clients
        .alerts
        .mute_alert(request)
        .await
        .map_err(CliError::from)?;
    explain(global, watched).await
}

/// Ends the silence of an alert.
pub(super) async fn unmute(global: &Global, watched: &WatchedArguments) -> anyhow::Result<()> {
    let mut clients = Clients::of(global)?;
    let request = wire::UnmuteAlertRequest {
        watched: Some(group(watched)),
    };
    clients
        .alerts
        .unmute_alert(request)
        .await
        .map_err(CliError::from)?;
    explain(global, watched).await
}

fn group(watched: &WatchedArguments) -> wire::WatchedGroup {
    wire::WatchedGroup {
        model: watched.model.clone(),
        attribute: watched.attribute.clone(),
        group: watched.group.clone(),
        baseline_model: watched.baseline.clone(),
    }
}

async fn list(clients: &mut Clients, model: &str) -> Result<Verdicts, CliError> {
    let request = wire::ListVerdictsRequest {
        model: model.to_owned(),
    };
    let answer = clients.alerts.list_verdicts(request).await?.into_inner();
    Ok(Verdicts {
        last_index: answer.last_index,
        verdicts: answer.verdicts.into_iter().map(verdict).collect(),
    })
}

/// Everything that happened to alerts until now, after a place.
async fn history(clients: &mut Clients, mut after_sequence: u64) -> Result<Vec<Entry>, CliError> {
    let mut all = Vec::new();
    loop {
        let request = wire::ListAlertsRequest { after_sequence };
        let page = clients.alerts.list_alerts(request).await?.into_inner();
        let Some(last) = page.entries.last() else {
            return Ok(all);
        };
        after_sequence = last.sequence;
        all.extend(page.entries.into_iter().map(entry));
    }
}

fn verdict(found: wire::GroupVerdict) -> Verdict {
    let verdict = short(found.verdict().as_str_name(), "WATCH_VERDICT_");
    let alert = short(found.alert().as_str_name(), "ALERT_STATUS_");
    let watched = found.watched.unwrap_or_default();
    Verdict {
        model: watched.model,
        baseline_model: watched.baseline_model,
        attribute: watched.attribute,
        group: watched.group,
        verdict,
        grounds: found.grounds,
        breach_ln_e: found.breach_ln_e,
        clear_ln_e: found.clear_ln_e,
        reference_decisions: found.reference_decisions,
        group_decisions: found.group_decisions,
        more_decisions: found.more_decisions,
        found_at: found.found_at,
        judged_at: found.judged_at,
        policy_digest: found.policy_digest,
        alert,
        acknowledged_by: found.acknowledged_by,
        muted_until: found.muted_until,
        by_proxy: found.by_proxy,
    }
}

fn entry(found: wire::AlertEntry) -> Entry {
    let watched = found.watched.unwrap_or_default();
    Entry {
        sequence: found.sequence,
        at: found.at,
        model: watched.model,
        baseline_model: watched.baseline_model,
        attribute: watched.attribute,
        group: watched.group,
        change: found.change,
        by: found.by,
        detail: found.detail,
        tell: found.tell,
        policy_digest: found.policy_digest,
    }
}

/// The name of a value without the prefix of its enum, in lower case.
fn short(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase()
}

fn overview(found: &Verdicts) -> String {
    if found.verdicts.is_empty() {
        return "no group was seen yet; `fcs bias policy show` says what is watched".to_owned();
    }
    let rows = found.verdicts.iter().map(|it| {
        vec![
            words::model(&it.model, &it.baseline_model),
            if it.by_proxy {
                format!("{} (proxy)", it.attribute)
            } else {
                it.attribute.clone()
            },
            it.group.clone(),
            it.verdict.clone(),
            it.grounds.clone(),
            it.reference_decisions.to_string(),
            it.group_decisions.to_string(),
            it.more_decisions
                .map(|more| more.to_string())
                .unwrap_or_default(),
            it.alert.clone(),
        ]
    });
    let header = [
        "model",
        "attribute",
        "group",
        "verdict",
        "grounds",
        "#reference",
        "#group",
        "#more needed",
        "alert",
    ];
    format!(
        "evidence up to log index {}\n\n{}\n",
        found.last_index,
        table(&header, rows)
    )
}
