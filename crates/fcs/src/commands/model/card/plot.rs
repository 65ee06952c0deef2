//! Plots as inline SVG: axes, bars, lines and points in a fixed frame.

use std::fmt::Write as _;

use maud::{Markup, html};

/// Where things are inside a plot, in pixels of its view box.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) width: f64,
    pub(super) height: f64,
    /// Ranges of the data that the axes show.
    pub(super) x: (f64, f64),
    pub(super) y: (f64, f64),
}

/// About how many ticks a y axis has.
const Y_TICKS: usize = 6;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 36.0;

impl Frame {
    /// A frame whose axes show these ranges, widened where they have no extent.
    pub(super) fn new(size: (f64, f64), x: (f64, f64), y: (f64, f64)) -> Self {
        Self {
            width: size.0,
            height: size.1,
            x: widened(x),
            y: widened(y),
        }
    }

    pub(super) fn at_x(&self, value: f64) -> f64 {
        LEFT + (value - self.x.0) / (self.x.1 - self.x.0) * (self.width - LEFT - RIGHT)
    }

    pub(super) fn at_y(&self, value: f64) -> f64 {
        let share = (value - self.y.0) / (self.y.1 - self.y.0);
        self.height - BOTTOM - share * (self.height - TOP - BOTTOM)
    }

    /// The plot around its marks. The text alternative says what a reader who cannot see it must know.
    pub(super) fn plot(&self, alternative: &str, labels: (&str, &str), marks: &Markup) -> Markup {
        html! {
            svg viewBox=(format!("0 0 {} {}", self.width, self.height)) role="img" aria-label=(alternative) {
                (self.grid())
                (marks)
                (self.axis_labels(labels))
            }
        }
    }

    /// A polyline through data points.
    pub(super) fn line(&self, class: &str, points: impl Iterator<Item = (f64, f64)>) -> Markup {
        let mut path = String::new();
        for (x, y) in points {
            let _ = write!(path, "{:.1},{:.1} ", self.at_x(x), self.at_y(y));
        }
        html! { polyline class=(class) points=(path.trim_end()) {} }
    }

    /// A bar from zero to a value, between two places of the x axis.
    pub(super) fn bar(&self, class: &str, from: f64, to: f64, value: f64) -> Markup {
        let (left, right) = (self.at_x(from), self.at_x(to));
        let (zero, end) = (self.at_y(0.0), self.at_y(value));
        html! {
            rect class=(class) x=(pixels(left)) y=(pixels(zero.min(end)))
                width=(pixels((right - left - 1.0).max(0.5))) height=(pixels((zero - end).abs())) {}
        }
    }

    /// A vertical line over the whole height, with a name at its top, before or after the line.
    pub(super) fn mark(&self, value: f64, name: &str, before: bool) -> Markup {
        let x = self.at_x(value);
        let (anchor, gap) = if before {
            ("end", -4.0)
        } else {
            ("start", 4.0)
        };
        html! {
            line class="mark" x1=(pixels(x)) x2=(pixels(x)) y1=(pixels(TOP)) y2=(pixels(self.height - BOTTOM)) {}
            text class="mark-name" text-anchor=(anchor) x=(pixels(x + gap)) y=(pixels(TOP + 10.0)) { (name) }
        }
    }

    fn grid(&self) -> Markup {
        let (bottom, right) = (self.height - BOTTOM, self.width - RIGHT);
        html! {
            @for tick in ticks(self.y, Y_TICKS) {
                line class="grid" x1=(pixels(LEFT)) x2=(pixels(right)) y1=(pixels(self.at_y(tick))) y2=(pixels(self.at_y(tick))) {}
                text class="tick" text-anchor="end" x=(pixels(LEFT - 6.0)) y=(pixels(self.at_y(tick) + 3.5)) { (number(tick)) }
            }
            line class="axis" x1=(pixels(LEFT)) x2=(pixels(right)) y1=(pixels(bottom)) y2=(pixels(bottom)) {}
        }
    }

    /// The ticks of a numeric x axis.
    pub(super) fn x_ticks(&self, count: usize) -> Markup {
        let bottom = self.height - BOTTOM;
        html! {
            @for tick in ticks(self.x, count) {
                text class="tick" text-anchor="middle" x=(pixels(self.at_x(tick))) y=(pixels(bottom + 14.0)) { (number(tick)) }
            }
        }
    }

    /// A name below a place of the x axis.
    pub(super) fn x_name(&self, at: f64, name: &str) -> Markup {
        html! {
            text class="tick" text-anchor="middle" x=(pixels(self.at_x(at))) y=(pixels(self.height - BOTTOM + 14.0)) { (name) }
        }
    }

    fn axis_labels(&self, (x, y): (&str, &str)) -> Markup {
        let middle = (LEFT + self.width - RIGHT) / 2.0;
        html! {
            text class="label" text-anchor="middle" x=(pixels(middle)) y=(pixels(self.height - 5.0)) { (x) }
            @if !y.is_empty() {
                text class="label" text-anchor="middle" transform=(format!("translate(10 {:.1}) rotate(-90)", f64::midpoint(self.height - BOTTOM, TOP))) { (y) }
            }
        }
    }
}

/// A length or a place with a tenth of a pixel.
pub(super) fn pixels(value: f64) -> String {
    format!("{value:.1}")
}

/// A number as people write it: thousands and millions shortened, at most three digits that matter.
pub(super) fn number(value: f64) -> String {
    let magnitude = value.abs();
    let (scaled, suffix) = match magnitude {
        1e6.. => (value / 1e6, "M"),
        1e4.. => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let decimals = match scaled.abs() {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    let text = format!("{scaled:.decimals$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    let text = if text == "-0" { "0" } else { text };
    format!("{text}{suffix}")
}

/// Round numbers inside a range: about `count` of them, 1, 2 or 5 times a power of ten apart.
pub(super) fn ticks((from, to): (f64, f64), count: usize) -> Vec<f64> {
    let rough = (to - from) / count as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * power);
    let first = (from / step).ceil();
    let last = (to / step + 1e-9).floor();
    let mut ticks = Vec::new();
    let mut index = first;
    while index <= last && ticks.len() < 100 {
        ticks.push(index * step);
        index += 1.0;
    }
    ticks
}

fn widened((from, to): (f64, f64)) -> (f64, f64) {
    if to > from {
        (from, to)
    } else {
        (from - 0.5, from + 0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks((0.0, 1.0), 4), [0.0, 0.5, 1.0]);
        assert_eq!(ticks((300.0, 850.0), 5), [400.0, 600.0, 800.0]);
        assert_eq!(ticks((-0.9, 0.9), 4), [-0.5, 0.0, 0.5]);
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (0.25, "0.25"),
            (1.0, "1"),
            (650.0, "650"),
            (12_500.0, "12.5k"),
            (1_000_000.0, "1M"),
            (-3.2468, "-3.25"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_frame_puts_its_corners_inside_its_margins() {
        let frame = Frame::new((200.0, 100.0), (0.0, 10.0), (5.0, 5.0));
        assert!((frame.at_x(0.0) - LEFT).abs() < 1e-9);
        assert!((frame.at_x(10.0) - (200.0 - RIGHT)).abs() < 1e-9);
        assert!(
            (frame.at_y(5.5) - TOP).abs() < 1e-9,
            "a flat range is widened"
        );
    }
}
