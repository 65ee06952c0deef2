//! A plot of ratios with their intervals, as inline SVG.

use fcs_fairness::Interval;
use maud::{Markup, html};

const WIDTH: f64 = 560.0;
const ROW: f64 = 26.0;
const LEFT: f64 = 170.0;
const RIGHT: f64 = 20.0;
const FOOT: f64 = 34.0;

/// A line of the plot.
pub(super) struct Ratio<'a> {
    pub(super) name: &'a str,
    pub(super) ratio: Option<Interval>,
}

/// The ratios below each other on one axis, with the floor and parity marked.
pub(super) fn ratios(alternative: &str, ratios: &[Ratio<'_>], floor: f64) -> Markup {
    let highest = ratios.iter().filter_map(|it| it.ratio).map(|it| it.upper);
    let most = highest.fold(1.25_f64, f64::max).min(3.0);
    let x = |value: f64| LEFT + value.clamp(0.0, most) / most * (WIDTH - LEFT - RIGHT);
    let rows = f64::from(u32::try_from(ratios.len()).unwrap_or(u32::MAX));
    let (bottom, height) = (ROW * rows + 8.0, ROW * rows + 8.0 + FOOT);
    let y = |place: usize| ROW * (f64::from(u32::try_from(place).unwrap_or(u32::MAX)) + 0.5) + 8.0;
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label=(alternative) {
            @for tick in ticks(most) {
                line class="grid" x1=(px(x(tick))) x2=(px(x(tick))) y1="4" y2=(px(bottom)) {}
                text x=(px(x(tick))) y=(px(bottom + 14.0)) text-anchor="middle" { (format!("{tick:.2}")) }
            }
            line class="floor" x1=(px(x(floor))) x2=(px(x(floor))) y1="4" y2=(px(bottom)) {}
            line class="parity" x1=(px(x(1.0))) x2=(px(x(1.0))) y1="4" y2=(px(bottom)) {}
            @for (place, line) in ratios.iter().enumerate() {
                text class="label" x=(px(LEFT - 10.0)) y=(px(y(place) + 4.0)) text-anchor="end" { (line.name) }
                @match line.ratio {
                    Some(ratio) => {
                        line class="interval" x1=(px(x(ratio.lower))) x2=(px(x(ratio.upper))) y1=(px(y(place))) y2=(px(y(place))) {}
                        circle class="point" cx=(px(x(ratio.value))) cy=(px(y(place))) r="4" {}
                    }
                    None => text x=(px(LEFT + 6.0)) y=(px(y(place) + 4.0)) { "too few decisions" },
                }
            }
            text x=(px(x(most / 2.0))) y=(px(bottom + 30.0)) text-anchor="middle" { "adverse impact ratio" }
        }
    }
}

fn ticks(most: f64) -> impl Iterator<Item = f64> {
    (0..=12_u32)
        .map(|step| f64::from(step) * 0.25)
        .filter(move |tick| *tick <= most)
}

fn px(value: f64) -> String {
    format!("{value:.1}")
}
