//! The forms in which a marker may stand in a log, a span or a file.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

/// Stands in every personal text. Lower-case letters and digits stay as they are in URLs, JSON and headers.
pub(crate) const TEXT: &str = "zq7c4n4ry";
/// A personal number that fits the model's schema.
pub(crate) const NUMBER: f64 = 0.317_310_424_291_758;
/// One that does not.
pub(crate) const NUMBER_OUT_OF_RANGE: f64 = 7_310_424_291_758.5;
/// Digits that both share, with an exponent or without.
const DIGITS: &str = "310424291758";
/// An amount of money, which is a text.
pub(crate) const AMOUNT: &str = "90317582649";

/// Places of one form that are shown at most.
const SHOWN_MAX: u32 = 8;

/// Byte strings to look for, each with a name.
pub(crate) struct Forms {
    forms: Vec<(String, Vec<u8>)>,
    /// Places in `forms` by the first two bytes.
    by_start: Vec<Vec<usize>>,
}

impl Forms {
    /// The forms of everything personal that the test sends. Single precision is not among them: four bytes are found
    /// anywhere, and nothing of the product stores them.
    pub(crate) fn personal() -> Self {
        let mut forms = texts("text", TEXT);
        forms.extend(texts("digits", DIGITS));
        forms.extend(texts("amount", AMOUNT));
        for number in [NUMBER, NUMBER_OUT_OF_RANGE] {
            forms.extend(encodings("number, little-endian", &number.to_le_bytes()));
            forms.extend(encodings("number, big-endian", &number.to_be_bytes()));
        }
        Self::new(forms)
    }

    /// The forms of a text.
    pub(crate) fn of(text: &str) -> Self {
        Self::new(texts("text", text))
    }

    fn new(forms: Vec<(String, Vec<u8>)>) -> Self {
        let mut by_start = vec![Vec::new(); 1 << 16];
        for (place, (_, bytes)) in forms.iter().enumerate() {
            by_start[start(bytes)].push(place);
        }
        Self { forms, by_start }
    }

    /// What is found, with what stands around it, each form a few times at most.
    pub(crate) fn found_in(&self, bytes: &[u8]) -> Vec<String> {
        let mut seen = vec![0; self.forms.len()];
        let mut found = Vec::new();
        for at in 0..bytes.len().saturating_sub(1) {
            for &place in &self.by_start[start(&bytes[at..])] {
                let (name, form) = &self.forms[place];
                if seen[place] < SHOWN_MAX && bytes[at..].starts_with(form) {
                    seen[place] += 1;
                    found.push(format!("{name}: {}", around(bytes, at)));
                }
            }
        }
        found
    }
}

fn start(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

fn around(bytes: &[u8], at: usize) -> String {
    let (from, to) = (at.saturating_sub(240), bytes.len().min(at + 120));
    String::from_utf8_lossy(&bytes[from..to]).into_owned()
}

fn texts(name: &str, text: &str) -> Vec<(String, Vec<u8>)> {
    let mut forms = encodings(name, text.as_bytes());
    let upper = text.to_uppercase();
    if upper != text {
        forms.extend(encodings(&format!("{name}, upper case"), upper.as_bytes()));
    }
    let wide = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    forms.push((format!("{name}, UTF-16"), wide));
    forms
}

/// As it is, in hexadecimal, and in base64 wherever it begins.
fn encodings(name: &str, bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut forms = vec![(name.to_owned(), bytes.to_vec())];
    for hex in [hex::encode(bytes), hex::encode_upper(bytes)] {
        forms.push((format!("{name}, hexadecimal"), hex.into_bytes()));
    }
    for alphabet in [STANDARD, URL_SAFE] {
        let engine = GeneralPurpose::new(&alphabet, NO_PAD);
        for before in 0..3 {
            let form = inner_base64(&engine, bytes, before);
            forms.push((format!("{name}, base64"), form.into_bytes()));
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

/// The characters that depend on nothing but the bytes, when so many others stand before them.
fn inner_base64(engine: &GeneralPurpose, bytes: &[u8], before: usize) -> String {
    let padded = [&vec![0; before][..], bytes].concat();
    let whole = padded.len() * 8 / 6;
    let mixed = (before * 8).div_ceil(6);
    engine.encode(&padded)[mixed..whole].to_owned()
}

#[test]
fn every_form_is_found_wherever_it_begins() {
    let forms = Forms::personal();
    let engine = GeneralPurpose::new(&STANDARD, NO_PAD);
    for before in 0..4 {
        for needle in [
            TEXT.as_bytes(),
            TEXT.to_uppercase().as_bytes(),
            format!("{NUMBER}").as_bytes(),
            format!("{NUMBER_OUT_OF_RANGE:e}").as_bytes(),
            format!("{AMOUNT}.00").as_bytes(),
            &NUMBER.to_le_bytes(),
            &NUMBER_OUT_OF_RANGE.to_be_bytes(),
        ] {
            let plain = [&b"abcd"[..before], needle, b"xyz"].concat();
            for shown in [
                plain.clone(),
                hex::encode(&plain).into_bytes(),
                engine.encode(&plain).into_bytes(),
            ] {
                assert!(!forms.found_in(&shown).is_empty(), "{before} {needle:?}");
            }
        }
    }
    assert!(forms.found_in(b"zq7 c4n4ry 31042429175 0.3173").is_empty());
}
