//! What it takes to write a record in its canonical form, beside a library that does the same.
//!
//! `cargo bench -p fcs-decision`

use divan::{Bencher, black_box};
use fcs_decision::record::DecisionRecord;

const RECORD: &[u8] = include_bytes!("../tests/fixture/record2.json");

fn main() {
    divan::main();
}

fn record() -> DecisionRecord {
    DecisionRecord::from_bytes(RECORD.trim_ascii()).expect("the fixture is a record")
}

#[divan::bench]
fn ours(bencher: Bencher<'_, '_>) {
    let record = record();
    bencher.bench_local(|| black_box(&record).to_canonical_bytes());
}

#[divan::bench]
fn serde_json_canonicalizer(bencher: Bencher<'_, '_>) {
    let record = record();
    bencher.bench_local(|| serde_json_canonicalizer::to_vec(black_box(&record)));
}
