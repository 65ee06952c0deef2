//! Names of protected attributes. Scoring refuses them by name, in manifests and in requests.
//!
//! The list covers the prohibited bases of 12 CFR 1002.2(z) and what stands for them in common data sets. It works on
//! names, so it is a guard against mistakes, not a test for proxies; those are found by monitoring.

/// Attributes that protect a name when they occur in it as whole words, in their order.
const ATTRIBUTES: &[&str] = &[
    "age",
    "birth",
    "birth_date",
    "birth_year",
    "birthday",
    "citizenship",
    "color",
    "colour",
    "date_of_birth",
    "disability",
    "disabled",
    "divorced",
    "dob",
    "ethnic",
    "ethnicity",
    "female",
    "gender",
    "hispanic",
    "latino",
    "male",
    "marital",
    "marital_status",
    "marriage",
    "married",
    "national_origin",
    "nationality",
    "political",
    "political_affiliation",
    "political_opinion",
    "politics",
    "pregnancy",
    "pregnant",
    "public_assistance",
    "race",
    "racial",
    "religion",
    "religious",
    "sex",
    "sexual",
    "sexual_orientation",
    "transgender",
    "unmarried",
    "widowed",
    "year_of_birth",
];

/// Attributes that protect a name only when they are all of it: as a part they have other meanings.
const WHOLE_NAMES: &[&str] = &["asian", "black", "single", "white"];

/// The protected attribute that a feature name stands for, if any.
///
/// The name is split into words at every character that is neither letter nor digit, between letters and digits, and
/// at the capitals of camel case; case does not matter. So `applicant_sex`, `ApplicantSex` and `AGE-2` are protected,
/// `usage` and `dosage` are not. A name that is an attribute without its separators (`maritalstatus`) is one too.
/// When several attributes match, the longest is returned.
pub fn protected_attribute(name: &str) -> Option<&'static str> {
    let words = words(name);
    let joined = words.concat();
    let begins = |words: &[String], attribute: &str| {
        let mut words = words.iter();
        attribute
            .split('_')
            .all(|wanted| words.next().is_some_and(|word| word == wanted))
    };
    let contains = |attribute: &str| {
        (0..words.len()).any(|start| begins(&words[start..], attribute))
            || is_without_separators(&joined, attribute)
    };
    let by_word = ATTRIBUTES
        .iter()
        .copied()
        .filter(|attribute| contains(attribute));
    let by_name = WHOLE_NAMES
        .iter()
        .copied()
        .filter(|attribute| joined == *attribute);
    by_word
        .chain(by_name)
        .max_by_key(|attribute| attribute.len())
}

fn is_without_separators(name: &str, attribute: &str) -> bool {
    let letters = attribute.bytes().filter(|letter| *letter != b'_');
    letters.eq(name.bytes())
}

/// The lower-case words of a name.
fn words(name: &str) -> Vec<String> {
    let characters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (index, &character) in characters.iter().enumerate() {
        let previous = index.checked_sub(1).map(|before| characters[before]);
        let next = characters.get(index + 1).copied();
        if previous.is_some_and(|previous| starts_word(previous, character, next)) {
            words.push(String::new());
        }
        if character.is_alphanumeric() {
            let word = words.last_mut().expect("the list starts with one word");
            word.extend(character.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn starts_word(previous: char, character: char, next: Option<char>) -> bool {
    let acronym_ends = previous.is_uppercase() && next.is_some_and(char::is_lowercase);
    !character.is_alphanumeric()
        || !previous.is_alphanumeric()
        || previous.is_numeric() != character.is_numeric()
        || (character.is_uppercase() && (previous.is_lowercase() || acronym_ends))
}

#[cfg(test)]
mod tests {
    use super::protected_attribute;

    #[test]
    fn finds_attributes_in_any_spelling() {
        for (name, attribute) in [
            ("sex", "sex"),
            ("SEX", "sex"),
            ("applicant_sex", "sex"),
            ("ApplicantSex", "sex"),
            ("co-applicant race", "race"),
            ("race2", "race"),
            ("ageBand", "age"),
            ("dateOfBirth", "date_of_birth"),
            ("DATE_OF_BIRTH", "date_of_birth"),
            ("dateofbirth", "date_of_birth"),
            ("birthdate", "birth_date"),
            ("applicantDOB", "dob"),
            ("Marital-Status", "marital_status"),
            ("maritalstatus", "marital_status"),
            ("MARRIAGE", "marriage"),
            ("colour", "colour"),
            ("national.origin", "national_origin"),
            ("nationality", "nationality"),
            ("receives_public_assistance", "public_assistance"),
            ("sexual_orientation", "sexual_orientation"),
            ("political_party", "political"),
            ("disability", "disability"),
            ("pregnancy", "pregnancy"),
            ("religion", "religion"),
            ("gender", "gender"),
            ("ethnicity", "ethnicity"),
            ("black", "black"),
            ("Single", "single"),
        ] {
            assert_eq!(protected_attribute(name), Some(attribute), "{name}");
        }
    }

    #[test]
    fn leaves_other_words_alone() {
        for name in [
            "usage",
            "dosage",
            "mortgage",
            "average_balance",
            "percentage",
            "sextant",
            "racetrack",
            "limit_bal",
            "pay_0",
            "blacklisted",
            "single_payment",
            "debt_to_income",
            "",
            "_",
            "42",
        ] {
            assert_eq!(protected_attribute(name), None, "{name}");
        }
    }
}
