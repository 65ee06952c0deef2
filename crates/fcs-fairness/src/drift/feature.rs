//! Everything about one feature or score, of all applicants or of one group.

use fcs_core::Digest;
use serde::{Deserialize, Serialize};

use super::chance::{
    Distance, Level, Sizes, Thresholds, jensen_shannon_limit, kolmogorov_smirnov_limit, psi_limit,
    wasserstein_limit,
};
use super::counts::{Edges, FeatureCounts};
use super::distance::Shares;
use crate::anytime::Alpha;
use crate::policy::DriftSection;
use crate::{Confidence, GroupCounters, Interval, approval_rate_difference};

/// What is compared with what.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    /// The applicants that the model was built on.
    pub reference: &'a FeatureCounts,
    /// The applicants of now.
    pub current: &'a FeatureCounts,
    /// The edges of a number; `None` for categories.
    pub edges: Option<&'a Edges>,
}

/// How drift is judged at one look.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The thresholds.
    pub policy: &'a DriftSection,
    /// How many features and groups are compared at this look; the significance is divided by it.
    pub comparisons: u32,
    /// The policy that the thresholds are from.
    pub digest: Digest,
}

impl Rules<'_> {
    fn alpha(&self) -> Option<Alpha> {
        let comparisons = f64::from(self.comparisons.max(1));
        Alpha::try_from(self.policy.significance / comparisons).ok()
    }
}

/// A share of now beside that of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateChange {
    /// The share of the reference.
    pub reference: f64,
    /// The share of now.
    pub current: f64,
    /// The change, with Newcombe's interval.
    pub change: Interval,
    /// How a rise is read; a fall is stable.
    pub level: Level,
}

/// Something about the values that no distance shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum QualityFinding {
    /// There is no applicant now.
    NoApplicants,
    /// No applicant has a value now, though the reference had some: more than chance.
    AllMissing,
    /// All values of now are in one bin, though those of the reference were not: more than chance.
    OneValue,
    /// Some values are no finite numbers.
    Unreadable {
        /// How many.
        count: u64,
    },
}

/// The drift of one feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureDrift {
    /// How many values were compared.
    pub sizes: Sizes,
    /// Population stability index.
    pub psi: Option<Distance>,
    /// Bins of it that are empty on one side only.
    pub half_filled_bins: usize,
    /// Jensen-Shannon distance, base 2.
    pub jensen_shannon: Option<Distance>,
    /// Kolmogorov-Smirnov distance at the edges; numbers only.
    pub kolmogorov_smirnov: Option<Distance>,
    /// Wasserstein distance in standard deviations of the reference; numbers only.
    pub wasserstein: Option<Distance>,
    /// Applicants without a value.
    pub missing: Option<RateChange>,
    /// Applicants with a category that the model does not know.
    pub unseen: Option<RateChange>,
    /// Applicants with a number beyond the edges.
    pub out_of_range: Option<RateChange>,
    /// What else is odd.
    pub quality: Vec<QualityFinding>,
    /// The policy it was judged by.
    pub policy: Digest,
}

impl FeatureDrift {
    /// The most serious level; too little evidence where nothing could be compared.
    pub fn level(&self) -> Level {
        let distances = [
            self.psi,
            self.jensen_shannon,
            self.kolmogorov_smirnov,
            self.wasserstein,
        ];
        let rates = [self.missing, self.unseen, self.out_of_range];
        let of_distances = distances.iter().flatten().map(|distance| distance.level);
        let of_rates = rates.iter().flatten().map(|rate| rate.level);
        let measured = self
            .psi
            .map_or(Level::InsufficientEvidence, |psi| psi.level);
        let odd = self.quality.iter().map(|finding| match finding {
            QualityFinding::NoApplicants => Level::InsufficientEvidence,
            QualityFinding::Unreadable { .. } => Level::Watch,
            QualityFinding::AllMissing | QualityFinding::OneValue => Level::Act,
        });
        of_distances
            .chain(of_rates)
            .chain(odd)
            .fold(measured, Level::max)
    }
}

/// Compares the values of now with those of the reference. `None` if the counters have different bins.
pub fn feature_drift(comparison: &Comparison<'_>, rules: &Rules<'_>) -> Option<FeatureDrift> {
    let (reference, current) = (comparison.reference, comparison.current);
    if reference.bins().len() != current.bins().len() {
        return None;
    }
    let sizes = Sizes {
        reference: reference.binned(),
        current: current.binned(),
    };
    let mut drift = FeatureDrift {
        sizes,
        psi: None,
        half_filled_bins: 0,
        jensen_shannon: None,
        kolmogorov_smirnov: None,
        wasserstein: None,
        missing: rate_change(comparison, FeatureCounts::missing, rules),
        unseen: rate_change(comparison, FeatureCounts::unseen, rules),
        out_of_range: rate_change(comparison, FeatureCounts::out_of_range, rules),
        quality: quality(comparison, rules.alpha()),
        policy: rules.digest,
    };
    if let (Some(shares), Some(alpha)) =
        (Shares::new(reference.bins(), current.bins()), rules.alpha())
    {
        measure(&mut drift, &shares, alpha, rules.policy);
        if let Some(edges) = comparison.edges {
            measure_number(&mut drift, &shares, edges, (alpha, rules.policy));
        }
    }
    Some(drift)
}

fn measure(drift: &mut FeatureDrift, shares: &Shares, alpha: Alpha, policy: &DriftSection) {
    let psi = shares.psi();
    let bins = shares.filled_bins();
    let thresholds = Thresholds {
        watch: policy.psi_watch,
        act: policy.psi_act,
    };
    drift.half_filled_bins = psi.half_filled_bins;
    drift.psi = Distance::read(psi.value, psi_limit(drift.sizes, bins, alpha), thresholds);
    let limit = jensen_shannon_limit(drift.sizes, bins, alpha);
    drift.jensen_shannon = Distance::read(shares.jensen_shannon(), limit, only_act(policy.js_act));
}

fn measure_number(
    drift: &mut FeatureDrift,
    shares: &Shares,
    edges: &Edges,
    (alpha, policy): (Alpha, &DriftSection),
) {
    let thresholds = Thresholds {
        watch: policy.ks_watch,
        act: policy.ks_act,
    };
    let limit = kolmogorov_smirnov_limit(drift.sizes, alpha);
    drift.kolmogorov_smirnov = Distance::read(shares.kolmogorov_smirnov(), limit, thresholds);
    drift.wasserstein = standardised_wasserstein(drift.sizes, shares, edges, (alpha, policy));
}

/// In standard deviations of the reference, so that one threshold does for all features.
fn standardised_wasserstein(
    sizes: Sizes,
    shares: &Shares,
    edges: &Edges,
    (alpha, policy): (Alpha, &DriftSection),
) -> Option<Distance> {
    let middles = edges.middles();
    let deviation = shares.reference_deviation(&middles)?;
    let distance = shares.wasserstein(&middles)? / deviation;
    let limit = wasserstein_limit(sizes, shares.spread(&middles)?, alpha) / deviation;
    Distance::read(distance, limit, only_act(policy.wasserstein_act))
}

/// Practice has one threshold for this distance.
fn only_act(act: f64) -> Thresholds {
    Thresholds { watch: act, act }
}

fn rate_change(
    comparison: &Comparison<'_>,
    count: impl Fn(&FeatureCounts) -> u64,
    rules: &Rules<'_>,
) -> Option<RateChange> {
    // A share of applicants is what the interval needs, whatever it is a share of.
    let share = |counts: &FeatureCounts| GroupCounters {
        approved: count(counts),
        denied: counts.applicants().saturating_sub(count(counts)),
        ..GroupCounters::default()
    };
    let (reference, current) = (share(comparison.reference), share(comparison.current));
    let confidence = Confidence::try_from(1.0 - rules.alpha()?.get()).ok()?;
    let change = approval_rate_difference(&current, &reference, confidence)?;
    let rate = |counters: &GroupCounters| counters.approved as f64 / counters.decisions() as f64;
    Some(RateChange {
        reference: rate(&reference),
        current: rate(&current),
        change,
        level: read_rise(change, rules.policy.rate_change_act),
    })
}

fn read_rise(change: Interval, act: f64) -> Level {
    if change.lower > 0.0 && change.value >= act {
        Level::Act
    } else if change.upper >= act && change.lower <= 0.0 {
        Level::InsufficientEvidence
    } else {
        Level::Stable
    }
}

/// What is the same for everybody now counts only where the reference would give that by chance less often than alpha:
/// the reference's share of it, to the power of the applicants.
fn quality(comparison: &Comparison<'_>, alpha: Option<Alpha>) -> Vec<QualityFinding> {
    let (reference, current) = (comparison.reference, comparison.current);
    let filled = |counts: &FeatureCounts| counts.bins().iter().filter(|count| **count > 0).count();
    let is_chance = |of_reference: u64, all: u64, times: u64| {
        let share = of_reference as f64 / all as f64;
        alpha.is_none_or(|alpha| share.powf(times as f64) >= alpha.get())
    };
    let mut findings = Vec::new();
    if current.applicants() == 0 {
        findings.push(QualityFinding::NoApplicants);
    } else if current.missing() == current.applicants()
        && reference.binned() > 0
        && !is_chance(
            reference.missing(),
            reference.applicants(),
            current.applicants(),
        )
    {
        findings.push(QualityFinding::AllMissing);
    }
    // A single applicant is in one bin whatever comes.
    let bin = current
        .bins()
        .iter()
        .position(|count| *count > 0)
        .unwrap_or_default();
    if filled(current) == 1
        && filled(reference) > 1
        && current.binned() >= 30
        && !is_chance(reference.bins()[bin], reference.binned(), current.binned())
    {
        findings.push(QualityFinding::OneValue);
    }
    if current.unreadable() > 0 {
        findings.push(QualityFinding::Unreadable {
            count: current.unreadable(),
        });
    }
    findings
}

#[cfg(test)]
mod tests;
