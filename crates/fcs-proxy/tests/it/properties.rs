//! What holds for any person.

use fcs_proxy::{Place, Tables, name};
use proptest::prelude::*;

use crate::support::{files, place};

fn surname() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[A-Za-zÀ-ž' .,-]{0,20}",
        proptest::sample::select(vec!["Arden", "BELLOW", "cordera-ovale", "Dinhai", "Wholly"])
            .prop_map(str::to_owned),
    ]
}

fn code() -> impl Strategy<Value = String> {
    let known = vec!["05401", "10027", "010010201001", "01001020200", "99999", ""];
    proptest::sample::select(known).prop_map(str::to_owned)
}

proptest! {
    #[test]
    fn probabilities_are_one_together(
        surname in surname(),
        first_name in proptest::option::of(surname()),
        code in code(),
    ) {
        let tables = Tables::read(&files()).unwrap();
        if let Ok(placed) = place(&tables, &surname, first_name.as_deref(), &code) {
            let sum: f64 = placed.probabilities.iter().sum();
            prop_assert!((sum - 1.0).abs() < 1e-12);
            prop_assert!(placed.probabilities.iter().all(|own| (0.0..=1.0).contains(own)));
            prop_assert!(placed.basis.surname || placed.basis.place.is_some());
        }
    }

    #[test]
    fn case_spaces_and_suffixes_change_no_surname(words in "[A-Za-z]{2,9}( [A-Za-z]{4,9})?") {
        let expected = name::surname(&words);
        for other in [
            words.to_lowercase(),
            words.to_uppercase(),
            format!("  {words} "),
            format!("{words} Jr."),
            format!("{words}, PhD"),
        ] {
            prop_assert_eq!(name::surname(&other), expected.clone(), "{}", other);
        }
    }

    #[test]
    fn spellings_are_letters(text in any::<String>()) {
        for spelling in [name::surname(&text), name::first_name(&text)].concat() {
            prop_assert!(!spelling.is_empty());
            prop_assert!(spelling.bytes().all(|byte| byte.is_ascii_uppercase()));
        }
    }

    #[test]
    fn any_digits_are_a_place_or_refused_and_never_said(text in "[0-9]{3,16}") {
        let said = match Place::read(&text) {
            Ok(place) => format!("{place:?}"),
            Err(error) => error.to_string(),
        };
        prop_assert!(!said.contains(&text), "{}", said);
    }

    #[test]
    fn any_bytes_are_a_table_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let header = b"name,pctwhite,pctblack,pctapi,pctaian,pct2prace,pcthispanic\n";
        let bytes = [header, bytes.as_slice()].concat();
        let _ = Tables::read(&fcs_proxy::Files { surnames: &bytes, ..files() });
    }
}
