//! Texts of the reasons by language and by the day from which they are in force.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::application::is_language;
use crate::calendar::Day;
use crate::manifest::Reason;

/// Approved texts in one language.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Language tag, for example `en` or `es-MX`.
    pub language: String,
    /// Version, kept in every record; unique within the language.
    pub version: String,
    /// The first day on which it is in force; it is followed by the next one of its language.
    pub effective_from: Day,
    /// Reason code to text: every code of the reason map.
    pub texts: BTreeMap<String, String>,
}

/// The catalogue that the texts of a record come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextSource {
    /// Language tag.
    pub language: String,
    /// Version of the catalogue.
    pub version: String,
}

/// There are no texts for a language or for a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTexts {
    /// The package has no texts in the language.
    #[error("there are no reason texts in {language:?}; there are {}", known.join(", "))]
    Language {
        /// The language that was asked for.
        language: String,
        /// The languages of the package.
        known: Vec<String>,
    },
    /// The first catalogue of the language is of a later day.
    #[error("the reason texts in {language:?} are in force from {from} on, not on {day}")]
    Day {
        /// The language.
        language: String,
        /// First day of its first catalogue.
        from: Day,
        /// The day of the decision.
        day: Day,
    },
}

/// The catalogue for a language on a day; `None` without a language means the first language of the list. A region
/// without texts of its own (`es-MX`) gets those of its language (`es`).
pub fn choose<'a>(
    catalogues: &'a [Catalogue],
    language: Option<&str>,
    day: Day,
) -> Result<&'a Catalogue, NoTexts> {
    let wanted = match (language, catalogues.first()) {
        (Some(language), _) => language,
        (None, Some(first)) => first.language.as_str(),
        (None, None) => "",
    };
    let general = wanted.split('-').next().unwrap_or(wanted);
    let has = |language: &str| catalogues.iter().any(|it| it.language == language);
    let language = [wanted, general].into_iter().find(|language| has(language));
    let Some(language) = language else {
        let known: BTreeSet<&str> = catalogues.iter().map(|it| it.language.as_str()).collect();
        return Err(NoTexts::Language {
            language: wanted.to_owned(),
            known: known.into_iter().map(str::to_owned).collect(),
        });
    };
    let own = || catalogues.iter().filter(|it| it.language == language);
    let in_force = own()
        .filter(|it| it.effective_from <= day)
        .max_by_key(|it| it.effective_from);
    in_force.ok_or_else(|| NoTexts::Day {
        language: language.to_owned(),
        from: own().map(|it| it.effective_from).min().unwrap_or(day),
        day,
    })
}

/// Adds everything that is wrong with the catalogues of a manifest.
pub(crate) fn check(
    catalogues: &[Option<Catalogue>],
    reasons: &[Option<Reason>],
    problems: &mut Vec<String>,
) {
    let mut versions = BTreeSet::new();
    let mut days = BTreeSet::new();
    for (index, catalogue) in catalogues.iter().enumerate() {
        let Some(catalogue) = catalogue else { continue };
        let mut add = |problem: &str| problems.push(format!("catalogues[{index}].{problem}"));
        if !is_language(&catalogue.language) {
            add("language: must be a language tag, for example \"en\" or \"es-MX\"");
        }
        if catalogue.version.trim().is_empty() {
            add("version: must not be empty");
        }
        if !versions.insert((&catalogue.language, &catalogue.version)) {
            add("version: occurs twice in this language");
        }
        if !days.insert((&catalogue.language, catalogue.effective_from)) {
            add("effective_from: another catalogue of this language begins on this day");
        }
        // A reason that could not be read might be one of these.
        let all_read = reasons.iter().all(Option::is_some);
        for code in catalogue.texts.keys() {
            if all_read && !reasons.iter().flatten().any(|reason| reason.code == *code) {
                add(&format!("texts.{code}: is not in [[reasons]]"));
            }
        }
        for reason in reasons.iter().flatten() {
            let text = catalogue.texts.get(&reason.code);
            if text.is_none_or(|text| text.trim().is_empty()) {
                add(&format!("texts.{}: missing", reason.code));
            }
        }
    }
}
