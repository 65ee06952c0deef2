//! Drift on the wire.

use fcs_fairness::drift::chance::{Distance, Level};
use fcs_fairness::drift::feature::RateChange;
use fcs_proto::monitoring::v1 as wire;

use crate::app::drift::{Against, DriftLine, DriftSheet};

pub(super) fn sheet(sheet: DriftSheet) -> wire::GetDriftResponse {
    wire::GetDriftResponse {
        model: sheet.model,
        from_micros: sheet.from_micros,
        policy: sheet.policy.to_string(),
        lines: sheet.lines.into_iter().map(line).collect(),
    }
}

fn line(line: DriftLine) -> wire::DriftLine {
    let drift = line.drift;
    wire::DriftLine {
        arm: line.arm,
        attribute: line.attribute,
        group: line.group,
        variable: line.variable,
        reference: reference(line.against).into(),
        level: level(line.level).into(),
        reference_rows: drift.sizes.reference,
        current_rows: drift.sizes.current,
        psi: drift.psi.map(distance),
        jensen_shannon: drift.jensen_shannon.map(distance),
        kolmogorov_smirnov: drift.kolmogorov_smirnov.map(distance),
        wasserstein: drift.wasserstein.map(distance),
        missing: drift.missing.map(rate),
    }
}

const fn reference(against: Against) -> wire::DriftReference {
    match against {
        Against::Reference => wire::DriftReference::BuiltOn,
        Against::Stable => wire::DriftReference::StableArm,
        Against::Earlier => wire::DriftReference::Earlier,
    }
}

const fn level(level: Level) -> wire::DriftLevel {
    match level {
        Level::Stable => wire::DriftLevel::Stable,
        Level::InsufficientEvidence => wire::DriftLevel::InsufficientEvidence,
        Level::Watch => wire::DriftLevel::Watch,
        Level::Act => wire::DriftLevel::Act,
    }
}

fn distance(distance: Distance) -> wire::DriftDistance {
    wire::DriftDistance {
        value: distance.value,
        chance_limit: distance.chance_limit,
        level: level(distance.level).into(),
    }
}

fn rate(rate: RateChange) -> wire::DriftRate {
    wire::DriftRate {
        reference: rate.reference,
        current: rate.current,
        level: level(rate.level).into(),
    }
}
