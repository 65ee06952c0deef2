//! Readers of the tables behind probabilities of groups.

use fcs_proxy::{Files, Person, Place, Tables};

const SURNAMES: &[u8] =
    b"name,pctwhite,pctblack,pctapi,pctaian,pct2prace,pcthispanic\nARDEN,70,20,2,2,2,(S)\n";
const PLACES: &[u8] =
    b"geography,white,black,api,aian,multiracial,hispanic\n05401,213,98,11,8,6,7\n";

/// Bytes as each kind of table in turn. Of tables that can be read, the probabilities of a person are 1 together.
pub(crate) fn tables(bytes: &[u8]) {
    let usual = Files {
        surnames: SURNAMES,
        zctas: Some(PLACES),
        ..Files::default()
    };
    for files in [
        Files {
            surnames: bytes,
            ..usual
        },
        Files {
            first_names: Some(bytes),
            ..usual
        },
        Files {
            zctas: Some(bytes),
            ..usual
        },
    ] {
        if let Ok(tables) = Tables::read(&files) {
            people(&tables);
        }
    }
}

fn people(tables: &Tables) {
    let place = Place::read("05401").expect("five digits are a ZIP code");
    for (surname, place) in [
        ("Arden", place.as_ref()),
        ("Arden", None),
        ("Nobody", place.as_ref()),
    ] {
        let person = Person {
            surname,
            first_name: Some("Mary"),
            place,
        };
        if let Ok(placed) = tables.probabilities(&person) {
            let sum: f64 = placed.probabilities.iter().sum();
            assert!(
                (sum - 1.0).abs() < 1e-9,
                "the probabilities add up to {sum}"
            );
            assert!(placed.probabilities.iter().all(|own| *own >= 0.0));
        }
    }
}
