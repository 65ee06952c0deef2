//! The sample reasons of Regulation B: 12 CFR part 1002, appendix C, form C-1, part I, in their order. The regulation
//! does not number them; the numbers here are their places.

/// Sample reasons 1 to 23; the twenty-fourth, "Other, specify", has no text of its own.
pub const SAMPLE_REASONS: [&str; 23] = [
    "Credit application incomplete",
    "Insufficient number of credit references provided",
    "Unacceptable type of credit references provided",
    "Unable to verify credit references",
    "Temporary or irregular employment",
    "Unable to verify employment",
    "Length of employment",
    "Income insufficient for amount of credit requested",
    "Excessive obligations in relation to income",
    "Unable to verify income",
    "Length of residence",
    "Temporary residence",
    "Unable to verify residence",
    "No credit file",
    "Limited credit experience",
    "Poor credit performance with us",
    "Delinquent past or present credit obligations with others",
    "Collection action or judgment",
    "Garnishment or attachment",
    "Foreclosure or repossession",
    "Bankruptcy",
    "Number of recent inquiries on credit bureau report",
    "Value or type of collateral not sufficient",
];

/// The text of a sample reason by its code, `C1-01` to `C1-23`.
pub fn sample_reason(code: &str) -> Option<&'static str> {
    let digits = code.strip_prefix("C1-")?;
    let is_place = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let place: usize = digits.parse().ok().filter(|_| is_place)?;
    SAMPLE_REASONS.get(place.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_places_in_the_form() {
        assert_eq!(
            sample_reason("C1-01"),
            Some("Credit application incomplete")
        );
        assert_eq!(sample_reason("C1-14"), Some("No credit file"));
        assert_eq!(
            sample_reason("C1-23"),
            Some("Value or type of collateral not sufficient")
        );
        for unknown in ["C1-00", "C1-24", "C1-1", "C1-+1", "C1-001", "01", ""] {
            assert_eq!(sample_reason(unknown), None, "{unknown:?}");
        }
    }
}
