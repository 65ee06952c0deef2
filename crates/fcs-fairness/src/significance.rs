//! Tests of equal approval rates. Each is valid for one look at a sample whose size was fixed
//! beforehand; repeated while decisions arrive, each sees differences where there are none.

use statrs::function::gamma::checked_gamma_ur;

use crate::Undefined;
use crate::parity::selections;
use crate::tally::Tally;
use crate::undefined::Test;

/// Two probabilities count as equal within this relative distance, so that the mirror image of a
/// table is not lost to rounding (R's `fisher.test` uses the same).
const TIE_TOLERANCE: f64 = 1e-7;

/// Weights below this share of the largest count as zero. Smaller numbers would round to themselves when
/// multiplied by almost one, so a walk would never end.
const SMALLEST: f64 = f64::MIN_POSITIVE;

/// Weights below this share of the observed table's change no digit of its p-value.
const NEGLIGIBLE: f64 = 1e-24;

/// The most decisions for the exact test: some million steps.
const EXACT_MAX: f64 = 1e10;

/// A table of two rows (group, reference) and two columns (approved, not approved).
#[derive(Clone, Copy)]
struct Fourfold {
    group: [i64; 2],
    reference: [i64; 2],
}

impl Fourfold {
    fn new(group: &Tally, reference: &Tally) -> Result<Self, Undefined> {
        let row = |tally: &Tally| -> Result<[i64; 2], Undefined> {
            selections(tally)?;
            Ok([tally.approved.total(), tally.declined().total()])
        };
        Ok(Self {
            group: row(group)?,
            reference: row(reference)?,
        })
    }

    /// Sizes of both rows, sizes of both columns, and the whole.
    fn margins(&self) -> ([f64; 2], [f64; 2], f64) {
        let rows = [sum(self.group), sum(self.reference)];
        let column = |index: usize| self.group[index] as f64 + self.reference[index] as f64;
        (rows, [column(0), column(1)], rows[0] + rows[1])
    }
}

fn sum(row: [i64; 2]) -> f64 {
    row[0] as f64 + row[1] as f64
}

/// Fisher's exact test, two-sided by the sum of all tables that are at most as probable.
///
/// Fisher, R. A. (1935), "The logic of inductive inference", Journal of the Royal Statistical Society
/// 98, 39-82. Practice takes it for small numbers (an expected count below 5); 29 CFR 1607.4(D).
///
/// Hypergeometric weights are multiplied outwards from the most probable table, so no logarithm of a
/// factorial is needed and no digits cancel. Weights below 10^-24 of the observed table's, or below
/// 10^-307 of the largest, count as zero: there are fewer than 10^6 within reach of either, so no digit
/// of the result depends on them.
/// Undefined beyond 10^10 decisions.
pub fn fisher_exact(group: &Tally, reference: &Tally) -> Result<Test, Undefined> {
    let table = Fourfold::new(group, reference)?;
    let ([drawn, _], [approved, declined], total) = table.margins();
    if total > EXACT_MAX {
        return Err(Undefined::TooLarge);
    }
    let observed = table.group[0] as f64;
    let least = (drawn - declined).max(0.0);
    let most = drawn.min(approved);
    let mode = ((drawn + 1.0) * (approved + 1.0) / (total + 2.0))
        .floor()
        .clamp(least, most);
    // The weight at k + 1 over the weight at k.
    let step = |k: f64| (approved - k) * (drawn - k) / ((k + 1.0) * (declined - drawn + k + 1.0));
    let walk = Walk {
        observed,
        mode,
        ends: [least, most],
    };
    let weight = walk.weight_of_observed(step);
    let (tail, all) = walk.sums(step, weight * (1.0 + TIE_TOLERANCE));
    Ok(Test {
        statistic: None,
        p_value: (tail / all).min(1.0),
    })
}

/// A way from the most probable count to both ends.
struct Walk {
    observed: f64,
    mode: f64,
    ends: [f64; 2],
}

impl Walk {
    /// The weight of the observed count, that of the mode being 1.
    fn weight_of_observed(&self, step: impl Fn(f64) -> f64) -> f64 {
        let (mut weight, mut k) = (1.0, self.mode);
        while k < self.observed && weight >= SMALLEST {
            weight *= step(k);
            k += 1.0;
        }
        while k > self.observed && weight >= SMALLEST {
            k -= 1.0;
            weight /= step(k);
        }
        weight
    }

    /// The sum of the weights that are at most `limit`, and of all.
    fn sums(&self, step: impl Fn(f64) -> f64, limit: f64) -> (f64, f64) {
        let negligible = (limit * NEGLIGIBLE).max(SMALLEST);
        let mut sums = (0.0, 0.0);
        let mut count = |weight: f64| {
            sums.1 += weight;
            if weight <= limit {
                sums.0 += weight;
            }
        };
        count(1.0);
        let (mut weight, mut k) = (1.0, self.mode);
        while k < self.ends[1] && weight >= negligible {
            weight *= step(k);
            k += 1.0;
            count(weight);
        }
        (weight, k) = (1.0, self.mode);
        while k > self.ends[0] && weight >= negligible {
            k -= 1.0;
            weight /= step(k);
            count(weight);
        }
        sums
    }
}

/// Pearson's chi-square test of one group with the reference group; one degree of freedom, without
/// the correction for continuity.
///
/// Pearson, K. (1900), Philosophical Magazine 50, 157-175. scipy: `chi2_contingency(correction=False)`.
/// Undefined if everybody or nobody was approved.
pub fn chi_square(group: &Tally, reference: &Tally) -> Result<Test, Undefined> {
    let statistic = pooled_z(&Fourfold::new(group, reference)?)?.powi(2);
    Ok(Test {
        statistic: Some(statistic),
        p_value: chi_square_tail(1.0, statistic)?,
    })
}

/// The two-proportion z test with the pooled variance; negative when the group is approved less
/// often. Its square is [`chi_square`]. statsmodels: `proportions_ztest`.
pub fn z_test(group: &Tally, reference: &Tally) -> Result<Test, Undefined> {
    let z = pooled_z(&Fourfold::new(group, reference)?)?;
    two_sided(z)
}

/// The two-standard-deviation test: the distance of the group's approvals from their expectation, in
/// hypergeometric standard deviations, `z sqrt((N - 1) / N)`.
///
/// Castaneda v. Partida, 430 U.S. 482 (1977), footnote 17, and Hazelwood School District v. United
/// States, 433 U.S. 299 (1977): "greater than two or three standard deviations" is suspect.
pub fn two_standard_deviations(group: &Tally, reference: &Tally) -> Result<Test, Undefined> {
    let table = Fourfold::new(group, reference)?;
    let (_, _, total) = table.margins();
    let z = pooled_z(&table)?;
    two_sided(z * ((total - 1.0) / total).sqrt())
}

/// Pearson's chi-square test that all groups are approved at one rate; degrees of freedom are the
/// groups with decisions minus one.
///
/// The smallest expected count should be at least 5. Undefined with fewer than two groups, or if
/// everybody or nobody was approved.
pub fn chi_square_of_all(groups: &[&Tally]) -> Result<Test, Undefined> {
    let mut rows = Vec::with_capacity(groups.len());
    let mut whole = Tally::default();
    for tally in groups.iter().filter(|tally| !tally.is_empty()) {
        rows.push(selections(tally)?);
        whole.merge(tally);
    }
    let rate = selections(&whole)?.rate();
    if rows.len() < 2 {
        return Err(Undefined::NoReferenceGroup);
    }
    if rate <= 0.0 || rate >= 1.0 {
        return Err(Undefined::ZeroDenominator);
    }
    let mut statistic = 0.0;
    for row in &rows {
        let distance = row.selected - row.total * rate;
        statistic += distance * distance / (row.total * rate * (1.0 - rate));
    }
    let freedom = (rows.len() - 1) as f64;
    Ok(Test {
        statistic: Some(statistic),
        p_value: chi_square_tail(freedom, statistic)?,
    })
}

/// The probability that a chi-square variable exceeds `statistic`. With one degree of freedom it is
/// the two-sided tail of the normal distribution; the incomplete gamma function keeps fifteen digits
/// of it, the library's error function only ten.
fn chi_square_tail(freedom: f64, statistic: f64) -> Result<f64, Undefined> {
    if statistic <= 0.0 {
        return Ok(1.0);
    }
    let tail = checked_gamma_ur(freedom / 2.0, statistic / 2.0);
    tail.map(|tail| tail.clamp(0.0, 1.0))
        .map_err(|_| Undefined::NotFinite)
}

fn pooled_z(table: &Fourfold) -> Result<f64, Undefined> {
    let ([group, reference], [approved, declined], total) = table.margins();
    let product = approved * declined;
    if product <= 0.0 {
        return Err(Undefined::ZeroDenominator);
    }
    let difference = table.group[0] as f64 / group - table.reference[0] as f64 / reference;
    let variance = product / (total * total) * (1.0 / group + 1.0 / reference);
    Ok(difference / variance.sqrt())
}

fn two_sided(z: f64) -> Result<Test, Undefined> {
    Ok(Test {
        statistic: Some(z),
        p_value: chi_square_tail(1.0, z * z)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parity::tests::decided;

    #[test]
    fn the_lady_tasting_tea() {
        // Fisher's own table: 3 of 4 and 1 of 4; two-sided 34 / 70.
        let found = fisher_exact(&decided(3, 4), &decided(1, 4)).unwrap();
        assert!((found.p_value - 34.0 / 70.0).abs() < 1e-15, "{found:?}");
    }

    #[test]
    fn equal_rates_are_as_probable_as_anything() {
        let found = fisher_exact(&decided(50, 100), &decided(500, 1000)).unwrap();
        assert!((found.p_value - 1.0).abs() < 1e-12, "{found:?}");
        let all = fisher_exact(&decided(5, 5), &decided(9, 9)).unwrap();
        assert!((all.p_value - 1.0).abs() < 1e-15, "{all:?}");
    }

    #[test]
    fn tables_of_millions_end_and_keep_small_probabilities() {
        let found = fisher_exact(&decided(499_000, 1_000_000), &decided(500_000, 1_000_000));
        assert!((found.unwrap().p_value - 0.1577).abs() < 1e-3);
        let far = fisher_exact(&decided(1_000_000, 2_000_000), &decided(1, 2_000_000));
        assert!(far.unwrap().p_value < 1e-300);
        let endless = fisher_exact(&decided(1 << 50, 1 << 52), &decided(1, 2));
        assert_eq!(endless, Err(Undefined::TooLarge));
    }

    #[test]
    fn the_published_p_value_is_found() {
        // SolasAI's public example: Native American 9 of 20, White 1854 of 3623, p .657.
        let (group, reference) = (decided(9, 20), decided(1854, 3623));
        let fisher = fisher_exact(&group, &reference).unwrap();
        assert!((fisher.p_value - 0.657).abs() < 5e-4, "{fisher:?}");
    }

    #[test]
    fn all_tests_of_two_groups_agree() {
        let (group, reference) = (decided(141, 340), decided(1854, 3623));
        let z = z_test(&group, &reference).unwrap();
        let chi = chi_square(&group, &reference).unwrap();
        let all = chi_square_of_all(&[&group, &reference, &Tally::default()]).unwrap();
        let squared = z.statistic.unwrap().powi(2);
        assert!((squared - chi.statistic.unwrap()).abs() < 1e-12);
        assert!((squared - all.statistic.unwrap()).abs() < 1e-10);
        assert!((z.p_value - all.p_value).abs() < 1e-14);
        let deviations = two_standard_deviations(&group, &reference).unwrap();
        let ratio = deviations.statistic.unwrap() / z.statistic.unwrap();
        assert!((ratio.powi(2) - 3962.0 / 3963.0).abs() < 1e-14);
    }

    #[test]
    fn a_tail_of_nothing_is_all_and_a_far_tail_is_none() {
        assert!((chi_square_tail(1.0, 0.0).unwrap() - 1.0).abs() < 1e-15);
        // 1.96 squared, from a table.
        let familiar = chi_square_tail(1.0, 3.841_458_820_694_124).unwrap();
        assert!((familiar - 0.05).abs() < 1e-15, "{familiar}");
        for far in [1e4, 1e9, 1e300] {
            assert!(chi_square_tail(1.0, far).unwrap() < 1e-300, "{far}");
        }
    }

    #[test]
    fn nothing_can_be_tested_when_all_got_the_same() {
        let (all, more) = (decided(4, 4), decided(9, 9));
        for test in [chi_square, z_test, two_standard_deviations] {
            assert_eq!(test(&all, &more), Err(Undefined::ZeroDenominator));
        }
        assert_eq!(chi_square_of_all(&[&all]), Err(Undefined::NoReferenceGroup));
        assert_eq!(
            fisher_exact(&Tally::default(), &all),
            Err(Undefined::NoDecisions)
        );
    }
}
