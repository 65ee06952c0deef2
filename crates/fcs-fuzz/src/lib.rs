//! What must hold of every reader of bytes from outside, whatever the bytes are.
//!
//! For: the fuzz targets in `fuzz/` (a workspace of its own, because it needs a fuzzer), and the test of this crate
//! that gives the same functions the files in `fuzz/corpus-seeds`, one folder per target.
//! Not for: production code; only the fuzz workspace names this crate.
//!
//! Invariants: a check returns when the reader behaved, whether it read or refused the bytes, and panics when it did
//! not. It depends on the bytes alone.

mod log;
mod models;
mod packages;
mod proxy;

/// A reader under test.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name of the fuzz target and of its folder of seeds. Those that begin with `model_` read models.
    pub name: &'static str,
    /// Gives the reader some bytes and checks what comes out.
    pub check: fn(&[u8]),
}

/// Every reader under test.
pub const TARGETS: [Target; 19] = [
    target("decision_record", packages::decision_record),
    target("detached_signature", packages::detached_signature),
    target("manifest", packages::manifest),
    target("model_detected", models::detected),
    target("model_lightgbm_text", models::lightgbm_text),
    target("model_onnx", models::onnx),
    target("model_plain", models::plain),
    target("model_xgboost_json", models::xgboost_json),
    target("model_xgboost_ubj", models::xgboost_ubj),
    target("package_rows", packages::package_rows),
    target("proxy_tables", proxy::tables),
    target("tlog_leaf", log::leaf),
    target("tlog_note", log::note),
    target("tlog_policy", log::policy),
    target("tlog_proof", log::proof),
    target("tlog_proof_file", log::proof_file),
    target("tlog_tile", log::tile),
    target("tlog_witness", log::witness),
    target("trust_policy", packages::trust_policy),
];

const fn target(name: &'static str, check: fn(&[u8])) -> Target {
    Target { name, check }
}

/// Gives some bytes to the target with a name.
///
/// # Panics
/// When there is no such target, and when its reader misbehaves.
pub fn check(name: &str, bytes: &[u8]) {
    let target = TARGETS
        .iter()
        .find(|target| target.name == name)
        .expect("a fuzz target is in the list of targets");
    (target.check)(bytes);
}
