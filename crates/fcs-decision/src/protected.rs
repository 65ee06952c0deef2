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

/// Words of an attribute at most.
const ATTRIBUTE_WORDS_MAX: usize = 3;

/// The protected attribute that a feature name stands for, if any.
///
/// The name is split into words at every character that is neither letter nor digit, between letters and digits, and
/// at the capitals of camel case; case does not matter. So `applicant_sex`, `ApplicantSex` and `AGE-2` are protected,
/// `usage` and `dosage` are not. A name that is an attribute without its separators (`maritalstatus`) is one too.
/// When several attributes match, the longest is returned.
pub fn protected_attribute(name: &str) -> Option<&'static str> {
    let words = Words::of(name);
    let listed = |run: &str| {
        let place = ATTRIBUTES.binary_search(&run).ok()?;
        Some(ATTRIBUTES[place])
    };
    let whole = ATTRIBUTES.iter().chain(WHOLE_NAMES).copied();
    words
        .runs()
        .filter_map(listed)
        .chain(whole.filter(|attribute| words.are_letters_of(attribute)))
        .max_by_key(|attribute| (attribute.len(), *attribute))
}

/// The lower-case words of a name.
struct Words {
    /// With `_` between them.
    text: String,
    /// Where each begins.
    starts: Vec<usize>,
}

impl Words {
    fn of(name: &str) -> Self {
        let mut words = Self {
            text: String::with_capacity(2 * name.len()),
            starts: Vec::new(),
        };
        let mut characters = name.chars().peekable();
        let mut previous = None;
        let mut begins = true;
        while let Some(character) = characters.next() {
            let next = characters.peek().copied();
            begins |= previous.is_some_and(|previous| starts_word(previous, character, next));
            previous = Some(character);
            if !character.is_alphanumeric() {
                continue;
            }
            if std::mem::take(&mut begins) {
                if !words.text.is_empty() {
                    words.text.push('_');
                }
                words.starts.push(words.text.len());
            }
            words.text.extend(character.to_lowercase());
        }
        words
    }

    /// Every run of words that could be an attribute.
    fn runs(&self) -> impl Iterator<Item = &str> {
        let count = self.starts.len();
        (0..count).flat_map(move |first| {
            let ends = first..count.min(first + ATTRIBUTE_WORDS_MAX);
            ends.map(move |last| {
                let end = self.starts.get(last + 1).map(|next| next - 1);
                &self.text[self.starts[first]..end.unwrap_or(self.text.len())]
            })
        })
    }

    /// Whether they are an attribute when nobody looks at separators.
    fn are_letters_of(&self, attribute: &str) -> bool {
        letters(&self.text).eq(letters(attribute))
    }
}

fn letters(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().filter(|letter| *letter != b'_')
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
    use super::*;

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
    fn the_list_can_be_searched() {
        assert!(ATTRIBUTES.is_sorted());
        let words = |attribute: &&str| attribute.split('_').count();
        assert_eq!(
            ATTRIBUTES.iter().map(words).max(),
            Some(ATTRIBUTE_WORDS_MAX)
        );
    }

    #[test]
    fn the_longest_attribute_is_told() {
        assert_eq!(
            protected_attribute("sex_and_marital_status"),
            Some("marital_status")
        );
        assert_eq!(protected_attribute("race_of_male"), Some("race"));
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
