//! The charts of a card.

use fcs_decision::manifest::{CalibrationBin, Feature, FeatureKind};
use fcs_decision::policy::Policy;
use maud::{Markup, html};

use super::effects::{Effect, Point};
use super::plot::{Frame, number, pixels};

const WIDE: (f64, f64) = (560.0, 260.0);
const SMALL: (f64, f64) = (330.0, 190.0);
/// 97.5 % point of the normal distribution.
const Z_95: f64 = 1.959_963_984_540_054;

/// Rows per bin of scores, with the cut-offs of the policy.
pub(super) fn scores(edges: &[f64], rows: &[f64], policy: &Policy) -> Markup {
    let total: f64 = rows.iter().sum();
    let shares: Vec<f64> = rows.iter().map(|rows| 100.0 * rows / total).collect();
    let highest = shares.iter().copied().fold(0.0, f64::max);
    let (first, last) = (edges[0], edges[edges.len() - 1]);
    let frame = Frame::new(WIDE, (first, last), (0.0, highest * 1.15));
    let cut_offs = [
        (policy.refer_at_least, "refer from", true),
        (policy.approve_at_least, "approve from", false),
    ];
    let marks = html! {
        @for (pair, share) in edges.windows(2).zip(&shares) { (frame.bar("bar", pair[0], pair[1], *share)) }
        @for (score, name, before) in cut_offs {
            @if (first..=last).contains(&f64::from(score)) {
                (frame.mark(f64::from(score), &format!("{name} {score}"), before))
            }
        }
        (frame.x_ticks(8))
    };
    frame.plot(
        "Histogram of scores",
        ("score, in points", "share of rows, %"),
        &marks,
    )
}

/// Observed against predicted, with Wilson's 95 % interval of each observed rate.
pub(super) fn calibration(bins: &[CalibrationBin]) -> Markup {
    let upper = |bin: &CalibrationBin| wilson(bin).1.max(bin.mean_probability);
    let end = bins.iter().map(upper).fold(0.0, f64::max).min(1.0) * 1.05;
    let frame = Frame::new(WIDE, (0.0, end), (0.0, end));
    let marks = html! {
        (frame.line("diagonal", [(0.0, 0.0), (end, end)].into_iter()))
        @for bin in bins {
            @let (low, high) = wilson(bin);
            @let x = pixels(frame.at_x(bin.mean_probability));
            line class="interval" x1=(x) x2=(x) y1=(pixels(frame.at_y(low))) y2=(pixels(frame.at_y(high))) {}
            circle class="point" r="3.5" cx=(x) cy=(pixels(frame.at_y(bin.adverse_rate))) {
                title { (format!("predicted {:.3}, observed {:.3}, {} rows", bin.mean_probability, bin.adverse_rate, bin.rows)) }
            }
        }
        (frame.x_ticks(6))
    };
    frame.plot(
        "Observed rate of the adverse outcome against its predicted probability",
        ("mean predicted probability", "observed rate"),
        &marks,
    )
}

/// Wilson's score interval of a bin's observed rate (Wilson 1927).
fn wilson(bin: &CalibrationBin) -> (f64, f64) {
    let (rows, rate) = (f64::from(bin.rows), bin.adverse_rate);
    let square = Z_95 * Z_95;
    let centre = (rate + square / (2.0 * rows)) / (1.0 + square / rows);
    let spread = Z_95 / (1.0 + square / rows)
        * (rate * (1.0 - rate) / rows + square / (4.0 * rows * rows)).sqrt();
    ((centre - spread).max(0.0), (centre + spread).min(1.0))
}

/// The effect of one feature; every feature of a card has the same y axis, so that they can be compared.
pub(super) fn feature_effect(feature: &Feature, effect: &Effect, y: (f64, f64)) -> Markup {
    let alternative = format!("Effect of {} on the log-odds", feature.name);
    if let FeatureKind::Category(categories) = &feature.kind {
        let names: Vec<&str> = categories.iter().map(|it| it.name.as_str()).collect();
        return categories_effect(&alternative, &names, effect, y);
    }
    let values = effect.partial_dependence.iter().map(|point| point.value);
    let (first, last) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let frame = Frame::new(SMALL, (first, last), y);
    let pairs = |points: &[Point]| {
        points
            .iter()
            .map(|it| (it.value, it.effect))
            .collect::<Vec<_>>()
    };
    let zero = pixels(frame.at_y(0.0));
    let marks = html! {
        line class="zero" x1=(pixels(frame.at_x(frame.x.0))) x2=(pixels(frame.at_x(frame.x.1))) y1=(zero) y2=(zero) {}
        (frame.line("dependence", pairs(&effect.partial_dependence).into_iter()))
        (frame.line("local", pairs(&effect.accumulated_local).into_iter()))
        (frame.x_ticks(5))
    };
    frame.plot(&alternative, (feature.unit.as_str(), ""), &marks)
}

fn categories_effect(alternative: &str, names: &[&str], effect: &Effect, y: (f64, f64)) -> Markup {
    let slots = names.len() as f64;
    let frame = Frame::new(SMALL, (0.0, slots), y);
    let zero = pixels(frame.at_y(0.0));
    let crowded = names
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0)
        * names.len()
        > 44;
    let marks = html! {
        line class="zero" x1=(pixels(frame.at_x(0.0))) x2=(pixels(frame.at_x(slots))) y1=(zero) y2=(zero) {}
        @for (index, (name, point)) in names.iter().zip(&effect.partial_dependence).enumerate() {
            @let slot = index as f64;
            g {
                title { (format!("{name}: {}", number(point.effect))) }
                (frame.bar("category", slot + 0.2, slot + 0.8, point.effect))
            }
            (frame.x_name(slot + 0.5, &if crowded { (index + 1).to_string() } else { (*name).to_owned() }))
        }
    };
    let legend: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(index, name)| format!("{}\u{a0}{name}", index + 1))
        .collect();
    html! {
        (frame.plot(alternative, ("", ""), &marks))
        @if crowded { p class="legend" { (legend.join(" · ")) } }
    }
}

/// Shares of the greatest value as horizontal bars.
pub(super) fn importance(items: &[(String, f64)]) -> Markup {
    let greatest = items.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    html! {
        table class="bars" {
            @for (name, value) in items {
                tr {
                    th scope="row" { (name) }
                    td {
                        svg viewBox="0 0 300 12" preserveAspectRatio="none" aria-hidden="true" {
                            rect class="bar" height="12" width=(pixels(300.0 * value / greatest.max(f64::MIN_POSITIVE))) {}
                        }
                    }
                    td class="number" { (format!("{value:.3}")) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_gives_the_published_interval() {
        // 5 of 10: Newcombe 1998, table I, method 3 style; the closed form gives 0.2366 to 0.7634.
        let (low, high) = wilson(&CalibrationBin {
            mean_probability: 0.5,
            adverse_rate: 0.5,
            rows: 10,
        });
        assert!(
            (low - 0.2366).abs() < 1e-4 && (high - 0.7634).abs() < 1e-4,
            "{low} {high}"
        );
        let none = CalibrationBin {
            mean_probability: 0.1,
            adverse_rate: 0.0,
            rows: 20,
        };
        assert!(wilson(&none).0.abs() < 1e-12);
    }
}
