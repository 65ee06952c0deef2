//! How names are written before they are looked up.
//!
//! The rules are those of the Consumer Financial Protection Bureau's published method (2014, appendix and
//! the scripts that came with it): upper case; apostrophes fall away, so that O'LEARY is OLEARY; other
//! characters that are neither letters nor hyphens separate words; suffixes and degrees fall away as words
//! of their own, and so do single letters, which are mostly initials; what is left is written without
//! spaces; of a hyphenated surname the first two parts are names, and the first that the table holds counts.
//!
//! One rule is added: letters lose their accents, because the tables are written without, and names such as
//! NUÑEZ would be unknown more often than others.

use unicode_normalization::UnicodeNormalization;

/// Words that are not part of a name.
const SUFFIXES: [&str; 8] = ["JR", "SR", "II", "III", "IV", "DDS", "MD", "PHD"];

/// The spellings of a surname to look up, the first that is known counts; empty if it holds no name.
pub fn surname(text: &str) -> Vec<String> {
    let joined = words(text).concat();
    let parts = joined.split('-').filter(|part| !part.is_empty());
    parts.take(2).map(str::to_owned).collect()
}

/// The spellings of a first name to look up, the first that is known counts: all its words together, then
/// the first alone. MARY ANN is MARYANN, then MARY; JEAN-PAUL is JEANPAUL, then JEAN.
pub fn first_name(text: &str) -> Vec<String> {
    let words = words(&text.replace('-', " "));
    let mut spellings = vec![words.concat()];
    if let [first, _, ..] = words.as_slice() {
        spellings.push(first.clone());
    }
    spellings.retain(|spelling| !spelling.is_empty());
    spellings
}

/// The spelling of a name of a table: its letters. `None` if there are none.
pub fn of_table(text: &str) -> Option<String> {
    let letters: String = plain(text).filter(char::is_ascii_alphabetic).collect();
    (!letters.is_empty()).then_some(letters)
}

/// The words that are part of a name; hyphens stay within.
fn words(text: &str) -> Vec<String> {
    let spaced: String = plain(text)
        .filter(|letter| !matches!(letter, '\'' | '’' | '‘'))
        .map(|letter| match letter {
            'A'..='Z' | '-' => letter,
            _ => ' ',
        })
        .collect();
    let is_name =
        |word: &&str| !SUFFIXES.contains(word) && (word.len() > 1 || word.starts_with('-'));
    let words = spaced.split_ascii_whitespace().filter(is_name);
    words.map(str::to_owned).collect()
}

/// Upper case, without accents.
fn plain(text: &str) -> impl Iterator<Item = char> {
    let is_accent = |letter: &char| matches!(letter, '\u{300}'..='\u{36f}');
    text.nfd()
        .filter(move |letter| !is_accent(letter))
        .flat_map(char::to_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surnames_follow_the_published_rules() {
        for (text, expected) in [
            ("smith", &["SMITH"][..]),
            ("  Smith, Jr. ", &["SMITH"]),
            ("Smith III", &["SMITH"]),
            ("O'Leary", &["OLEARY"]),
            ("O’Leary", &["OLEARY"]),
            ("De La Cruz", &["DELACRUZ"]),
            ("Garcia-Lopez", &["GARCIA", "LOPEZ"]),
            ("Garcia - Lopez Sr", &["GARCIA", "LOPEZ"]),
            ("A-B-C", &["A", "B"]),
            ("J Washington", &["WASHINGTON"]),
            ("\"Lee\" 3rd", &["LEERD"]),
            ("Núñez", &["NUNEZ"]),
            ("Jr.", &[]),
            ("", &[]),
            ("-", &[]),
            ("李", &[]),
        ] {
            assert_eq!(surname(text), expected, "{text:?}");
        }
    }

    #[test]
    fn first_names_are_sought_whole_and_by_their_first_word() {
        for (text, expected) in [
            ("Mary", &["MARY"][..]),
            ("Mary Ann", &["MARYANN", "MARY"]),
            ("Jean-Paul", &["JEANPAUL", "JEAN"]),
            ("José M.", &["JOSE"]),
            ("J.", &[]),
        ] {
            assert_eq!(first_name(text), expected, "{text:?}");
        }
    }

    #[test]
    fn names_of_tables_are_their_letters() {
        assert_eq!(of_table("De la Cruz"), Some("DELACRUZ".to_owned()));
        assert_eq!(
            of_table("MD"),
            Some("MD".to_owned()),
            "no suffix in a table"
        );
        assert_eq!(of_table("12 "), None);
    }
}
