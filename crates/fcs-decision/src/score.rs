//! Scaled scores.

use std::f64::consts::LN_2;

use serde::Deserialize;

/// Maps a margin (log-odds of the adverse outcome) to points; higher is better.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreScale {
    /// Lowest score.
    pub minimum: i32,
    /// Highest score.
    pub maximum: i32,
    /// The score at which the odds good to bad are `base_odds`.
    pub base_score: f64,
    /// Odds good to bad at `base_score`.
    pub base_odds: f64,
    /// Points that double the odds good to bad.
    pub points_to_double_odds: f64,
}

impl ScoreScale {
    /// The score of a margin: `base_score - points_to_double_odds / ln 2 * (margin + ln base_odds)`, rounded half
    /// away from zero and clamped to `[minimum, maximum]` (Siddiqi, Credit Risk Scorecards, 2006, chapter 6).
    /// It never rises with the margin. A margin that is not a number gives the minimum.
    pub fn scale(&self, margin: f64) -> i32 {
        let points_per_log_odds = self.points_to_double_odds / LN_2;
        let points = self.base_score - points_per_log_odds * (margin + self.base_odds.ln());
        let (minimum, maximum) = (f64::from(self.minimum), f64::from(self.maximum));
        // `max` prefers the number to a NaN.
        let clamped = points.round().max(minimum).min(maximum);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a whole number between two i32"
        )]
        let score = clamped as i32;
        score
    }
}
