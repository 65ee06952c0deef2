//! Searching along a line that holds on one side and not on the other.

/// Halvings until two numbers of 64 bits are neighbours, for any numbers that occur here.
const HALVINGS_MAX: u32 = 200;

/// The last number, going from `inside` to `outside`, at which `is_inside` holds, or `outside` if it holds
/// there too; to the last digits.
pub(super) fn edge(inside: f64, outside: f64, is_inside: impl Fn(f64) -> bool) -> f64 {
    if is_inside(outside) {
        return outside;
    }
    let (mut inside, mut outside) = (inside, outside);
    for _ in 0..HALVINGS_MAX {
        let middle = f64::midpoint(inside, outside);
        if middle.total_cmp(&inside).is_eq() || middle.total_cmp(&outside).is_eq() {
            break;
        }
        if is_inside(middle) {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    inside
}

/// The smallest number from 1 to `limit` at which `is_enough` holds, if it goes on holding from there.
pub(super) fn smallest(limit: u64, is_enough: impl Fn(u64) -> bool) -> Option<u64> {
    let mut enough = 1;
    while !is_enough(enough) {
        if enough >= limit {
            return None;
        }
        enough = enough.saturating_mul(2).min(limit);
    }
    let mut missing = enough / 2;
    while enough - missing > 1 {
        let middle = missing + (enough - missing) / 2;
        if is_enough(middle) {
            enough = middle;
        } else {
            missing = middle;
        }
    }
    Some(enough)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_found_in_both_directions() {
        assert!((edge(0.0, 10.0, |x| x * x <= 2.0) - 2_f64.sqrt()).abs() < 1e-15);
        assert!((edge(0.0, -10.0, |x| x * x <= 2.0) + 2_f64.sqrt()).abs() < 1e-15);
        assert!((edge(0.0, 10.0, |_| true) - 10.0).abs() < f64::EPSILON);
    }

    #[test]
    fn the_smallest_number_is_exact() {
        for expected in 1..70 {
            assert_eq!(
                smallest(64, |n| n >= expected),
                (expected <= 64).then_some(expected)
            );
        }
        assert_eq!(smallest(u64::MAX, |_| false), None);
    }
}
