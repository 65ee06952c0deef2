//! Principal reasons: which features moved the margin in the adverse direction, against the reference population.
//!
//! 12 CFR 1002, Supplement I, comment 9(b)(2): reasons are the factors actually scored (-2, -4), measured against
//! applicants at or slightly above the passing score (-5), no more than four (-1); a rule that denies automatically is
//! itself the reason (-8).

use std::collections::BTreeMap;

use crate::catalogue::Catalogue;
use crate::manifest::Manifest;
use crate::record::PrincipalReason;

/// Where reasons come from: the reason map, and the catalogue with its texts if there are catalogues.
#[derive(Clone, Copy)]
pub(crate) struct ReasonSource<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) texts: Option<&'a Catalogue>,
}

/// More reasons than this are "not likely to be helpful" (comment 9(b)(2)-1).
pub(crate) const REASONS_MAX: usize = 4;

/// A sum at or below the rounding error of attributions cannot be told from none, so it is not adverse.
const ADVERSE_CONTRIBUTION_ABOVE: f64 = 1e-9;

struct Group<'a> {
    code: &'a str,
    features: Vec<String>,
    contribution: f64,
}

/// The reasons of a decision by score, most important first: contributions summed by reason code, adverse sums only,
/// the largest first, equal ones by code.
///
/// `contributions` holds one value per feature of the manifest, in its order.
pub(crate) fn by_score(source: ReasonSource<'_>, contributions: &[f64]) -> Vec<PrincipalReason> {
    let mut groups: BTreeMap<&str, Group<'_>> = BTreeMap::new();
    for (feature, contribution) in source.manifest.features.iter().zip(contributions) {
        let code = feature.reason.as_str();
        let group = groups.entry(code).or_insert(Group {
            code,
            features: Vec::new(),
            contribution: 0.0,
        });
        group.features.push(feature.name.clone());
        group.contribution += contribution;
    }
    let mut adverse: Vec<Group<'_>> = groups
        .into_values()
        .filter(|group| group.contribution > ADVERSE_CONTRIBUTION_ABOVE)
        .collect();
    // The groups come in the order of their codes and the sort is stable.
    adverse.sort_by(|left, right| right.contribution.total_cmp(&left.contribution));
    adverse.truncate(REASONS_MAX);
    (1..)
        .zip(adverse)
        .map(|(rank, group)| reason(source, rank, group))
        .collect()
}

/// The reason of a decision by a rule: the rule's own, and no other.
pub(crate) fn by_rule(
    source: ReasonSource<'_>,
    code: &str,
    features: Vec<String>,
) -> PrincipalReason {
    let group = Group {
        code,
        features,
        contribution: 0.0,
    };
    reason(source, 1, group)
}

fn reason(source: ReasonSource<'_>, rank: u8, group: Group<'_>) -> PrincipalReason {
    let entry = source
        .manifest
        .reason(group.code)
        .expect("a manifest holds the reason of each of its features and rules");
    let text = source.texts.map_or(&entry.text, |catalogue| {
        catalogue
            .texts
            .get(&entry.code)
            .expect("a catalogue holds the text of every reason")
    });
    PrincipalReason {
        rank,
        code: entry.code.clone(),
        text: text.clone(),
        regb_ref: entry.regb_ref.clone(),
        hmda_code: entry.hmda_code,
        features: group.features,
        contribution: group.contribution,
    }
}
