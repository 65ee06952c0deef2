//! Linear models against scikit-learn, scorecards against sums made by hand, and what both refuse.

use std::path::Path;

use fcs_forest::{Attributor, Engine, Format, Link, Model};
use proptest::prelude::*;

use crate::{close, number};

pub(crate) const LINEAR_TOML: &str = include_str!("../golden/linear/logistic.toml");
const LINEAR_JSON: &str = include_str!("../golden/linear/logistic.json");
pub(crate) const SCORECARD_TOML: &str = include_str!("../golden/scorecard/hand.toml");
const SCORECARD_JSON: &str = include_str!("../golden/scorecard/hand.json");

pub(crate) fn model(text: &str) -> Model {
    let format = Format::detect(text.as_bytes()).unwrap();
    Model::read(text.as_bytes(), format).unwrap()
}

/// Rows, margins and outputs of scikit-learn.
pub(crate) fn linear_golden() -> Vec<(Vec<f64>, f64, f64)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/linear");
    let mut reader = csv::Reader::from_path(folder.join("logistic.csv")).unwrap();
    let golden: Vec<_> = reader
        .records()
        .map(|record| {
            let cells: Vec<f64> = record.unwrap().iter().map(number).collect();
            (cells[..4].to_vec(), cells[4], cells[5])
        })
        .collect();
    assert_eq!(golden.len(), 80);
    golden
}

#[test]
fn formats_are_told_apart() {
    for (text, format) in [
        (LINEAR_TOML, Format::LinearToml),
        (LINEAR_JSON, Format::LinearJson),
        (SCORECARD_TOML, Format::ScorecardToml),
        (SCORECARD_JSON, Format::ScorecardJson),
    ] {
        assert_eq!(Format::detect(text.as_bytes()), Some(format));
        assert_eq!(model(text).format(), format);
        assert_eq!(Format::from_name(format.name()), Some(format));
    }
    for other in [
        "",
        "{",
        "kind",
        "kind = \"forest\"",
        "{\"kind\": 1}",
        "\u{e9}",
    ] {
        assert_eq!(Format::detect(other.as_bytes()), None, "{other}");
    }
}

#[test]
fn a_logistic_regression_gives_scikit_learn_s_answers() {
    let (toml, json) = (model(LINEAR_TOML), model(LINEAR_JSON));
    assert_eq!(toml.link(), Link::Logistic { sigmoid: 1.0 });
    assert_eq!(toml.feature_names()[3], "months_at_address");
    let engine = Engine::new(&toml);
    for (row, margin, output) in linear_golden() {
        let found = toml.margin(&row);
        // scikit-learn sums in the order of its linear algebra library; terms of size 1 may cancel.
        let bound = 1e-14 * margin.abs().max(1.0);
        assert!((found - margin).abs() <= bound, "{row:?} {found} {margin}");
        assert!(close(toml.probability(margin), output, 1e-15), "{row:?}");
        assert_eq!(found.to_bits(), json.margin(&row).to_bits());
        assert_eq!(found.to_bits(), engine.margin(&row).to_bits());
    }
    // The first feature has no stand-in.
    assert!(toml.margin(&[f64::NAN, 0.0, 0.0, 0.0]).is_nan());
    assert!(toml.leaf_ids(&[1.0; 4]).is_empty());
    assert_eq!((toml.tree_count(), toml.leaf_count()), (0, 0));
}

#[test]
fn a_linear_contribution_is_the_weight_times_the_distance_from_the_mean() {
    let text = "kind = \"linear\"\nlink = \"identity\"\nintercept = 7.0\n\
        [[features]]\nname = \"a\"\nweight = 2.0\n\
        [[features]]\nname = \"b\"\nweight = -0.5\nmissing = 4.0\n";
    let model = model(text);
    let references = [vec![1.0, f64::NAN], vec![3.0, 8.0]];
    let attributor = Attributor::new(&model, &references).unwrap();
    // Means 2 and 6: the missing value counts as 4.
    assert_eq!(attributor.base_margin(), 7.0 + 4.0 - 3.0);
    assert_eq!(attributor.contributions(&[5.0, 0.0]), [6.0, 3.0]);
    assert_eq!(attributor.contributions(&[2.0, f64::NAN]), [0.0, 1.0]);
}

/// Age, region and channel, the margin by hand, and the bins.
#[rustfmt::skip]
pub(crate) const BY_HAND: &[([f64; 3], f64, [u32; 3])] = &[
    ([24.999_999_999_999_996, 0.0, 0.0], -2.0 + 0.75 + 0.5 + 0.015_625, [0, 0, 0]),
    ([25.0, 1.0, -1.0], -2.0 + 0.25 + 1.0 + 0.015_625, [1, 2, 0]),
    ([39.9, 2.0, 1e300], -2.0 + 0.25 + 0.031_25 + 0.015_625, [1, 3, 0]),
    ([40.0, 3.0, f64::NAN], -2.0 - 0.125 + 0.5 + 4.0, [2, 0, 1]),
    ([60.5, 4.0, f64::INFINITY], -2.0 - 0.5 + 0.5 + 0.015_625, [3, 0, 0]),
    ([f64::INFINITY, 5.0, f64::NEG_INFINITY], -2.0 - 0.5 + 1.0 + 0.015_625, [3, 2, 0]),
    ([f64::NEG_INFINITY, 6.0, 0.0], -2.0 + 0.75 + 0.031_25 + 0.015_625, [0, 3, 0]),
    ([f64::NAN, 7.0, -0.0], -2.0 + 0.0625 - 0.25 + 0.015_625, [4, 1, 0]),
    ([-0.0, 8.0, 5e-324], -2.0 + 0.75 + 0.031_25 + 0.015_625, [0, 3, 0]),
    ([30.0, -1.0, 0.0], -2.0 + 0.25 + 0.031_25 + 0.015_625, [1, 3, 0]),
    ([30.0, -0.0, 0.0], -2.0 + 0.25 + 0.5 + 0.015_625, [1, 0, 0]),
    ([30.0, 4.9, 0.0], -2.0 + 0.25 + 0.5 + 0.015_625, [1, 0, 0]),
    ([30.0, 3e9, 0.0], -2.0 + 0.25 + 0.031_25 + 0.015_625, [1, 3, 0]),
    ([30.0, f64::INFINITY, 0.0], -2.0 + 0.25 + 0.031_25 + 0.015_625, [1, 3, 0]),
    ([30.0, f64::NAN, 0.0], -2.0 + 0.25 - 1.0 + 0.015_625, [1, 4, 0]),
];

#[test]
fn a_scorecard_adds_up_by_hand() {
    let (toml, json) = (model(SCORECARD_TOML), model(SCORECARD_JSON));
    let engine = Engine::new(&toml);
    for (row, margin, bins) in BY_HAND {
        assert_eq!(toml.margin(row), *margin, "{row:?}");
        assert_eq!(json.margin(row), *margin, "{row:?}");
        assert_eq!(engine.margin(row), *margin, "{row:?}");
        assert_eq!(toml.leaf_ids(row), bins, "{row:?}");
    }
    let references: Vec<Vec<f64>> = BY_HAND.iter().map(|(row, ..)| row.to_vec()).collect();
    let attributor = Attributor::new(&toml, &references).unwrap();
    // Each feature stands for itself: its contribution is its weight less the mean of its weights.
    let channel = attributor.contributions(&BY_HAND[0].0)[2];
    let others = 14.0 * 0.015_625 + 4.0;
    assert!((channel - (0.015_625 - others / 15.0)).abs() < 1e-15);
}

#[rustfmt::skip]
const LINEAR_DEFECTS: &[(&str, &str, &str)] = &[
    ("kind = \"linear\"", "kind = \"scorecard\"", "linear-toml: `kind` asks for `scorecard`, which is not supported; supported: linear"),
    ("kind = \"linear\"", "", "`document` is refused: missing field `kind`"),
    ("\"logistic\"", "\"probit\"", "`link` is refused: unknown variant `probit`"),
    ("intercept = ", "intercept = nan #", "`intercept` must be a finite number"),
    ("intercept", "intercepts", "`intercepts` is refused: unknown field `intercepts`"),
    ("name = \"income\"", "name = \"utilisation\"", "`features[1].name` must be a name that no other feature has"),
    ("name = \"income\"", "name = \"\"", "`features[0].name` must be a name"),
    ("name = \"income\"", "nome = \"\"", "`features[0].nome` is refused: unknown field `nome`"),
    ("name = \"income\"", "name = 1", "`features[0].name` is refused: invalid type: integer `1`"),
    ("name = \"income\"\nweight = ", "name = \"income\"\nweight = inf #", "`features[0].weight` must be a finite number"),
    ("name = \"income\"\nweight = ", "name = \"income\"\nweight = 1\nweight = ", "`document` is refused: duplicate key at byte"),
    ("missing = 0.3", "missing = nan", "`features[1].missing` must be a finite number"),
    ("[[features]]", "[[feature]]", "is refused"),
    ("[[features]]", "[[features", "`document` is refused"),
];

#[rustfmt::skip]
const SCORECARD_DEFECTS: &[(&str, &str, &str)] = &[
    ("kind = \"scorecard\"", "kind = \"linear\"", "scorecard-toml: `kind` asks for `linear`"),
    ("intercept = -2.0", "intercept = inf", "`intercept` must be a finite number"),
    ("odds = 20.0", "odds = 0", "`points_to_double_odds` must be a finite number above zero"),
    ("odds = 20.0", "odds = inf", "`points_to_double_odds` must be a finite number above zero"),
    ("points_to_double_odds = 20.0", "", "`features[0].bins[0].points` must be left out without"),
    ("points = -7", "points = -8", "`features[0].bins[1].points` must be -weight * points_to_double_odds / ln 2"),
    ("points = -7", "points = 7", "`features[0].bins[1].points` must be"),
    ("points = -7", "points = -7.5", "`features[0].bins[1].points` is refused: invalid type"),
    ("below = 40.0", "below = 25.0", "`features[0].bins[1].below` must be above the one before it"),
    ("below = 40.0", "below = nan", "`features[0].bins[1].below` must be a finite number"),
    ("below = 40.0, ", "", "`features[0].bins[1].below` must be there in every bin but the last"),
    ("{ weight = -0.5", "{ below = 99, weight = -0.5", "`features[0].bins[3].below` must be left out in the last bin"),
    ("weight = -0.5", "weight = nan", "`features[0].bins[3].weight` must be a finite number"),
    ("missing = 0.0625", "missing = inf", "`features[0].missing` must be a finite number"),
    ("missing = 0.0625", "", "`features[0]` is refused: missing field `missing`"),
    ("missing = 0.0625", "missing = 0\nother = 1", "`features[0].other` must be left out without codes"),
    ("other = 0.03125", "", "`features[1].other` is missing"),
    ("other = 0.03125", "other = nan", "`features[1].other` must be a finite number"),
    ("codes = [7]", "codes = []", "`features[1].bins[1].codes` must be one or more codes below 2^31"),
    ("codes = [7]", "codes = [2147483648]", "`features[1].bins[1].codes` must be one or more codes"),
    ("codes = [7]", "codes = [-7]", "`features[1].bins[1].codes[0]` is refused: invalid value"),
    ("codes = [7]", "codes = [7.0]", "`features[1].bins[1].codes[0]` is refused: invalid type"),
    ("codes = [7]", "codes = [4]", "`features[1].bins[1].codes` must be codes that occur once"),
    ("codes = [7]", "below = 7", "`features[1].bins[1].below` must be left out beside codes"),
    ("codes = [7], ", "", "`features[1].bins[1].codes` must be one or more codes"),
    ("bins = [{ weight = 0.015625 }]", "bins = []", "`features[2].bins` must be at least one bin"),
    ("bins = [{ weight = 0.015625 }]", "bins = [{ weight = 0, wait = 1 }]", "`features[2].bins[0].wait` is refused: unknown field `wait`"),
];

#[test]
fn each_defect_is_refused_by_its_key() {
    for (text, format, defects) in [
        (LINEAR_TOML, Format::LinearToml, LINEAR_DEFECTS),
        (SCORECARD_TOML, Format::ScorecardToml, SCORECARD_DEFECTS),
    ] {
        for (from, to, message) in defects {
            assert!(text.contains(from), "{from}");
            let broken = text.replacen(from, to, 1);
            let found = Model::read(broken.as_bytes(), format).expect_err(to);
            let found = found.to_string();
            assert!(found.contains(message), "{from} -> {to}: {found}");
        }
    }
    for (text, message) in [
        ("", "linear-json: `document` is refused: EOF while parsing"),
        (
            "{\"kind\": \"linear\", \"kind\": \"linear\"}",
            "`document` is refused: duplicate field `kind`",
        ),
        (
            "{\"kind\":\"linear\",\"link\":\"identity\",\"intercept\":0,\"features\":[]}",
            "`features` must be 1 to 10,000",
        ),
        (
            "{\"kind\":\"linear\",\"link\":\"identity\",\"intercept\":1e999,\"features\":[]}",
            "`intercept` is refused: number out of range",
        ),
        (
            "{\"kind\":\"linear\",\"link\":\"identity\",\"intercept\":0,\"features\":[{\"name\":\"a\",\"weight\":1}]} 1",
            "trailing characters",
        ),
    ] {
        let found = Model::read(text.as_bytes(), Format::LinearJson).expect_err(text);
        assert!(found.to_string().contains(message), "{text}: {found}");
    }
}

#[test]
fn long_and_deep_files_are_refused_shortly() {
    let long = " ".repeat((4 << 20) + 1);
    let refusal = |text: &str, format| {
        Model::read(text.as_bytes(), format)
            .unwrap_err()
            .to_string()
    };
    assert!(refusal(&long, Format::LinearJson).ends_with("`document` must be at most 4 MiB long"));
    for (text, format) in [
        (
            format!("kind = {}", "[".repeat(100_000)),
            Format::ScorecardToml,
        ),
        (
            format!("{{\"kind\": {}", "[".repeat(100_000)),
            Format::ScorecardJson,
        ),
        (format!("{} = 1", "x".repeat(100_000)), Format::LinearToml),
        (
            format!("{{\"{}\": 1}}", "x".repeat(100_000)),
            Format::LinearJson,
        ),
    ] {
        assert!(refusal(&text, format).len() < 500);
    }
    let codes: Vec<String> = (0..33_000).map(|code| (2 * code).to_string()).collect();
    let gaps = format!("codes = [{}]", codes.join(","));
    let text = SCORECARD_TOML
        .replace("codes = [7]", &gaps)
        .replace("[3, 4, 0]", "[1]")
        .replace("[1, 5]", "[3]");
    assert!(
        refusal(&text, Format::ScorecardToml)
            .contains("`features[1].bins` must be fewer than 65,536")
    );
}

#[test]
fn a_cut_off_file_is_an_error_or_a_smaller_model() {
    for text in [LINEAR_JSON, SCORECARD_JSON] {
        let format = Format::detect(text.as_bytes()).unwrap();
        for end in 0..text.trim_end().len() {
            assert!(Model::read(&text.as_bytes()[..end], format).is_err());
        }
    }
    for text in [LINEAR_TOML, SCORECARD_TOML] {
        let format = Format::detect(text.as_bytes()).unwrap();
        for end in 0..text.len() {
            // TOML has no end mark: the digest in the manifest is what notices a cut.
            if let Ok(model) = Model::read(&text.as_bytes()[..end], format) {
                assert!(!model.feature_names().is_empty());
            }
        }
    }
}

proptest! {
    #[test]
    fn a_flipped_bit_is_an_error_or_a_model(
        which in 0..4_usize,
        position in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let text = [LINEAR_TOML, LINEAR_JSON, SCORECARD_TOML, SCORECARD_JSON][which];
        let format = Format::detect(text.as_bytes()).unwrap();
        let mut bytes = text.as_bytes().to_vec();
        let position = position.index(bytes.len());
        bytes[position] ^= 1 << bit;
        if let Ok(model) = Model::read(&bytes, format) {
            let row = vec![f64::NAN; model.feature_names().len()];
            prop_assert!(!model.margin(&row).is_infinite());
        }
    }
}
