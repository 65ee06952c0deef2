use fcs_proxy::{Files, Person, Place, Placed, Tables, Unplaced};

/// The made-up tables beside the golden numbers.
pub(crate) fn files() -> Files<'static> {
    Files {
        surnames: include_bytes!("../golden/tables/surnames.csv"),
        first_names: Some(include_bytes!("../golden/tables/first_names.csv")),
        block_groups: Some(include_bytes!("../golden/tables/block_groups.csv")),
        tracts: Some(include_bytes!("../golden/tables/tracts.csv")),
        zctas: Some(include_bytes!("../golden/tables/zctas.csv")),
    }
}

pub(crate) fn place(
    tables: &Tables,
    surname: &str,
    first_name: Option<&str>,
    code: &str,
) -> Result<Placed, Unplaced> {
    tables.probabilities(&Person {
        surname,
        first_name,
        place: Place::read(code).unwrap().as_ref(),
    })
}
