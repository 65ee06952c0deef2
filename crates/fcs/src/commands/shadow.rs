//! `fcs decision shadow`.

use std::fmt::Write as _;

use fcs_proto::scoring::v1::{
    Outcome, ScoreDifference, ShadowDrop, SummariseShadowRequest, SummariseShadowResponse,
};
use serde_json::{Value, json};

use crate::cli::Format;
use crate::client::Clients;
use crate::exit::CliError;
use crate::output::{print, table};

/// The outcomes in the order of the matrix.
const OUTCOMES: [Outcome; 5] = [
    Outcome::Approve,
    Outcome::Counteroffer,
    Outcome::Refer,
    Outcome::Deny,
    Outcome::Incomplete,
];

/// Prints the comparison of a shadow arm with the live decisions.
pub(crate) async fn summarise(
    clients: &mut Clients,
    format: Format,
    request: SummariseShadowRequest,
) -> anyhow::Result<()> {
    let asked = clients.shadow.summarise_shadow(request).await;
    let summary = asked.map_err(CliError::from)?.into_inner();
    print(format, &document(&summary), |_| text(&summary))
}

/// The name of a value without the prefix of its enum, in lower case.
fn short(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase()
}

fn outcome(outcome: Outcome) -> String {
    short(outcome.as_str_name(), "OUTCOME_")
}

fn drop_reason(reason: ShadowDrop) -> String {
    short(reason.as_str_name(), "SHADOW_DROP_")
}

fn document(summary: &SummariseShadowResponse) -> Value {
    let outcomes = summary.outcomes.iter().map(|pair| {
        let (live, shadow) = (outcome(pair.live()), outcome(pair.shadow()));
        json!({"live": live, "shadow": shadow, "decisions": pair.decisions})
    });
    let dropped = summary
        .dropped
        .iter()
        .map(|count| json!({"reason": drop_reason(count.reason()), "decisions": count.decisions}));
    let reasons = summary.reasons.iter().map(
        |change| json!({"code": change.code, "added": change.added, "removed": change.removed}),
    );
    json!({
        "arm": summary.arm,
        "model": summary.model,
        "after_index": summary.after_index,
        "up_to_index": summary.up_to_index,
        "scored": summary.scored,
        "dropped": dropped.collect::<Vec<_>>(),
        "outcomes": outcomes.collect::<Vec<_>>(),
        "reasons_changed": summary.reasons_changed,
        "reasons": reasons.collect::<Vec<_>>(),
        "score_difference": summary.score_difference.as_ref().map(difference),
    })
}

fn difference(difference: &ScoreDifference) -> Value {
    json!({
        "decisions": difference.decisions,
        "minimum": difference.minimum,
        "p05": difference.p05,
        "p25": difference.p25,
        "median": difference.median,
        "p75": difference.p75,
        "p95": difference.p95,
        "maximum": difference.maximum,
        "mean": difference.mean,
    })
}

fn text(summary: &SummariseShadowResponse) -> String {
    let mut text = format!(
        "shadow arm {} with {}, log indices {} to {}\n{} decisions compared\n",
        summary.arm,
        summary.model,
        summary.after_index + 1,
        summary.up_to_index,
        summary.scored
    );
    for count in &summary.dropped {
        let reason = drop_reason(count.reason());
        let _ = writeln!(text, "{} dropped: {reason}", count.decisions);
    }
    let _ = writeln!(text, "\n{}\n", matrix(summary));
    let changed = summary.reasons_changed;
    let _ = writeln!(text, "{changed} decisions with other principal reasons");
    if !summary.reasons.is_empty() {
        let rows = summary.reasons.iter().map(|change| {
            let (added, removed) = (change.added.to_string(), change.removed.to_string());
            vec![change.code.clone(), added, removed]
        });
        let reasons = table(&["reason", "#added", "#removed"], rows);
        let _ = writeln!(text, "{reasons}");
    }
    if let Some(difference) = &summary.score_difference {
        let differences = differences(difference);
        let _ = writeln!(
            text,
            "\nscore of the shadow minus live score\n{differences}"
        );
    }
    text
}

fn differences(it: &ScoreDifference) -> String {
    let percentiles = [
        it.minimum, it.p05, it.p25, it.median, it.p75, it.p95, it.maximum,
    ];
    let mut cells: Vec<String> = percentiles.iter().map(ToString::to_string).collect();
    cells.push(format!("{:.1}", it.mean));
    let header = [
        "#minimum", "#5%", "#25%", "#median", "#75%", "#95%", "#maximum", "#mean",
    ];
    table(&header, [cells])
}

/// Rows are live outcomes, columns those of the shadow arm.
fn matrix(summary: &SummariseShadowResponse) -> String {
    let occurs = |wanted: Outcome| {
        let mut pairs = summary.outcomes.iter();
        pairs.any(|pair| pair.live() == wanted || pair.shadow() == wanted)
    };
    let outcomes: Vec<Outcome> = OUTCOMES.into_iter().filter(|it| occurs(*it)).collect();
    let count = |live: Outcome, shadow: Outcome| {
        let mut pairs = summary.outcomes.iter();
        let pair = pairs.find(|pair| pair.live() == live && pair.shadow() == shadow);
        pair.map_or(0, |pair| pair.decisions)
    };
    let columns = outcomes.iter().map(|it| format!("#{}", outcome(*it)));
    let header: Vec<String> = ["live \\ shadow".to_owned()]
        .into_iter()
        .chain(columns)
        .collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let rows = outcomes.iter().map(|live| {
        let cells = outcomes
            .iter()
            .map(|shadow| count(*live, *shadow).to_string());
        [outcome(*live)].into_iter().chain(cells).collect()
    });
    table(&header, rows)
}
