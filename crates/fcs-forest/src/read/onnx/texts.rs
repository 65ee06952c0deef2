//! Codes of texts: a row has numbers, and a feature of texts has the code of its text there.

use std::collections::HashMap;

use super::refusal::{Read, Refusal};
use super::unpack::Unpacking;
use super::value::Columns;

/// Memory of a text that is known, beside its characters: its name, its code, its places in the tables.
const BYTES_PER_TEXT: usize = 128;

/// The texts that a model knows of each feature. A text's code is its place among them, in the order in which the
/// operators of the graph name them; any other number stands for a text that the model does not know.
#[derive(Default)]
pub(super) struct Texts {
    codes: HashMap<(u32, Vec<u8>), u32>,
    /// By feature.
    names: HashMap<u32, Vec<String>>,
}

impl Texts {
    /// The codes of some texts, which differ, for each of some columns.
    pub(super) fn codes(
        &mut self,
        columns: &Columns,
        texts: &[Vec<u8>],
        unpacking: &mut Unpacking,
    ) -> Read<Vec<Vec<f64>>> {
        let bytes: usize = texts
            .iter()
            .map(|text| BYTES_PER_TEXT + 2 * text.len())
            .sum();
        unpacking.take(bytes.saturating_mul(columns.len()))?;
        let mut sorted: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Refusal::out_of_range("", "texts that occur once"));
        }
        let columns = columns.columns.iter();
        columns
            .map(|column| {
                let code = |text: &Vec<u8>| self.code(column.feature, text).map(f64::from);
                texts.iter().map(code).collect()
            })
            .collect()
    }

    fn code(&mut self, feature: u32, text: &[u8]) -> Read<u32> {
        if let Some(code) = self.codes.get(&(feature, text.to_vec())) {
            return Ok(*code);
        }
        let name = std::str::from_utf8(text);
        let name = name.map_err(|_| Refusal::out_of_range("", "texts in UTF-8"))?;
        let names = self.names.entry(feature).or_default();
        let code = u32::try_from(names.len()).expect("a file has fewer texts than 2^32");
        names.push(name.to_owned());
        self.codes.insert((feature, text.to_vec()), code);
        Ok(code)
    }

    /// The texts of each feature in the order of their codes; none for a feature of numbers.
    pub(super) fn into_names(mut self, feature_count: usize) -> Vec<Vec<String>> {
        (0_u32..)
            .take(feature_count)
            .map(|feature| self.names.remove(&feature).unwrap_or_default())
            .collect()
    }
}
