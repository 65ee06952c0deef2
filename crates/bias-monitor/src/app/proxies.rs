//! What proxies say of applicants, and sums of it by hour. Nobody is ever put into a group: see [`fcs_fairness::proxy`].

use std::collections::BTreeMap;

use fcs_core::{ApplicationId, ModelVersion, Probability};
use fcs_fairness::proxy::{InvalidMembership, Membership, ProxyCounts};

use super::counts::Sign;
use super::facts::{AttributeName, Decision, GroupName, Outcome, ProxySource, ProxyVersion};
use super::profiles::MINUTES_OF_HOUR;

/// One version of a proxy for an attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProxyName {
    /// The attribute.
    pub attribute: AttributeName,
    /// The method.
    pub source: ProxySource,
    /// The version of its rules and tables.
    pub version: ProxyVersion,
}

/// The probabilities of one applicant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownMembership {
    /// The groups, ordered and each once.
    pub groups: Vec<GroupName>,
    /// The probability of each, in the same order.
    pub membership: Membership,
}

impl KnownMembership {
    /// Reads the probability of each group.
    pub fn new(probabilities: BTreeMap<GroupName, f64>) -> Result<Self, InvalidMembership> {
        let (groups, values): (Vec<_>, Vec<_>) = probabilities.into_iter().unzip();
        let membership = Membership::new(&values)?;
        Ok(Self { groups, membership })
    }

    /// The probability of a group; `None` if the proxy does not name it.
    pub fn probability(&self, group: &GroupName) -> Option<Probability> {
        let place = self.groups.binary_search(group).ok()?;
        self.membership.probability(place)
    }
}

/// What is known of one applicant, by who says so.
pub type Memberships = BTreeMap<ProxyName, KnownMembership>;

/// What one version of a proxy says of one applicant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupProbabilities {
    /// The application.
    pub application_id: ApplicationId,
    /// Who says so.
    pub proxy: ProxyName,
    /// The probabilities.
    pub known: KnownMembership,
}

/// People whom one version of a proxy divides among the same groups.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Panel {
    /// The proxy.
    pub proxy: ProxyName,
    /// The groups, ordered and each once.
    pub groups: Vec<GroupName>,
}

/// Which decisions one set of sums holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProxyKey {
    /// The model that scored.
    pub model: ModelVersion,
    /// The traffic arm that scored.
    pub arm: String,
    /// Whose probabilities, among which groups.
    pub panel: Panel,
    /// Hours from the Unix epoch to the hour of the decisions.
    pub hour: i64,
}

/// Increments of many sets of sums, in the order of their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyIncrements(pub BTreeMap<ProxyKey, ProxyCounts>);

impl ProxyIncrements {
    /// Counts a decision, or takes it back, under what proxies say of its applicant.
    pub(super) fn add<'a>(
        &mut self,
        decision: &Decision,
        memberships: impl IntoIterator<Item = (&'a ProxyName, &'a KnownMembership)>,
        sign: Sign,
    ) {
        for (proxy, known) in memberships {
            let key = ProxyKey {
                model: decision.model.clone(),
                arm: decision.arm.clone(),
                panel: Panel {
                    proxy: proxy.clone(),
                    groups: known.groups.clone(),
                },
                hour: decision.minute.div_euclid(MINUTES_OF_HOUR),
            };
            let nothing = || ProxyCounts::new(known.groups.len());
            let counts = self.0.entry(key).or_insert_with(nothing);
            let approved = decision.outcome == Outcome::Approve;
            counts
                .count(&known.membership, approved, sign.factor())
                .expect("sums of one key are about its groups");
        }
    }

    /// Drops what cancelled out.
    pub(super) fn settle(&mut self) {
        self.0.retain(|_, counts| !counts.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(probabilities: &[(&str, f64)]) -> KnownMembership {
        let own = |(group, probability): &(&str, f64)| (group.parse().unwrap(), *probability);
        KnownMembership::new(probabilities.iter().map(own).collect()).unwrap()
    }

    fn decision(minute: i64) -> Decision {
        Decision {
            application_id: "A-1".parse().unwrap(),
            minute,
            model: "demo/1".parse().unwrap(),
            arm: "stable".to_owned(),
            outcome: Outcome::Approve,
            score: 640,
            probability_ppm: 123_456,
            bins: Vec::new(),
        }
    }

    #[test]
    fn other_groups_and_other_hours_are_counted_apart_and_cancel() {
        let name = |version: &str| ProxyName {
            attribute: "race".parse().unwrap(),
            source: "bisg".parse().unwrap(),
            version: version.parse().unwrap(),
        };
        let two = known(&[("black", 0.3), ("white", 0.7)]);
        let memberships = Memberships::from([
            (name("1"), two.clone()),
            (
                name("2"),
                known(&[("asian", 0.1), ("black", 0.2), ("white", 0.7)]),
            ),
        ]);
        let mut increments = ProxyIncrements::default();
        increments.add(&decision(59), &memberships, Sign::Plus);
        increments.add(&decision(60), &memberships, Sign::Plus);
        increments.add(&decision(59), [(&name("1"), &two)], Sign::Plus);
        let people: Vec<i64> = increments.0.values().map(ProxyCounts::decisions).collect();
        assert_eq!(people, [2, 1, 1, 1]);
        increments.add(&decision(59), [(&name("1"), &two)], Sign::Minus);
        increments.add(&decision(60), &memberships, Sign::Minus);
        increments.add(&decision(59), &memberships, Sign::Minus);
        increments.settle();
        assert_eq!(increments, ProxyIncrements::default());
    }

    #[test]
    fn no_probability_prints() {
        let text = format!("{:?}", known(&[("black", 0.3), ("white", 0.7)]));
        assert!(!text.contains("black") && !text.contains("0.3"), "{text}");
    }
}
