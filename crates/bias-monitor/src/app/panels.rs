//! What follows from probabilities of belonging to groups, beside what is known by value and never mixed with it.

use std::collections::BTreeMap;

use fcs_fairness::Thresholds;
use fcs_fairness::proxy::{self, ProxyCounts, ProxyReport, Request};
use serde::Serialize;

use super::facts::GroupName;
use super::proxies::Panel;

/// The estimates from one version of a proxy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProxySheet {
    /// The attribute.
    pub attribute: String,
    /// The method.
    pub source: String,
    /// The version of its rules and tables.
    pub proxy_version: String,
    /// Decisions without its probabilities.
    pub unknown: u64,
    /// The estimates.
    #[serde(flatten)]
    pub report: ProxyReport,
}

/// Makes the estimates of every panel, in order. A panel without the reference group of its attribute takes its
/// largest group.
pub fn sheets(
    panels: &BTreeMap<Panel, ProxyCounts>,
    decisions: u64,
    references: &BTreeMap<String, String>,
    thresholds: &Thresholds,
) -> Vec<ProxySheet> {
    let sheet = |(panel, counts): (&Panel, &ProxyCounts)| {
        let attribute = panel.proxy.attribute.as_str();
        let reference = references.get(attribute);
        let report = report(panel, counts, reference, thresholds);
        let known = u64::try_from(report.decisions).unwrap_or_default();
        ProxySheet {
            attribute: attribute.to_owned(),
            source: panel.proxy.source.as_str().to_owned(),
            proxy_version: panel.proxy.version.as_str().to_owned(),
            unknown: decisions.saturating_sub(known),
            report,
        }
    };
    panels.iter().map(sheet).collect()
}

fn report(
    panel: &Panel,
    counts: &ProxyCounts,
    reference: Option<&String>,
    thresholds: &Thresholds,
) -> ProxyReport {
    let groups: Vec<String> = panel
        .groups
        .iter()
        .map(|it| it.as_str().to_owned())
        .collect();
    let request = Request {
        reference: reference.filter(|name| groups.contains(name)).cloned(),
        groups,
        minimum_cell_size: u32::try_from(thresholds.minimum_group_size).unwrap_or(u32::MAX),
        confidence: thresholds.confidence,
    };
    proxy::report(counts, &request).expect("sums of a panel are about its groups")
}

/// The groups of an attribute, of all panels together.
pub(super) fn groups_of(panels: &BTreeMap<Panel, ProxyCounts>, attribute: &str) -> Vec<String> {
    let of_attribute = |panel: &&Panel| panel.proxy.attribute.as_str() == attribute;
    let groups = panels.keys().filter(of_attribute).flat_map(|it| &it.groups);
    let mut names: Vec<String> = groups
        .map(|group| GroupName::as_str(group).to_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}
