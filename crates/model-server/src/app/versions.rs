//! The order of versions: which one is the highest.

use std::cmp::Ordering;

/// Compares two versions piece by piece: runs of digits as numbers, everything else as text, a number before
/// a text, a beginning before what goes on. So "2" < "10", "1.9" < "1.10" and "1.0" < "1.0-rc1": a suffix has no
/// meaning of its own.
pub fn compare(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left, right);
    loop {
        let order = match (left.is_empty(), right.is_empty()) {
            (true, true) => return Ordering::Equal,
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {
                let (first, second) = (take_piece(&mut left), take_piece(&mut right));
                compare_pieces(first, second)
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Takes the digits, or what is not digits, from the start.
fn take_piece<'a>(text: &mut &'a str) -> &'a str {
    let is_number = starts_with_digit(text);
    let end = text
        .bytes()
        .position(|byte| byte.is_ascii_digit() != is_number)
        .unwrap_or(text.len());
    let (piece, rest) = text.split_at(end);
    *text = rest;
    piece
}

fn compare_pieces(left: &str, right: &str) -> Ordering {
    match (starts_with_digit(left), starts_with_digit(right)) {
        (true, true) => {
            // Without leading zeros the longer number is the greater one, however long they are.
            let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
            left.len().cmp(&right.len()).then_with(|| left.cmp(right))
        }
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => left.cmp(right),
    }
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_count_as_numbers() {
        let ascending = [
            "1",
            "1.0",
            "1.0-rc1",
            "1.9",
            "1.10",
            "2",
            "10",
            "99999999999999999999999",
            "v1",
        ];
        for pair in ascending.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
        assert_eq!(compare("01", "1"), Ordering::Equal);
    }

    proptest! {
        #[test]
        fn is_an_order(a in "[0-9a-c.]{0,6}", b in "[0-9a-c.]{0,6}", c in "[0-9a-c.]{0,6}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
        }

        #[test]
        fn agrees_with_numbers(a: u64, b: u64) {
            prop_assert_eq!(compare(&a.to_string(), &b.to_string()), a.cmp(&b));
        }
    }
}
