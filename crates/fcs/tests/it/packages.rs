//! `fcs model`: keys, signatures, registries, differences and cards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use fcs_testkit::s3;
use serde_json::Value;
use tempfile::TempDir;

use crate::system::{fcs, json, root};

/// A folder with a copy of `boston-hmda/1` that is signed by a key made here, and its trust policy.
struct Workshop(TempDir);

impl Workshop {
    fn new() -> Self {
        let workshop = Self(TempDir::new().unwrap());
        fs::create_dir(workshop.package()).unwrap();
        fs::create_dir(workshop.path("registry")).unwrap();
        for entry in fs::read_dir(root().join("models/boston-hmda/1")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), workshop.package().join(entry.file_name())).unwrap();
        }
        let policy = workshop.keygen("first");
        fs::write(workshop.path("trust.toml"), policy).unwrap();
        workshop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn package(&self) -> PathBuf {
        self.path("package")
    }

    /// Makes a key and returns its entry in a trust policy.
    fn keygen(&self, key_id: &str) -> String {
        let file = self.text(&format!("{key_id}.pem"));
        let made = self.run(&["keygen", "--to", &file, "--key-id", key_id]);
        assert!(made.status.success(), "{made:?}");
        String::from_utf8(made.stdout).unwrap()
    }

    /// `fcs model` with the trust policy of the workshop.
    fn run(&self, arguments: &[&str]) -> Output {
        let trust = self.text("trust.toml");
        let mut command = fcs(self.0.path(), &["model"]);
        command.args(arguments);
        if self.path("trust.toml").exists() {
            command.args(["--trust", &trust]);
        }
        command.output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        json(&self.run(&[arguments, &["-o", "json"]].concat()))
    }

    fn sign(&self, key_id: &str, more: &[&str]) -> Value {
        let (package, key) = (self.text("package"), self.text(&format!("{key_id}.pem")));
        self.json(&[&["sign", &package, "--key", &key], more].concat())
    }

    fn push(&self) -> Output {
        let (package, registry) = (self.text("package"), self.text("registry"));
        self.run(&["push", &package, "--to", &registry, "-o", "json"])
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.package().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} holds {from:?}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }
}

#[track_caller]
fn assert_refused(output: &Output, code: i32, message: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(message), "{text}");
}

#[test]
fn a_package_is_signed_pushed_listed_pulled_and_verified() {
    let shop = Workshop::new();
    assert_refused(&shop.push(), 7, "the trust policy holds no key");
    let signed = shop.sign("first", &[]);
    assert_eq!(signed["signed_by"], "first");
    assert_eq!(signed["problem"], Value::Null);

    assert_eq!(json(&shop.push())["result"], "written");
    assert_eq!(json(&shop.push())["result"], "already there");
    let (registry, copy) = (shop.text("registry"), shop.text("copy"));
    let listed = shop.json(&["list", "--from", &registry]);
    assert_eq!(listed[0]["model"], "boston-hmda/1");
    assert_eq!(listed[0]["problem"], Value::Null);

    let pull = ["pull", "boston-hmda/1", "--from", &registry, "--to", &copy];
    assert_eq!(shop.json(&pull)["result"], "written");
    for entry in fs::read_dir(shop.package()).unwrap() {
        let entry = entry.unwrap();
        let pulled = fs::read(Path::new(&copy).join(entry.file_name())).unwrap();
        assert_eq!(pulled, fs::read(entry.path()).unwrap(), "{entry:?}");
    }
    let verified = shop.json(&["verify", "boston-hmda/1", "--from", &registry]);
    assert_eq!(verified[0]["verified"], true);
    let missing = ["pull", "boston-hmda/2", "--from", &registry, "--to", &copy];
    assert_refused(&shop.run(&missing), 3, "there is no package");
}

#[test]
fn other_bytes_for_a_version_are_a_conflict() {
    let shop = Workshop::new();
    shop.sign("first", &[]);
    json(&shop.push());
    shop.edit("model.toml", "title = \"", "title = \"Another ");
    shop.sign("first", &[]);
    assert_refused(&shop.push(), 5, "publish another version");
    let differences = shop.json(&[
        "diff",
        "boston-hmda/1",
        &shop.text("package"),
        "--from",
        &shop.text("registry"),
    ]);
    assert_eq!(differences.as_array().unwrap().len(), 1, "{differences}");
    assert_eq!(differences[0]["key"], "model.title");
}

#[test]
fn altered_packages_are_neither_signed_nor_pushed_nor_pulled() {
    let shop = Workshop::new();
    shop.sign("first", &[]);
    json(&shop.push());
    shop.edit("golden.csv", "\n", "\n\n");
    assert_refused(&shop.push(), 7, "golden.csv was altered");
    let (package, key) = (shop.text("package"), shop.text("first.pem"));
    let signing = shop.run(&["sign", &package, "--key", &key]);
    assert_refused(&signing, 7, "the manifest says");

    fs::copy(
        shop.package().join("golden.csv"),
        shop.path("registry/boston-hmda/1/golden.csv"),
    )
    .unwrap();
    let (registry, copy) = (shop.text("registry"), shop.text("copy"));
    let pull = ["pull", "boston-hmda/1", "--from", &registry, "--to", &copy];
    assert_refused(&shop.run(&pull), 7, "golden.csv was altered");
    assert!(!Path::new(&copy).exists(), "nothing of it is written");
}

#[test]
fn keys_rotate_by_two_signatures() {
    let shop = Workshop::new();
    shop.sign("first", &[]);
    let second = shop.keygen("second");
    let policy = fs::read_to_string(shop.path("trust.toml")).unwrap();
    let revoked = "\nrevoked = { at = \"2026-01-01T00:00:00Z\", reason = \"a drill\" }\n";
    fs::write(shop.path("trust.toml"), policy + revoked + &second).unwrap();
    assert_refused(
        &shop.push(),
        7,
        "was revoked at 2026-01-01T00:00:00.000000Z: a drill",
    );
    let signed = shop.sign("second", &["--add"]);
    assert_eq!(signed["signed_by"], "first, second");
    assert_eq!(signed["problem"], Value::Null);
    assert_eq!(json(&shop.push())["result"], "written");
}

#[test]
fn a_private_key_is_its_owners_and_is_never_replaced() {
    use std::os::unix::fs::PermissionsExt as _;

    let shop = Workshop::new();
    let file = shop.text("first.pem");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = shop.run(&["keygen", "--to", &file, "--key-id", "x"]);
    assert_refused(&again, 5, "create ");
    let package = shop.text("package");
    let no_key = shop.run(&["sign", &package, "--key", &shop.text("trust.toml")]);
    assert_refused(&no_key, 2, "must hold an Ed25519 private key");
    shop.keygen("stranger");
    let stranger = shop.run(&["sign", &package, "--key", &shop.text("stranger.pem")]);
    assert_refused(&stranger, 2, "name it with --key-id");
    let renamed = ["sign", &package, "--key", &file, "--key-id", "y"];
    assert_refused(&shop.run(&renamed), 2, "the trust policy knows this key as");
}

#[test]
fn a_bucket_is_a_registry_too() {
    let shop = Workshop::new();
    shop.sign("first", &[]);
    let server = s3::server("models");
    let run = |arguments: &[&str]| {
        let mut command = fcs(shop.0.path(), &["model", "-o", "json", "--trust"]);
        command.arg(shop.path("trust.toml")).args(arguments);
        command
            .env("AWS_ENDPOINT_URL", &server.endpoint)
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test");
        command.output().unwrap()
    };
    let bucket = "s3://models/production";
    let pushed = json(&run(&["push", &shop.text("package"), "--to", bucket]));
    assert_eq!(pushed["result"], "written");
    let verified = json(&run(&["verify", "--from", bucket]));
    assert_eq!(verified[0]["model"], "boston-hmda/1");
    assert_eq!(verified[0]["verified"], true);
}

#[test]
fn a_card_says_what_it_shows_and_what_it_cannot() {
    let shop = Workshop::new();
    shop.sign("first", &[]);
    json(&shop.push());
    let (registry, file) = (shop.text("registry"), shop.text("card.html"));
    let write = ["card", "boston-hmda/1", "--from", &registry, "--to", &file];
    let written = shop.json(&write);
    assert_eq!(written["calibration"], "not in the package");
    let html = fs::read_to_string(&file).unwrap();
    assert!(
        html.contains("carries no calibration table"),
        "nothing is invented"
    );
    assert!(html.contains("golden rows, because it carries no score distribution"));
    for feature in ["dir", "lvr", "condominium"] {
        assert!(
            html.contains(&format!("Effect of {feature} on the log-odds")),
            "{feature}"
        );
    }
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        let body = html.split("<details>").next().unwrap();
        assert!(!body.contains(outside), "{outside}");
    }
}

/// The package as format 2, with tables for the card and text that tries to leave its place.
#[test]
fn a_card_of_format_2_shows_the_package_s_own_tables() {
    let shop = Workshop::new();
    shop.edit("model.toml", "manifest_format = 1", "manifest_format = 2");
    shop.edit(
        "model.toml",
        "title = \"",
        "title = \"<script>alert(1)</script> ",
    );
    shop.edit(
        "model.toml",
        "reason = \"DEBT-TO-INCOME\"",
        "reason = \"DEBT-TO-INCOME\"\nfamily = \"capacity\"",
    );
    let mut manifest = fs::read_to_string(shop.package().join("model.toml")).unwrap();
    manifest += "\n[calibration]\ndata = \"100 rows\"\nbins = [{ mean_probability = 0.1, adverse_rate = 0.2, rows = 100 }]\n\
                 \n[score_distribution]\ndata = \"100 rows\"\nedges = [500, 600, 700]\nrows = [40, 60]\n\
                 \n[lineage]\nparent = \"boston-hmda/0\"\nlibraries = { lightgbm = \"4.6.0\" }\n";
    fs::write(shop.package().join("model.toml"), manifest).unwrap();
    shop.sign("first", &[]);
    json(&shop.push());
    let (registry, file) = (shop.text("registry"), shop.text("card.html"));
    let write = ["card", "boston-hmda/1", "--from", &registry, "--to", &file];
    assert_eq!(shop.json(&write)["calibration"], "from the package");
    let html = fs::read_to_string(&file).unwrap();
    assert!(html.contains("predicted 0.100, observed 0.200, 100 rows"));
    assert!(html.contains("lightgbm 4.6.0") && html.contains("boston-hmda/0"));
    assert!(!html.contains("<script>"), "text of a package is only text");
    let shown = shop.run(&["inspect", &shop.text("package")]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("lightgbm 4.6.0"));
}
