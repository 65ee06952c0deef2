//! Seeded streams of decisions, and what the tests by betting make of them.

use fcs_core::UnixMicros;
use fcs_fairness::anytime::gap::{PairedBlocks, PairedDecision, Tolerance};
use fcs_fairness::anytime::ratio::{Floor, RatioBlocks, Side};
use fcs_fairness::anytime::{Alpha, Bets, EValue, Payoffs, Starts};

/// SplitMix64 (Steele, Lea and Flood 2014): the same numbers for ever, whatever a library changes.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xD134_2543_DE82_EF95) ^ 0x5851_F42D_4C95_7F2D)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Uniform on `[0, 1)`.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform on `0..limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }
}

/// A number that goes straight from one value to another over the stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    pub(crate) from: f64,
    pub(crate) to: f64,
}

impl Path {
    pub(crate) fn constant(value: f64) -> Self {
        Self {
            from: value,
            to: value,
        }
    }

    fn at(self, progress: f64) -> f64 {
        self.from + (self.to - self.from) * progress
    }
}

/// Applicants of two groups and how one version decides them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Market {
    pub(crate) reference_rate: Path,
    pub(crate) ratio: Path,
    pub(crate) group_share: Path,
    pub(crate) decisions: u32,
}

impl Market {
    pub(crate) fn decision(&self, number: u32, random: &mut Random) -> (Side, bool) {
        let progress = f64::from(number) / f64::from(self.decisions);
        let rate = self.reference_rate.at(progress);
        if random.chance(self.group_share.at(progress)) {
            let approved = random.chance(rate * self.ratio.at(progress));
            (Side::Group, approved)
        } else {
            (Side::Reference, random.chance(rate))
        }
    }
}

pub(crate) fn alpha() -> Alpha {
    Alpha::try_from(0.05).unwrap()
}

pub(crate) fn bar() -> EValue {
    alpha().bar()
}

pub(crate) fn floor() -> Floor {
    Floor::try_from(0.8).unwrap()
}

pub(crate) fn second(number: u32) -> UnixMicros {
    UnixMicros(i64::from(number) * 1_000_000)
}

/// The number of decisions to the first alarm of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FirstAlarms {
    /// E-AIR: a breach from the beginning.
    pub(crate) lasting: Option<u32>,
    /// The e-process for a breach at any time.
    pub(crate) lifetime: Option<u32>,
}

impl FirstAlarms {
    fn note(&mut self, bets: &Bets, decisions: u32) {
        if self.lasting.is_none() && bets.lasting().reaches(bar()) {
            self.lasting = Some(decisions);
        }
        if self.lifetime.is_none() && bets.breach_e_value().reaches(bar()) {
            self.lifetime = Some(decisions);
        }
    }

    fn complete(&self) -> bool {
        self.lasting.is_some() && self.lifetime.is_some()
    }
}

/// Watches a market after every decision.
pub(crate) fn ratio_alarms(market: &Market, seed: u64) -> FirstAlarms {
    let mut random = Random::seeded(seed);
    let mut blocks = RatioBlocks::new(floor());
    first_alarms(market.decisions, |number| {
        let (side, approved) = market.decision(number, &mut random);
        blocks.add(side, approved)
    })
}

/// Two versions that decide the same applications.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shadow {
    /// By how much the new version widens the gap.
    pub(crate) widening: f64,
    /// The share of applications on which the versions differ by chance, in each direction.
    pub(crate) noise: f64,
    pub(crate) group_share: f64,
    pub(crate) applications: u32,
}

impl Shadow {
    /// The new version turns down a further share of the group, and differs by chance otherwise.
    fn application(&self, random: &mut Random) -> PairedDecision {
        let side = if random.chance(self.group_share) {
            Side::Group
        } else {
            Side::Reference
        };
        let lost = if side == Side::Group {
            self.widening
        } else {
            0.0
        };
        let draw = random.uniform();
        let (stable_approved, new_approved) = if draw < self.noise {
            (false, true)
        } else if draw < 2.0 * self.noise + lost {
            (true, false)
        } else {
            let both = random.chance(0.75);
            (both, both)
        };
        PairedDecision {
            side,
            stable_approved,
            new_approved,
        }
    }
}

/// Watches a shadow after every application.
pub(crate) fn shadow_alarms(shadow: &Shadow, seed: u64) -> FirstAlarms {
    let mut random = Random::seeded(seed);
    let mut blocks = PairedBlocks::new(Tolerance::try_from(0.02).unwrap());
    first_alarms(shadow.applications, |_| {
        blocks.add(shadow.application(&mut random))
    })
}

/// Bets on each block that `next` closes, until both kinds have alarmed.
pub(crate) fn first_alarms(
    decisions: u32,
    mut next: impl FnMut(u32) -> Option<Payoffs>,
) -> FirstAlarms {
    let mut bets = Bets::new(Starts::Lifetime);
    let mut alarms = FirstAlarms::default();
    for number in 0..decisions {
        if let Some(payoffs) = next(number) {
            bets.add(&payoffs);
            alarms.note(&bets, number + 1);
            if alarms.complete() {
                break;
            }
        }
    }
    alarms
}

/// The share of streams with an alarm.
pub(crate) fn share(alarms: &[Option<u32>]) -> f64 {
    alarms.iter().flatten().count() as f64 / alarms.len() as f64
}

/// The middle of the numbers of decisions; a stream without an alarm counts as longer than any.
pub(crate) fn median(alarms: &[Option<u32>]) -> u32 {
    let mut decisions: Vec<u32> = alarms
        .iter()
        .map(|alarm| alarm.unwrap_or(u32::MAX))
        .collect();
    decisions.sort_unstable();
    decisions[decisions.len() / 2]
}

/// Five percent and three standard errors of a share among `streams`.
pub(crate) fn accepted_share(streams: u64) -> f64 {
    0.05 + 3.0 * (0.05 * 0.95 / streams as f64).sqrt()
}
