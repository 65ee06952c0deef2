//! A fixed threshold that must be exceeded for a while, by the times that the caller passes in.

use fcs_core::UnixMicros;
use serde::{Deserialize, Serialize};

use super::{Absence, Needed, Verdict};

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;

/// What is exceeded, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SustainedRule {
    /// Values above it exceed; in the unit of the values.
    pub threshold: f64,
    /// How long it must be exceeded, in microseconds.
    pub hold_micros: u64,
    /// Between two values that exceed, at most this much counts as exceeding, in microseconds.
    pub gap_tolerance_micros: u64,
    /// A value older than this says nothing any more, in microseconds.
    pub age_max_micros: u64,
    /// A value that rests on fewer requests (for memory: instances) says nothing.
    pub requests_min: u64,
}

impl SustainedRule {
    /// More than 5 % of the requests fail, for 5 minutes.
    pub const ERROR_RATE: Self = Self::every_quarter_minute(0.05, 5, 20);
    /// More than 1 % of the requests take longer than 2 s, for 5 minutes: "p99 above 2 s" as a share, which can
    /// be counted, merged and tested.
    pub const SLOW_SHARE: Self = Self::every_quarter_minute(0.01, 5, 100);
    /// The 99th percentile in seconds is above 2 s, for 5 minutes.
    pub const P99_S: Self = Self::every_quarter_minute(2.0, 5, 100);
    /// An instance uses more than 90 % of its memory, for 10 minutes.
    pub const MEMORY: Self = Self::every_quarter_minute(0.9, 10, 1);

    /// A drift score is above 0.1, for 10 minutes.
    pub const DRIFT: Self = Self::every_quarter_minute(0.1, 10, 1);

    /// For values that come every 15 s.
    const fn every_quarter_minute(threshold: f64, hold_minutes: u64, requests_min: u64) -> Self {
        Self {
            threshold,
            hold_micros: hold_minutes * MINUTE,
            gap_tolerance_micros: 30 * SECOND,
            age_max_micros: 2 * MINUTE,
            requests_min,
        }
    }
}

/// A value and what it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The value.
    pub value: f64,
    /// Requests (for memory: instances) that it was computed from.
    pub requests: u64,
}

/// Watches one rule.
///
/// A value that is missing, not finite or of too few requests neither advances the time of exceeding nor resets
/// it, and is neither healthy nor a breach. A breach that was reached stays until a value is healthy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sustained {
    rule: SustainedRule,
    /// When the last usable value came.
    last_at: Option<UnixMicros>,
    /// For how long the threshold has been exceeded; `None` after a healthy value.
    exceeded_micros: Option<u64>,
    /// Why the newest value is unusable, if it is.
    unusable: Option<Absence>,
}

impl Sustained {
    /// Nothing has come yet.
    pub fn new(rule: SustainedRule) -> Self {
        Self {
            rule,
            last_at: None,
            exceeded_micros: None,
            unusable: None,
        }
    }

    /// Takes the next value, `None` where there should be one, and says what is known now. A clock that went
    /// backwards is held at the last value's time.
    pub fn observe(&mut self, at: UnixMicros, sample: Option<Sample>) -> Verdict {
        match self.usable(sample) {
            Ok(value) => self.take(at, value),
            Err(absence) => self.unusable = Some(absence),
        }
        self.verdict(at)
    }

    fn usable(&self, sample: Option<Sample>) -> Result<f64, Absence> {
        let sample = sample.ok_or(Absence::Missing)?;
        if !sample.value.is_finite() || !self.rule.threshold.is_finite() {
            return Err(Absence::NotANumber);
        }
        if sample.requests < self.rule.requests_min {
            return Err(Absence::TooFewRequests);
        }
        Ok(sample.value)
    }

    fn take(&mut self, at: UnixMicros, value: f64) {
        let passed = self.age_micros(at).min(self.rule.gap_tolerance_micros);
        self.exceeded_micros = (value > self.rule.threshold).then(|| {
            self.exceeded_micros
                .map_or(0, |before| before.saturating_add(passed))
        });
        self.last_at = Some(self.last_at.map_or(at, |last| last.max(at)));
        self.unusable = None;
    }

    /// What is known at a moment.
    pub fn verdict(&self, now: UnixMicros) -> Verdict {
        let exceeded = self.exceeded_micros;
        if exceeded.is_some_and(|micros| micros >= self.rule.hold_micros) {
            return Verdict::Breach;
        }
        if let Some(reason) = self.absence(now) {
            return Verdict::NoData { reason };
        }
        match exceeded {
            None => Verdict::Clear,
            Some(micros) => Verdict::Insufficient {
                needed: Needed {
                    exceeding_micros_to_breach: Some(self.rule.hold_micros - micros),
                    ..Needed::default()
                },
            },
        }
    }

    fn absence(&self, now: UnixMicros) -> Option<Absence> {
        if self.unusable.is_some() {
            return self.unusable;
        }
        if self.last_at.is_none() {
            return Some(Absence::Missing);
        }
        (self.age_micros(now) > self.rule.age_max_micros).then_some(Absence::Stale)
    }

    /// Microseconds since the last usable value; 0 without one or when the clock went backwards.
    fn age_micros(&self, now: UnixMicros) -> u64 {
        let last = self.last_at.unwrap_or(now);
        u64::try_from(now.0.saturating_sub(last.0)).unwrap_or(0)
    }
}
