use std::collections::BTreeSet;
use std::fmt;

use fcs_core::UnixMicros;

use super::document::{AttributeSection, DriftSection, EvidenceSection, PolicyDocument};
use crate::anytime::Alpha;
use crate::anytime::gap::Tolerance;
use crate::anytime::ratio::Floor;

const FORMAT: u32 = 1;
const NAME_LENGTH_MAX: usize = 64;
const ATTRIBUTES_MAX: usize = 64;
const GROUPS_MAX: usize = 256;

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The member, for example `attributes[1].air_floor`.
    pub field: String,
    /// What would be right.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.reason)
    }
}

/// What was found so far.
#[derive(Default)]
struct Check {
    problems: Vec<Problem>,
}

impl Check {
    fn require(&mut self, holds: bool, field: &str, reason: impl Into<String>) {
        if !holds {
            self.problems.push(Problem {
                field: field.to_owned(),
                reason: reason.into(),
            });
        }
    }

    fn name(&mut self, field: &str, name: &str) {
        let usable = !name.trim().is_empty() && name.len() <= NAME_LENGTH_MAX;
        self.require(usable, field, "must be a text of 1 to 64 bytes");
    }

    fn between(&mut self, field: &str, value: f64, low: f64, high: f64) {
        let inside = (low..=high).contains(&value);
        self.require(
            inside,
            field,
            format!("must be within {low} and {high}, and is {value}"),
        );
    }
}

/// Everything that is wrong with a document; empty for a good one.
pub(super) fn problems(document: &PolicyDocument) -> Vec<Problem> {
    let mut check = Check::default();
    check_head(&mut check, document);
    check_evidence(&mut check, &document.evidence);
    let alarm = &document.alarm;
    check.require(
        alarm.raise_after_looks > 0,
        "alarm.raise_after_looks",
        "must be at least 1",
    );
    check.require(
        alarm.mute_max_s > 0,
        "alarm.mute_max_s",
        "must be at least 1",
    );
    check_drift(&mut check, &document.drift);
    check_attributes(&mut check, &document.attributes);
    check.problems
}

fn check_head(check: &mut Check, document: &PolicyDocument) {
    check.require(document.format == FORMAT, "format", "must be 1");
    check.name("name", &document.name);
    check.require(document.version > 0, "version", "must be at least 1");
    check.name("jurisdiction", &document.jurisdiction);
    let midnight = format!("{}T00:00:00Z", document.effective_from);
    let is_day = UnixMicros::parse_rfc3339(&midnight).is_ok();
    check.require(
        is_day,
        "effective_from",
        "must be a day, for example 2026-07-21",
    );
    let explained = !document.rationale.trim().is_empty();
    check.require(
        explained,
        "rationale",
        "must say why the numbers are what they are",
    );
}

fn check_evidence(check: &mut Check, evidence: &EvidenceSection) {
    if let Err(error) = Alpha::try_from(evidence.alpha) {
        check.require(false, "evidence.alpha", error.to_string());
    }
    check_floor(check, "evidence.air_floor", evidence.air_floor);
    check_tolerance(check, "evidence.gap_tolerance", evidence.gap_tolerance);
    let long_enough = evidence.run_length_blocks >= 100;
    check.require(
        long_enough,
        "evidence.run_length_blocks",
        "must be at least 100",
    );
    check_minimum(
        check,
        "evidence.minimum_group_size",
        evidence.minimum_group_size,
    );
    let positive = evidence.feed_stale_after_s > 0;
    check.require(
        positive,
        "evidence.feed_stale_after_s",
        "must be at least 1",
    );
    let ordered = evidence.side_stale_after_s >= evidence.feed_stale_after_s;
    check.require(
        ordered,
        "evidence.side_stale_after_s",
        "must be at least feed_stale_after_s: a feed that stopped has stopped on both sides",
    );
    let positive = evidence.clear_valid_for_s > 0;
    check.require(positive, "evidence.clear_valid_for_s", "must be at least 1");
}

fn check_floor(check: &mut Check, field: &str, floor: f64) {
    if let Err(error) = Floor::try_from(floor) {
        check.require(false, field, error.to_string());
    }
}

fn check_tolerance(check: &mut Check, field: &str, tolerance: f64) {
    if let Err(error) = Tolerance::try_from(tolerance) {
        check.require(false, field, error.to_string());
    }
}

fn check_minimum(check: &mut Check, field: &str, minimum: u64) {
    check.require(minimum > 0, field, "must be at least 1");
}

fn check_drift(check: &mut Check, drift: &DriftSection) {
    if let Err(error) = Alpha::try_from(drift.significance) {
        check.require(false, "drift.significance", error.to_string());
    }
    let watch_below_act = [
        ("drift.psi_watch", drift.psi_watch, drift.psi_act),
        ("drift.ks_watch", drift.ks_watch, drift.ks_act),
    ];
    for (field, watch, act) in watch_below_act {
        let ordered = watch > 0.0 && watch <= act;
        check.require(
            ordered,
            field,
            "must be above 0 and at most the threshold to act",
        );
    }
    check.between("drift.psi_act", drift.psi_act, 0.0, 10.0);
    check.between("drift.wasserstein_act", drift.wasserstein_act, 0.0, 10.0);
    for (field, value) in [
        ("drift.ks_act", drift.ks_act),
        ("drift.js_act", drift.js_act),
        ("drift.rate_change_act", drift.rate_change_act),
        ("drift.vintage_complete_share", drift.vintage_complete_share),
    ] {
        check.between(field, value, 0.0, 1.0);
    }
}

fn check_attributes(check: &mut Check, attributes: &[AttributeSection]) {
    let count = attributes.len();
    let counted = (1..=ATTRIBUTES_MAX).contains(&count);
    check.require(
        counted,
        "attributes",
        format!("must be 1 to {ATTRIBUTES_MAX}, and are {count}"),
    );
    let mut names = BTreeSet::new();
    for (index, attribute) in attributes.iter().enumerate() {
        let at = |member: &str| format!("attributes[{index}].{member}");
        check.name(&at("name"), &attribute.name);
        let new = names.insert(attribute.name.as_str());
        check.require(
            new,
            &at("name"),
            format!("{} is there twice", attribute.name),
        );
        check_attribute(check, attribute, at);
    }
}

fn check_attribute(check: &mut Check, attribute: &AttributeSection, at: impl Fn(&str) -> String) {
    check.name(&at("reference"), &attribute.reference);
    let few = attribute.groups.len() <= GROUPS_MAX;
    check.require(few, &at("groups"), format!("must be at most {GROUPS_MAX}"));
    let apart = !attribute.groups.contains(&attribute.reference);
    check.require(apart, &at("groups"), "must not name the reference group");
    let different: BTreeSet<&String> = attribute.groups.iter().collect();
    let once = different.len() == attribute.groups.len();
    check.require(once, &at("groups"), "must name each group once");
    if let Some(floor) = attribute.air_floor {
        check_floor(check, &at("air_floor"), floor);
    }
    if let Some(tolerance) = attribute.gap_tolerance {
        check_tolerance(check, &at("gap_tolerance"), tolerance);
    }
    if let Some(minimum) = attribute.minimum_group_size {
        check_minimum(check, &at("minimum_group_size"), minimum);
    }
}
