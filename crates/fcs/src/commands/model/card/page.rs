//! The page of a card. Every text of the package is escaped; nothing is fetched, and the page says so to the browser.

use std::collections::BTreeMap;

use fcs_decision::manifest::{Manifest, MissingRule, RiskDirection};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Facts;
use super::charts;
use super::effects::Effect;
use crate::commands::model::inspect::{condition, values};

const STYLE: &str = include_str!("card.css");

/// The whole page.
pub(super) fn page(facts: &Facts<'_>) -> Markup {
    let manifest = facts.manifest;
    let version = manifest.model_version();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { "Model card: " (version) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (header(facts))
                    (quality(facts))
                    (effects(facts))
                    (features(manifest))
                    (policy(manifest))
                    (lineage(facts))
                    (documents(facts))
                }
            }
        }
    }
}

fn header(facts: &Facts<'_>) -> Markup {
    let manifest = facts.manifest;
    let measured = &manifest.evaluation;
    let tiles = [
        (format!("{:.4}", measured.auc), "held-out AUC"),
        (format!("{:.4}", measured.brier), "held-out Brier score"),
        (measured.rows.to_string(), "held-out rows"),
        (manifest.training.rows.to_string(), "training rows"),
        (manifest.features.len().to_string(), "features"),
        (facts.trees.to_string(), "trees"),
    ];
    html! {
        h1 { (manifest.model.title) }
        p class="soft" { code { (manifest.model_version()) } " · trained " (manifest.model.created) " · signed by " (facts.signers) }
        p { "Estimates the probability of: " b { (manifest.model.adverse_outcome) } "." }
        div class="tiles" {
            @for (value, name) in tiles { div class="tile" { b { (value) } span { (name) } } }
        }
        p class="soft" {
            "This card was made from the package whose manifest has the SHA-256 " code { (manifest.digest()) }
            ". Its signature and digests were verified, its " (facts.golden_rows) " golden rows came out as in the training \
             library, and attributions added up on each of them."
        }
    }
}

fn quality(facts: &Facts<'_>) -> Markup {
    let manifest = facts.manifest;
    html! {
        h2 { "Calibration and scores" }
        div class="pair" {
            figure {
                h3 { "Calibration" }
                @match &manifest.calibration {
                    Some(table) => {
                        (charts::calibration(&table.bins))
                        figcaption { "On " (table.data) ", from the package. Bars are 95 % intervals (Wilson); the dashed line is perfect calibration." }
                    }
                    None => p class="note" {
                        "Not shown. The package carries no calibration table, and its golden rows carry no outcomes to compare \
                         predictions with. The Brier score above is the publisher's, on held-out rows."
                    }
                }
            }
            figure {
                h3 { "Scores" }
                (charts::scores(&facts.scores.edges, &facts.scores.rows, &manifest.policy))
                @match &facts.scores.data {
                    Some(data) => figcaption { "On " (data) ", from the package." },
                    None => p class="note" {
                        "Of the package's " (facts.golden_rows) " golden rows, because it carries no score distribution. Golden rows are \
                         chosen to test the model: they do not show how applicants are distributed."
                    }
                }
            }
        }
    }
}

fn effects(facts: &Facts<'_>) -> Markup {
    let manifest = facts.manifest;
    let population = &manifest.reference_population;
    let y = common_range(&facts.effects);
    let mut order: Vec<usize> = (0..manifest.features.len()).collect();
    order.sort_by(|a, b| facts.importance[*b].total_cmp(&facts.importance[*a]));
    html! {
        h2 { "What moves the score" }
        p {
            "Mean size of each contribution (exact Shapley values against the reference population, in log-odds of the adverse \
             outcome) over the " (facts.golden_rows) " golden rows. It shows what the model uses, not what causes the outcome."
        }
        div class="pair" {
            figure { h3 { "By feature" } (charts::importance(&named(facts, &order))) }
            @let groups = families(facts);
            @if groups.len() < order.len() {
                figure {
                    h3 { "By group" } (charts::importance(&groups))
                    figcaption { "Sums of the features' mean sizes; " (if facts.manifest.features.iter().any(|it| it.family.is_some()) { "families of the manifest." } else { "features with one reason code." }) }
                }
            }
        }
        h2 { "Feature effects" }
        p {
            "In log-odds of the adverse outcome: above zero is worse for the applicant. Computed with the model over "
            (facts.effect_rows) " of " (population.rows) " rows of the reference population, applicants with scores from "
            (population.score_from) " to below " (population.score_to) "; elsewhere effects can differ."
        }
        p class="legend" {
            span class="key" {} "accumulated local effects (Apley and Zhu 2020): changes near applicants who have such values"
            br;
            span class="key dashed" {} "partial dependence (Friedman 2001): the feature set to the value for everyone, also the bars of a category"
        }
        div class="many" {
            @for column in order {
                @let (feature, effect) = (&manifest.features[column], &facts.effects[column]);
                figure {
                    h3 { (feature.name) }
                    (charts::feature_effect(feature, effect, y))
                    figcaption {
                        (feature.description)
                        @if let Some(missing) = effect.missing { (format!(". Missing: {missing:+.3}")) }
                    }
                }
            }
        }
    }
}

/// The range that holds every effect and zero, with some air.
fn common_range(effects: &[Effect]) -> (f64, f64) {
    let points = effects
        .iter()
        .flat_map(|it| it.partial_dependence.iter().chain(&it.accumulated_local));
    let (low, high) = points.fold((0.0_f64, 0.0_f64), |(low, high), point| {
        (low.min(point.effect), high.max(point.effect))
    });
    let air = 0.06 * (high - low);
    (low - air, high + air)
}

fn named(facts: &Facts<'_>, order: &[usize]) -> Vec<(String, f64)> {
    let item = |column: &usize| {
        let name = facts.manifest.features[*column].name.clone();
        (name, facts.importance[*column])
    };
    order.iter().map(item).collect()
}

/// Importance by family, or by reason code where the manifest names no families; greatest first.
fn families(facts: &Facts<'_>) -> Vec<(String, f64)> {
    let features = &facts.manifest.features;
    let by_family = features.iter().any(|feature| feature.family.is_some());
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    for (feature, importance) in features.iter().zip(&facts.importance) {
        let group = if by_family {
            feature.family.as_deref().unwrap_or("no family")
        } else {
            feature.reason.as_str()
        };
        *sums.entry(group).or_default() += importance;
    }
    let mut groups: Vec<(String, f64)> = sums
        .into_iter()
        .map(|(name, sum)| (name.to_owned(), sum))
        .collect();
    groups.sort_by(|a, b| b.1.total_cmp(&a.1));
    groups
}

fn features(manifest: &Manifest) -> Markup {
    html! {
        h2 { "Features" }
        div class="scroll" { table {
            thead { tr { th { "feature" } th { "values" } th { "missing" } th { "risk" } th { "reason" } th { "description" } } }
            tbody { @for feature in &manifest.features {
                tr {
                    td { code { (feature.name) } }
                    td { (values(feature)) }
                    td { (match feature.missing { MissingRule::Refuse => "refused", MissingRule::Allow => "allowed" }) }
                    td { (match feature.risk_direction { RiskDirection::Increasing => "rises", RiskDirection::Decreasing => "falls", RiskDirection::None => "free" }) }
                    td { (feature.reason) }
                    td { (feature.description) @if let Some(family) = &feature.family { span class="soft" { " (" (family) ")" } } }
                }
            } }
        } }
        p class="soft" { "Risk: how it moves when the value rises, enforced in training. Protected attributes are never features." }
    }
}

fn policy(manifest: &Manifest) -> Markup {
    let (policy, score) = (&manifest.policy, &manifest.score);
    let population = &manifest.reference_population;
    html! {
        h2 { "Policy and reasons" }
        p {
            "Scores run from " (score.minimum) " to " (score.maximum) "; " (score.base_score) " points are odds of " (score.base_odds)
            " to 1, and " (score.points_to_double_odds) " points double them. Approved from " b { (policy.approve_at_least) }
            ", referred to a person from " b { (policy.refer_at_least) } ", denied below. Before the score, in this order:"
        }
        div class="scroll" { table {
            thead { tr { th { "rule" } th { "when" } th { "action" } th { "reason" } } }
            tbody { @for rule in &policy.knock_outs {
                tr { td { (rule.id) } td { code { (rule.feature) } " " (condition(&rule.condition)) } td { "deny" } td { (rule.reason) } }
            } @for rule in &policy.rules {
                tr { td { (rule.id) } td { code { (rule.when) } } td { (rule.action.as_str()) } td { (rule.reason.as_deref().unwrap_or_default()) } }
            } }
        } }
        h3 style="margin-top:18px" { "Reasons that an applicant may get" }
        div class="scroll" { table {
            thead { tr { th { "code" } th { "text" } th { "form C-1" } th class="number" { "HMDA" } } }
            tbody { @for reason in &manifest.reasons {
                tr { td { code { (reason.code) } } td { (reason.text) } td { (reason.regb_ref) } td class="number" { (reason.hmda_code) } }
            } }
        } }
        p class="soft" {
            "Reasons compare with " (population.rows) " applicants, " code { (population.id) } ": " (population.description)
        }
    }
}

fn lineage(facts: &Facts<'_>) -> Markup {
    let manifest = facts.manifest;
    let mut rows = vec![
        ("manifest format", manifest.format.to_string()),
        (
            "training rows, SHA-256",
            manifest.model.training_data_sha256.to_string(),
        ),
    ];
    if !manifest.model.git_commit.is_empty() {
        rows.push((
            "commit of the training code",
            manifest.model.git_commit.clone(),
        ));
    }
    if let Some(lineage) = &manifest.lineage {
        let optional = [
            (
                "source data, SHA-256",
                lineage.data_sha256.map(|it| it.to_string()),
            ),
            ("commit", lineage.git_commit.clone()),
            (
                "training script, SHA-256",
                lineage.training_script_sha256.map(|it| it.to_string()),
            ),
            (
                "developed from",
                lineage.parent.as_ref().map(ToString::to_string),
            ),
        ];
        rows.extend(
            optional
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let libraries = lineage
            .libraries
            .iter()
            .map(|(name, version)| format!("{name} {version}"));
        rows.extend(libraries.map(|library| ("library", library)));
    }
    if let Some(engine) = &manifest.engine {
        rows.push(("pinned kernel", engine.kernel.clone()));
    }
    html! {
        h2 { "Lineage" }
        @if manifest.lineage.is_none() {
            p class="note" { "The package carries no lineage table; what it says elsewhere is below." }
        }
        table { tbody {
            @for (name, value) in rows { tr { td { (name) } td { code { (value) } } } }
            @for file in &manifest.files { tr { td { (file.path) " (" (file.format) ")" } td { code { (file.sha256) } } } }
        } }
    }
}

fn documents(facts: &Facts<'_>) -> Markup {
    html! {
        h2 { "The publisher's documents" }
        details { summary { "Model card" } pre { (facts.model_card) } }
        details { summary { "Data sheet" } pre { (facts.data_sheet) } }
    }
}
