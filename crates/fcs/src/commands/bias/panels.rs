//! What a report says of groups that are known by probabilities.

use std::fmt::Write as _;

use fcs_proto::monitoring::v1 as wire;
use serde::Serialize;

use super::proxied_text::HOW_TO_READ;
use crate::output::table;

/// The estimates from one version of a proxy.
#[derive(Serialize)]
pub(super) struct Panel {
    attribute: String,
    source: String,
    proxy_version: String,
    reference_group: String,
    decisions: u64,
    unknown: u64,
    groups: Vec<Group>,
}

#[derive(Serialize)]
struct Group {
    group: String,
    suppressed: bool,
    expected_members: f64,
    effective_members: f64,
    /// This and the next one are absent where the group is suppressed.
    approval_rate: Option<Bracket>,
    /// Absent for the reference group as well.
    adverse_impact_ratio: Option<Bracket>,
}

#[derive(Serialize)]
struct Bracket {
    weighted: Estimate,
    linear: Estimate,
    frechet: Estimate,
}

#[derive(Default, Serialize)]
struct Estimate {
    value: Option<f64>,
    lower: Option<f64>,
    upper: Option<f64>,
    /// Why there is nothing.
    undefined: Option<String>,
}

/// The panels of a report.
pub(super) fn convert(report: &wire::GetGroupReportResponse) -> Vec<Panel> {
    let panel = |panel: &wire::ProxyPanel| Panel {
        attribute: panel.attribute.clone(),
        source: panel.source.clone(),
        proxy_version: panel.proxy_version.clone(),
        reference_group: panel.reference_group.clone(),
        decisions: panel.decisions,
        unknown: panel.unknown,
        groups: panel.groups.iter().map(group).collect(),
    };
    report.proxies.iter().map(panel).collect()
}

fn group(group: &wire::ProxyGroup) -> Group {
    Group {
        group: group.group.clone(),
        suppressed: group.suppressed,
        expected_members: group.expected_members,
        effective_members: group.effective_members,
        approval_rate: group.approval_rate.as_ref().map(bracket),
        adverse_impact_ratio: group.adverse_impact_ratio.as_ref().map(bracket),
    }
}

fn bracket(bracket: &wire::ProxyBracket) -> Bracket {
    Bracket {
        weighted: estimate(bracket.weighted.as_ref()),
        linear: estimate(bracket.linear.as_ref()),
        frechet: estimate(bracket.frechet.as_ref()),
    }
}

fn estimate(estimate: Option<&wire::ProxyEstimate>) -> Estimate {
    let Some(estimate) = estimate else {
        return Estimate::default();
    };
    let reason = Some(estimate.undefined.clone());
    Estimate {
        value: estimate.value,
        lower: estimate.lower,
        upper: estimate.upper,
        undefined: reason.filter(|reason| !reason.is_empty()),
    }
}

/// The panels for people; nothing without any.
pub(super) fn text(panels: &[Panel]) -> String {
    let mut text = String::new();
    for panel in panels {
        let _ = writeln!(
            text,
            "\nBy {}, by the proxy {} version {} (compared with {}; {} unknown)\nApproval rate\n{}\nAdverse impact \
             ratio\n{}",
            panel.attribute,
            panel.source,
            panel.proxy_version,
            panel.reference_group,
            panel.unknown,
            groups(panel, |group| group.approval_rate.as_ref()),
            groups(panel, |group| group.adverse_impact_ratio.as_ref()),
        );
    }
    if !panels.is_empty() {
        text.push('\n');
        text.push_str(HOW_TO_READ);
    }
    text
}

/// A table of one of the brackets, which the reference group may not have.
fn groups(panel: &Panel, choose: impl Fn(&Group) -> Option<&Bracket>) -> String {
    const HEADER: [&str; 6] = [
        "group",
        "#expected",
        "#effective",
        "weighted",
        "linear",
        "bounds",
    ];
    let row = |group: &Group| {
        let mut row = vec![group.group.clone()];
        if group.suppressed {
            row.resize(HEADER.len(), "suppressed".to_owned());
            return row;
        }
        row.push(format!("{:.1}", group.expected_members));
        row.push(format!("{:.1}", group.effective_members));
        match choose(group) {
            Some(bracket) => row
                .extend([&bracket.weighted, &bracket.linear, &bracket.frechet].map(Estimate::text)),
            None => row.resize(HEADER.len(), "reference".to_owned()),
        }
        row
    };
    table(&HEADER, panel.groups.iter().map(row))
}

impl Estimate {
    fn text(&self) -> String {
        match (self.value, self.lower, self.upper) {
            (Some(value), Some(lower), Some(upper)) => {
                format!("{value:.3} [{lower:.3}, {upper:.3}]")
            }
            (Some(value), ..) => format!("{value:.3} [no limit]"),
            (None, Some(lower), Some(upper)) => format!("{lower:.3} to {upper:.3}"),
            (None, Some(lower), None) => format!("{lower:.3} or more"),
            (None, None, _) => format!("– ({})", self.undefined.as_deref().unwrap_or("nothing")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_is_labelled_and_shows_all_three_answers() {
        let known = |value| wire::ProxyEstimate {
            value,
            lower: Some(0.5),
            upper: Some(0.75),
            undefined: String::new(),
        };
        let rate = wire::ProxyBracket {
            weighted: Some(known(Some(0.625))),
            linear: Some(wire::ProxyEstimate {
                undefined: "no reason".to_owned(),
                ..wire::ProxyEstimate::default()
            }),
            frechet: Some(known(None)),
        };
        let group = |name: &str, ratio: Option<wire::ProxyBracket>| wire::ProxyGroup {
            group: name.to_owned(),
            expected_members: 40.0,
            effective_members: 30.0,
            approval_rate: Some(rate.clone()),
            adverse_impact_ratio: ratio,
            suppressed: false,
        };
        let small = wire::ProxyGroup {
            group: "other".to_owned(),
            suppressed: true,
            ..wire::ProxyGroup::default()
        };
        let panel = wire::ProxyPanel {
            attribute: "race".to_owned(),
            source: "bisg".to_owned(),
            proxy_version: "7".to_owned(),
            reference_group: "white".to_owned(),
            decisions: 80,
            unknown: 3,
            groups: vec![
                group("black", Some(rate.clone())),
                group("white", None),
                small,
            ],
        };
        let report = wire::GetGroupReportResponse {
            proxies: vec![panel],
            ..wire::GetGroupReportResponse::default()
        };
        let text = text(&convert(&report));
        for part in [
            "By race, by the proxy bisg version 7 (compared with white; 3 unknown)",
            "0.625 [0.500, 0.750]",
            "– (no reason)",
            "0.500 to 0.750",
            "reference",
            "suppressed",
            "Read all three together",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(super::text(&[]), "");
    }
}
