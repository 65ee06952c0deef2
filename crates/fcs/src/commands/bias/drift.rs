//! `fcs bias drift`.

use std::fmt::Write as _;

use fcs_core::UnixMicros;
use fcs_proto::monitoring::v1 as wire;
use serde::Serialize;

use crate::cli::{DriftArguments, Global};
use crate::client::Clients;
use crate::exit::CliError;
use crate::output::{print, table};

#[derive(Serialize)]
struct Drift {
    model: String,
    from: String,
    policy_digest: String,
    lines: Vec<Line>,
    /// Comparisons that are not listed because they show nothing.
    stable: usize,
    /// Comparisons that are not listed because there were too few decisions.
    insufficient: usize,
}

/// One variable of the decisions of an arm, or of a group of it.
#[derive(Serialize)]
struct Line {
    arm: String,
    attribute: String,
    group: String,
    variable: String,
    against: &'static str,
    level: &'static str,
    reference_rows: u64,
    decisions: u64,
    psi: Option<Distance>,
    jensen_shannon: Option<Distance>,
    kolmogorov_smirnov: Option<Distance>,
    wasserstein: Option<Distance>,
    missing: Option<Rate>,
}

/// A distance, and what chance alone may reach.
#[derive(Serialize)]
struct Distance {
    value: f64,
    chance_limit: f64,
    level: &'static str,
}

/// The share of decisions without a value, then and now.
#[derive(Serialize)]
struct Rate {
    reference: f64,
    current: f64,
    level: &'static str,
}

/// Shows what has drifted.
pub(super) async fn run(global: &Global, arguments: &DriftArguments) -> anyhow::Result<()> {
    let mut clients = Clients::of(global)?;
    let request = wire::GetDriftRequest {
        model: arguments.model.clone(),
        hours: arguments.hours,
    };
    let answer = clients.monitoring.get_drift(request).await;
    let answer = answer.map_err(CliError::from)?.into_inner();
    let acts = |line: &wire::DriftLine| line.level() == wire::DriftLevel::Act;
    let to_act_on = answer.lines.iter().filter(|line| acts(line)).count();
    print(global.output, &convert(answer, arguments.all), text)?;
    if arguments.fail_on_drift && to_act_on > 0 {
        let text = format!("{to_act_on} comparisons show a drift to act on");
        return Err(CliError::Verification(text).into());
    }
    Ok(())
}

fn convert(answer: wire::GetDriftResponse, all: bool) -> Drift {
    let at = |level| {
        answer
            .lines
            .iter()
            .filter(|line| line.level() == level)
            .count()
    };
    let (stable, insufficient) = (
        at(wire::DriftLevel::Stable),
        at(wire::DriftLevel::InsufficientEvidence),
    );
    let shown = |line: &wire::DriftLine| {
        all || matches!(
            line.level(),
            wire::DriftLevel::Watch | wire::DriftLevel::Act
        )
    };
    let lines: Vec<Line> = answer.lines.into_iter().filter(shown).map(line).collect();
    Drift {
        model: answer.model,
        from: UnixMicros(answer.from_micros).to_string(),
        policy_digest: answer.policy,
        stable: if all { 0 } else { stable },
        insufficient: if all { 0 } else { insufficient },
        lines,
    }
}

fn line(line: wire::DriftLine) -> Line {
    Line {
        against: match line.reference() {
            wire::DriftReference::BuiltOn => "reference",
            wire::DriftReference::StableArm => "stable",
            wire::DriftReference::Earlier => "earlier",
            wire::DriftReference::Unspecified => "unknown",
        },
        level: level(line.level()),
        arm: line.arm,
        attribute: line.attribute,
        group: line.group,
        variable: line.variable,
        reference_rows: line.reference_rows,
        decisions: line.current_rows,
        psi: line.psi.as_ref().map(distance),
        jensen_shannon: line.jensen_shannon.as_ref().map(distance),
        kolmogorov_smirnov: line.kolmogorov_smirnov.as_ref().map(distance),
        wasserstein: line.wasserstein.as_ref().map(distance),
        missing: line.missing.as_ref().map(|rate| Rate {
            reference: rate.reference,
            current: rate.current,
            level: level(rate.level()),
        }),
    }
}

const fn level(level: wire::DriftLevel) -> &'static str {
    match level {
        wire::DriftLevel::Stable => "stable",
        wire::DriftLevel::InsufficientEvidence => "insufficient evidence",
        wire::DriftLevel::Watch => "watch",
        wire::DriftLevel::Act => "act",
        wire::DriftLevel::Unspecified => "unknown",
    }
}

fn distance(distance: &wire::DriftDistance) -> Distance {
    Distance {
        value: distance.value,
        chance_limit: distance.chance_limit,
        level: level(distance.level()),
    }
}

fn text(drift: &Drift) -> String {
    let mut text = format!("Decisions of {} since {}\n", drift.model, drift.from);
    if !drift.lines.is_empty() {
        let header = [
            "arm",
            "group",
            "variable",
            "against",
            "level",
            "#decisions",
            "PSI (chance)",
            "KS (chance)",
            "missing",
        ];
        let rows = drift.lines.iter().map(|line| {
            let group = match line.attribute.as_str() {
                "" => "all".to_owned(),
                attribute => format!("{attribute}={}", line.group),
            };
            let missing = line.missing.as_ref();
            let missing = missing.filter(|rate| rate.current + rate.reference > 0.0);
            let missing = missing.map(|rate| {
                format!(
                    "{:.1} % (was {:.1} %)",
                    100.0 * rate.current,
                    100.0 * rate.reference
                )
            });
            vec![
                line.arm.clone(),
                group,
                line.variable.clone(),
                line.against.to_owned(),
                line.level.to_owned(),
                line.decisions.to_string(),
                with_chance(line.psi.as_ref()),
                with_chance(line.kolmogorov_smirnov.as_ref()),
                missing.unwrap_or_default(),
            ]
        });
        let _ = writeln!(text, "{}", table(&header, rows));
    }
    if drift.stable + drift.insufficient > 0 {
        let (stable, few) = (drift.stable, drift.insufficient);
        let _ = writeln!(
            text,
            "{stable} comparisons show nothing, {few} have too few decisions; --all lists them."
        );
    }
    text
}

fn with_chance(distance: Option<&Distance>) -> String {
    distance.map_or_else(String::new, |it| {
        format!("{:.3} ({:.3})", it.value, it.chance_limit)
    })
}
