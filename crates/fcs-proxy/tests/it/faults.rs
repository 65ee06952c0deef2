//! Tables that cannot be read say where, and not what.

use fcs_proxy::{Files, InvalidTables, Tables};

use crate::support::files;

const PERCENT: &str = "pctwhite,pctblack,pctapi,pctaian,pct2prace,pcthispanic";
const COUNTS: &str = "geography,white,black,api,aian,multiracial,hispanic";

fn fault(files: &Files<'_>) -> String {
    match Tables::read(files) {
        Ok(_) => panic!("no fault"),
        Err(error) => error.to_string(),
    }
}

fn of_surnames(header: &str, rows: &str) -> String {
    let text = format!("{header}\n{rows}\n");
    fault(&Files {
        surnames: text.as_bytes(),
        ..files()
    })
}

#[test]
fn a_faulty_table_of_surnames_names_line_and_column() {
    let header = format!("name,{PERCENT}");
    let good = "ARDEN,70,20,2,2,2,4";
    for (rows, expected) in [
        (
            "ARDEN,70,x,2,2,2,4",
            "surnames.csv line 2, column pctblack: is neither a percentage from 0 to 100 nor (S)",
        ),
        (
            "ARDEN,70,20,2,2,2,104",
            "surnames.csv line 2, column pcthispanic: is neither a percentage from 0 to 100 nor (S)",
        ),
        (
            "ARDEN,70,nan,2,2,2,4",
            "surnames.csv line 2, column pctblack: is neither a percentage from 0 to 100 nor (S)",
        ),
        (
            &format!("{good}\nBELLOW,70,20,2,2,2,1"),
            "surnames.csv line 3: the percentages add up to 97.00, not to 100 within 1",
        ),
        (
            "ARDEN,70,30,2,(S),2,4",
            "surnames.csv line 2: the percentages add up to 108.00, not to 100 within 1",
        ),
        (
            &format!("{good}\nArden,70,20,2,2,2,4"),
            "surnames.csv line 3, column name: stands in an earlier row already",
        ),
        (
            "7,70,20,2,2,2,4",
            "surnames.csv line 2, column name: has no letter",
        ),
        (
            "ARDEN,70,20",
            "surnames.csv line 2: the row has 3 of the header's 7 cells",
        ),
        ("", "surnames.csv: there are no rows"),
    ] {
        assert_eq!(of_surnames(&header, rows), expected);
    }
    assert_eq!(
        of_surnames("name,pctwhite", "ARDEN,70"),
        "surnames.csv: no column is called pctblack"
    );
    assert_eq!(
        of_surnames(&format!("{header},NAME"), "ARDEN,70,20,2,2,2,4,ARDEN"),
        "surnames.csv: two columns are called name"
    );
    let latin_1 = [header.as_bytes(), b"\nN\xdaNEZ,70,20,2,2,2,4\n"].concat();
    let found = fault(&Files {
        surnames: &latin_1,
        ..files()
    });
    assert_eq!(found, "surnames.csv line 2: the text is not UTF-8");
}

#[test]
fn a_faulty_table_of_first_names_names_line_and_column() {
    for (text, expected) in [
        (
            format!("firstname,obs,{PERCENT}\nMARY,\"1,200\",70,20,2,2,2,4\n"),
            "first_names.csv line 2, column obs: is no number of people: 0 or more, without separators",
        ),
        (
            format!("firstname,{PERCENT}\nMARY,70,20,2,2,2,4\n"),
            "first_names.csv: no column is called obs or count",
        ),
    ] {
        let found = fault(&Files {
            first_names: Some(text.as_bytes()),
            ..files()
        });
        assert_eq!(found, expected);
    }
}

#[test]
fn a_faulty_table_of_places_names_line_and_column() {
    for (rows, expected) in [
        (
            "5401,1,1,1,1,1,1",
            "zctas.csv line 2, column geography: is no code of 5 digits, nor TOTAL",
        ),
        (
            "05401,1,1,-1,1,1,1",
            "zctas.csv line 2, column api: is no number of people: 0 or more, without separators",
        ),
        (
            "05401,1e308,1e308,1,1,1,1",
            "zctas.csv line 2, column white: is no number of people: 0 or more, without separators",
        ),
        (
            "05401,1,1,1,1,1,1\n05401,1,1,1,1,1,1",
            "zctas.csv line 3, column geography: stands in an earlier row already",
        ),
        (
            "TOTAL,9,9,9,9,9,9\nTOTAL,9,9,9,9,9,9",
            "zctas.csv line 3, column geography: there are two rows TOTAL",
        ),
        (
            "05401,1,1,1,1,1,10\nTOTAL,9,9,9,9,9,9",
            "zctas.csv: the rows hold more people of the column hispanic than the row TOTAL",
        ),
    ] {
        let text = format!("{COUNTS}\n{rows}\n");
        let found = fault(&Files {
            zctas: Some(text.as_bytes()),
            ..files()
        });
        assert_eq!(found, expected);
    }
    let none = Tables::read(&Files {
        block_groups: None,
        tracts: None,
        zctas: None,
        ..files()
    });
    assert_eq!(none.err(), Some(InvalidTables::NoPlaces));
}
