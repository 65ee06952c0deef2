//! Eight numbers side by side: one of each of eight rows.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

use std::array;
use std::ops::{Add, Mul, Sub};

/// How many there are.
pub(super) const LANES: usize = 8;

/// The numbers: a line of a cache, and a vector register of those processors that have such wide ones.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub(super) struct Lanes(pub(super) [f64; LANES]);

impl Lanes {
    pub(super) const ZERO: Self = Self::all(0.0);

    #[inline(always)]
    pub(super) const fn all(number: f64) -> Self {
        Self([number; LANES])
    }
}

/// Some of the lanes: every bit is set in the words of those.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Mask([u64; LANES]);

/// By four bits, the words of their lanes. Made of a byte by instructions, a mask would take longer than two loads.
static HALVES: [[u64; LANES / 2]; 1 << (LANES / 2)] = {
    let mut halves = [[0; LANES / 2]; 1 << (LANES / 2)];
    let mut bits = 0;
    while bits < halves.len() {
        let mut lane = 0;
        while lane < LANES / 2 {
            if bits >> lane & 1 == 1 {
                halves[bits][lane] = u64::MAX;
            }
            lane += 1;
        }
        bits += 1;
    }
    halves
};

impl Mask {
    /// The lanes whose bits are set.
    #[inline(always)]
    pub(super) fn of(bits: u8) -> Self {
        let halves = [bits % 16, bits / 16].map(|bits| &HALVES[usize::from(bits)]);
        Self(array::from_fn(|lane| halves[lane / 4][lane % 4]))
    }

    /// Of these lanes the numbers of `yes`, of the others those of `no`.
    #[inline(always)]
    pub(super) fn pick(self, yes: Lanes, no: Lanes) -> Lanes {
        Lanes(array::from_fn(|lane| {
            let (yes, no) = (yes.0[lane].to_bits(), no.0[lane].to_bits());
            f64::from_bits(no ^ (yes ^ no) & self.0[lane])
        }))
    }
}

impl Add for Lanes {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(array::from_fn(|lane| self.0[lane] + other.0[lane]))
    }
}

impl Sub for Lanes {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(array::from_fn(|lane| self.0[lane] - other.0[lane]))
    }
}

impl Mul for Lanes {
    type Output = Self;

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(array::from_fn(|lane| self.0[lane] * other.0[lane]))
    }
}

/// The same number for each lane.
impl Mul<f64> for Lanes {
    type Output = Self;

    #[inline(always)]
    fn mul(self, factor: f64) -> Self {
        Self(array::from_fn(|lane| self.0[lane] * factor))
    }
}
