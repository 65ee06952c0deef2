//! The files in `fuzz/corpus-seeds` through the same functions that the fuzzer calls, without a fuzzer.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fcs_fuzz::TARGETS;

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// Names in a folder, without their endings.
fn names(folder: &str, wanted: impl Fn(&Path) -> bool) -> BTreeSet<String> {
    let entries = fs::read_dir(fuzz_folder().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    paths.filter(|path| wanted(path)).map(stem).collect()
}

#[test]
fn every_target_has_a_program_and_seeds() {
    let targets: BTreeSet<String> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    assert_eq!(targets.len(), TARGETS.len());
    assert_eq!(names("fuzz_targets", |_| true), targets);
    assert_eq!(names("corpus-seeds", Path::is_dir), targets);
    for name in targets {
        let program = fuzz_folder().join(format!("fuzz_targets/{name}.rs"));
        let call = format!("fcs_fuzz::check(\"{name}\", ");
        assert!(
            fs::read_to_string(program).unwrap().contains(&call),
            "{name}"
        );
    }
}

#[test]
fn every_seed_is_read_or_refused() {
    for target in TARGETS {
        let seeds = names(&format!("corpus-seeds/{}", target.name), Path::is_file);
        assert!(seeds.len() > 4, "{} has {} seeds", target.name, seeds.len());
        let folder = fuzz_folder().join("corpus-seeds").join(target.name);
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            (target.check)(&fs::read(path).unwrap());
        }
    }
}
