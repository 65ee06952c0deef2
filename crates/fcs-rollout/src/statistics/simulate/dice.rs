/// Numbers that look random and follow from a seed: xoshiro256++ 1.0, Blackman and Vigna (2021), "Scrambled linear
/// pseudorandom number generators", ACM Transactions on Mathematical Software 47 (36), seeded by SplitMix64.
#[derive(Clone, Debug)]
pub struct Dice([u64; 4]);

impl Dice {
    /// The dice of one rollout among those of a seed. Whoever throws them in whatever order, they fall alike.
    pub fn of(seed: u64, rollout: u64) -> Self {
        let mut mixed = seed;
        let mut state = split_mix(&mut mixed) ^ rollout;
        Self(std::array::from_fn(|_| split_mix(&mut state)))
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// A number above 0 and below 1.
    pub fn unit(&mut self) -> f64 {
        const STEPS: f64 = 9_007_199_254_740_992.0;
        ((self.next() >> 11) as f64 + 0.5) / STEPS
    }

    /// How many events happen of which `mean` are expected; 0 for a mean that is not above 0.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        const MULTIPLIED_MAX: f64 = 10.0;
        if mean <= 0.0 || !mean.is_finite() {
            0
        } else if mean < MULTIPLIED_MAX {
            self.poisson_by_multiplication(mean)
        } else {
            self.poisson_by_rejection(mean)
        }
    }

    /// Knuth's way: how many uniform numbers can be multiplied until the product is below `e^-mean`.
    fn poisson_by_multiplication(&mut self, mean: f64) -> u64 {
        let bar = libm::exp(-mean);
        let (mut events, mut product) = (0, self.unit());
        while product > bar {
            product *= self.unit();
            events += 1;
        }
        events
    }

    /// PTRS: Hörmann (1993), "The transformed rejection method for generating Poisson random variables",
    /// Insurance: Mathematics and Economics 12, 39-45; for means of at least 10.
    fn poisson_by_rejection(&mut self, mean: f64) -> u64 {
        let b = 0.931 + 2.53 * mean.sqrt();
        let a = -0.059 + 0.024_83 * b;
        let ln_inverse_alpha = libm::log(1.123_9 + 1.132_8 / (b - 3.4));
        let sure = 0.927_7 - 3.622_4 / (b - 2.0);
        let ln_mean = libm::log(mean);
        loop {
            let (u, v) = (self.unit() - 0.5, self.unit());
            let edge = 0.5 - u.abs();
            let events = libm::floor((2.0 * a / edge + b) * u + mean + 0.43);
            if edge >= 0.07 && v <= sure {
                return whole(events);
            }
            if events < 0.0 || (edge < 0.013 && v > edge) {
                continue;
            }
            let hat = libm::log(v) + ln_inverse_alpha - libm::log(a / (edge * edge) + b);
            if hat <= events * ln_mean - mean - libm::lgamma(events + 1.0) {
                return whole(events);
            }
        }
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float keeps within the range of the integer, which is what is wanted"
)]
fn whole(events: f64) -> u64 {
    events as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers that the authors' own programs give.
    #[test]
    fn the_generators_are_the_published_ones() {
        let mut dice = Dice([1, 2, 3, 4]);
        for expected in [
            41_943_041,
            58_720_359,
            3_588_806_011_781_223,
            3_591_011_842_654_386,
            9_228_616_714_210_784_205,
        ] {
            assert_eq!(dice.next(), expected);
        }
        let mut state = 1_477_776_061_723_855_037;
        for expected in [
            1_985_237_415_132_408_290,
            2_979_275_885_539_914_483,
            13_511_426_838_097_143_398,
        ] {
            assert_eq!(split_mix(&mut state), expected);
        }
    }

    #[test]
    fn dice_of_different_rollouts_fall_differently() {
        let first = |seed, rollout| Dice::of(seed, rollout).next();
        assert_eq!(first(1, 2), first(1, 2));
        assert_ne!(first(1, 2), first(1, 3));
        assert_ne!(first(1, 2), first(2, 2));
        assert_ne!(first(1, 2), first(2, 1));
    }

    /// Against the probabilities of the Poisson distribution: of every number of events that is expected at least
    /// 30 times in 100,000 throws, within five standard errors.
    #[test]
    fn events_have_the_poisson_distribution() {
        const THROWS: u32 = 100_000;
        let mut dice = Dice::of(7, 0);
        for mean in [0.05, 1.0, 9.9, 10.0, 40.0, 3_000.0] {
            let mut seen = std::collections::BTreeMap::<u64, u32>::new();
            for _ in 0..THROWS {
                *seen.entry(dice.poisson(mean)).or_default() += 1;
            }
            let chance = |events: u64| {
                let k = events as f64;
                (k * mean.ln() - mean - libm::lgamma(k + 1.0)).exp()
            };
            let mut checked = 0.0;
            for events in 0..4_000 {
                let expected = chance(events) * f64::from(THROWS);
                if expected < 30.0 {
                    continue;
                }
                let found = f64::from(seen.get(&events).copied().unwrap_or_default());
                assert!(
                    (found - expected).abs() < 5.0 * expected.sqrt(),
                    "{mean} {events}"
                );
                checked += chance(events);
            }
            assert!(checked > 0.95, "{mean} {checked}");
        }
        for nothing in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(dice.poisson(nothing), 0);
        }
    }
}
