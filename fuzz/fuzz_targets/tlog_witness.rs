#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fcs_fuzz::check("tlog_witness", bytes));
