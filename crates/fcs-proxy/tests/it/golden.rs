//! The numbers of numpy and surgeo over made-up tables, made by `tests/golden/generate.py`.

use fcs_proxy::{Files, Method, Tables, Unplaced};
use serde::Deserialize;

use crate::support::{files, place};

#[derive(Deserialize)]
struct Golden {
    compared_with_surgeo: usize,
    bisg: String,
    bifsg: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    surname: String,
    first_name: Option<String>,
    place: String,
    basis: String,
    probabilities: Option<[f64; 6]>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/golden.json")).unwrap()
}

#[test]
fn probabilities_are_those_of_numpy_and_surgeo() {
    let golden = golden();
    assert!(golden.compared_with_surgeo > 50);
    let tables = Tables::read(&files()).unwrap();
    for case in golden.cases {
        let name = format!("{} {:?} {}", case.surname, case.first_name, case.place);
        let found = place(
            &tables,
            &case.surname,
            case.first_name.as_deref(),
            &case.place,
        );
        let Some(expected) = case.probabilities else {
            let reason = match case.basis.as_str() {
                "unknown" => Unplaced::Unknown,
                "contradiction" => Unplaced::Contradiction,
                other => panic!("{other}"),
            };
            assert_eq!(found, Err(reason), "{name}");
            continue;
        };
        let found = found.unwrap();
        assert_eq!(found.basis.to_string(), case.basis, "{name}");
        for (own, expected) in found.probabilities.iter().zip(expected) {
            assert!((own - expected).abs() < 1e-14, "{name}: {found:?}");
        }
    }
}

#[test]
fn the_version_is_the_digest_of_the_tables_that_are_used() {
    let golden = golden();
    let bifsg = Tables::read(&files()).unwrap();
    assert_eq!(
        (bifsg.method(), bifsg.version()),
        (Method::Bifsg, golden.bifsg.as_str())
    );
    let bisg = Tables::read(&Files {
        first_names: None,
        ..files()
    });
    let bisg = bisg.unwrap();
    assert_eq!(
        (bisg.method(), bisg.version()),
        (Method::Bisg, golden.bisg.as_str())
    );
    let fewer = Tables::read(&Files {
        zctas: None,
        ..files()
    });
    assert_ne!(fewer.unwrap().version(), bifsg.version());
}

#[test]
fn without_a_table_of_first_names_they_are_not_looked_up() {
    let tables = Tables::read(&Files {
        first_names: None,
        ..files()
    });
    let tables = tables.unwrap();
    let found = place(&tables, "Arden", Some("Mary"), "05401");
    assert_eq!(found, place(&tables, "Arden", None, "05401"));
}
