//! The estimates of groups known by probabilities, for people.

use std::collections::BTreeSet;
use std::fmt::Write;

use fcs_fairness::proxy::{Bracket, Estimates, Limits};
use fcs_fairness::{Measured, Undefined};

use super::proxied::{Count, Document};
use super::text::{spelled, word};
use crate::output::table;

const HEADER: [&str; 5] = ["group", "#expected", "weighted", "linear", "bounds"];

/// What the three answers mean.
pub(super) const HOW_TO_READ: &str = "\
    weighted: right if decisions do not depend on the group among people with the same probabilities; else it shows too \
    small a difference as a rule.\n\
    linear: right if decisions do not depend on the probabilities among members of a group; else it shows too large a \
    difference as a rule. A rate may leave 0 to 1.\n\
    bounds: no assignment that agrees with the probabilities leaves them (Fréchet).\n\
    Read all three together: none of them holds if the probabilities are wrong.\n";

/// The whole text.
pub(super) fn text(document: &Document) -> String {
    let report = &document.proxy;
    let mut text = reading(&document.read);
    text.push_str(&spelled("decision", &document.values.decision));
    let mut reasons = BTreeSet::new();
    text.push_str("\nSelection rate\n");
    text.push_str(&groups(document, &mut reasons, |rate, _| Some(rate)));
    let _ = write!(
        text,
        "\nAdverse impact ratio (compared with {})\n",
        report.reference
    );
    text.push_str(&groups(document, &mut reasons, |_, ratio| ratio));
    text.push_str(&notes(document, &reasons));
    text
}

fn reading(read: &Count) -> String {
    let mut text = format!("{} decisions in {} rows", read.decisions, read.rows);
    for (count, what) in [
        (read.without_decision, "left out without a decision"),
        (read.without_probabilities, "left out without probabilities"),
    ] {
        if count > 0 {
            let _ = write!(text, "; {count} {what}");
        }
    }
    text.push('\n');
    text
}

/// A table of the groups with one of their brackets: of the rate, or of the ratio, which the reference
/// group does not have.
fn groups(
    document: &Document,
    reasons: &mut BTreeSet<Undefined>,
    choose: impl for<'a> Fn(&'a Bracket, Option<&'a Bracket>) -> Option<&'a Bracket>,
) -> String {
    let mut rows = Vec::with_capacity(document.proxy.groups.len());
    for group in &document.proxy.groups {
        let mut row = vec![group.group.clone()];
        match &group.estimates {
            Estimates::Suppressed => row.resize(HEADER.len(), "suppressed".to_owned()),
            Estimates::Shown {
                expected_members,
                selection_rate,
                adverse_impact_ratio,
                ..
            } => {
                row.push(format!("{expected_members:.1}"));
                match choose(selection_rate, adverse_impact_ratio.as_ref()) {
                    Some(bracket) => row.extend(show(bracket, reasons)),
                    None => row.resize(HEADER.len(), "reference".to_owned()),
                }
            }
        }
        rows.push(row);
    }
    format!("{}\n", table(&HEADER, rows))
}

fn show(bracket: &Bracket, reasons: &mut BTreeSet<Undefined>) -> [String; 3] {
    let mut undefined = |reason: Undefined| {
        reasons.insert(reason);
        format!("– ({})", word(&reason))
    };
    let [weighted, linear] = [bracket.weighted, bracket.linear].map(|found| match found {
        Measured::Undefined { reason } => undefined(reason),
        Measured::Interval(found) => format!(
            "{:.3} [{:.3}, {:.3}]",
            found.value, found.lower, found.upper
        ),
        Measured::Point { value } => format!("{value:.3} [no limit]"),
        Measured::Test(_) => String::new(),
    });
    let bounds = match bracket.frechet {
        Limits::Undefined { reason } => undefined(reason),
        Limits::Bounds(bounds) => match bounds.upper {
            Some(upper) => format!("{:.3} to {upper:.3}", bounds.lower),
            None => format!("{:.3} or more", bounds.lower),
        },
    };
    [weighted, linear, bounds]
}

fn notes(document: &Document, reasons: &BTreeSet<Undefined>) -> String {
    let report = &document.proxy;
    let mut text = String::from("\n");
    for reason in reasons {
        let _ = writeln!(text, "{}: {reason}.", word(reason));
    }
    let suppressed = |estimates: &Estimates| matches!(estimates, Estimates::Suppressed);
    if report.groups.iter().any(|own| suppressed(&own.estimates)) {
        let _ = writeln!(
            text,
            "suppressed: fewer than {} people are expected (--minimum-cell-size).",
            report.minimum_cell_size
        );
    }
    text.push_str(HOW_TO_READ);
    let _ = writeln!(
        text,
        "Intervals have at least {} % confidence and are of chance alone, for one look at a fixed file; bounds have \
         none.",
        report.confidence.get() * 100.0
    );
    text
}
