use super::*;

const SMALL: &str = r#"
format = 1
name = "us-ecoa"
version = 3
jurisdiction = "US"
effective_from = "2026-07-21"
rationale = "four fifths as in lending practice"

[[attributes]]
name = "sex"
reference = "male"

[[attributes]]
name = "race"
reference = "white"
channel = "proxy"
air_floor = 0.9
minimum_group_size = 100
"#;

fn fields(text: &str) -> Vec<String> {
    match Policy::from_toml(text) {
        Err(PolicyError::Invalid(problems)) => {
            problems.into_iter().map(|problem| problem.field).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_small_document_is_filled_up_with_defaults() {
    let policy = Policy::from_toml(SMALL).unwrap();
    let sex = policy.attribute("sex").unwrap();
    assert_eq!(policy.floor(sex).unwrap().get(), 0.8);
    assert_eq!(policy.tolerance(sex).unwrap().get(), 0.02);
    let race = policy.attribute("race").unwrap();
    assert_eq!(
        (race.channel, policy.floor(race).unwrap().get()),
        (Channel::Proxy, 0.9)
    );
    assert_eq!(policy.minimum_group_size(sex), 30);
    assert_eq!(policy.minimum_group_size(race), 100);
    let rules = policy.rules();
    assert_eq!(rules.alpha.get(), 0.05);
    assert_eq!(rules.policy, policy.digest());
    assert_eq!(policy.attribute("age"), None);
}

#[test]
fn the_digest_is_of_the_meaning() {
    let policy = Policy::from_toml(SMALL).unwrap();
    let spelled_out = format!("{SMALL}\n[evidence]\nalpha = 0.05\n[drift]\npsi_act = 0.25\n");
    assert_eq!(
        Policy::from_toml(&spelled_out).unwrap().digest(),
        policy.digest()
    );
    let json = serde_json::to_string(policy.document()).unwrap();
    assert_eq!(Policy::from_json(&json).unwrap(), policy);
    let other = SMALL.replace("air_floor = 0.9", "air_floor = 0.91");
    assert_ne!(Policy::from_toml(&other).unwrap().digest(), policy.digest());
    // Whoever kept a verdict must find its policy again, so this may never change.
    let expected = include_str!("../../tests/golden/policy_digest.txt").trim();
    assert_eq!(policy.digest().to_string(), expected);
}

#[test]
fn every_problem_is_named_at_once() {
    let text = SMALL
        .replace("version = 3", "version = 0")
        .replace("2026-07-21", "2026-02-30")
        .replace("air_floor = 0.9", "air_floor = 1.5")
        .replace("name = \"race\"", "name = \"sex\"")
        + "\n[evidence]\nalpha = 0.0\nside_stale_after_s = 5\n[drift]\npsi_watch = 0.5\n";
    let expected = [
        "version",
        "effective_from",
        "evidence.alpha",
        "evidence.side_stale_after_s",
        "drift.psi_watch",
        "attributes[1].name",
        "attributes[1].air_floor",
    ];
    assert_eq!(fields(&text), expected);
}

#[test]
fn an_error_reads_as_field_and_reason() {
    let text = SMALL.replace("air_floor = 0.9", "air_floor = 1.5");
    let error = Policy::from_toml(&text).unwrap_err().to_string();
    assert_eq!(
        error,
        "check a policy: attributes[1].air_floor: a floor of the adverse impact ratio must be \
         within 0.001 and 1, for example 0.8"
    );
}

#[test]
fn numbers_that_are_none_are_refused() {
    for (section, field) in [
        ("[evidence]\nalpha = nan", "evidence.alpha"),
        ("[evidence]\nair_floor = nan", "evidence.air_floor"),
        ("[evidence]\ngap_tolerance = inf", "evidence.gap_tolerance"),
        ("[drift]\nks_act = nan", "drift.ks_watch"),
        ("[drift]\njs_act = nan", "drift.js_act"),
    ] {
        assert!(
            fields(&format!("{SMALL}\n{section}\n")).contains(&field.to_owned()),
            "{section}"
        );
    }
}

#[test]
fn groups_are_named_once_and_apart_from_the_reference() {
    let with = |groups: &str| format!("{SMALL}groups = {groups}\n");
    assert!(Policy::from_toml(&with(r#"["black", "asian"]"#)).is_ok());
    assert_eq!(fields(&with(r#"["white"]"#)), ["attributes[1].groups"]);
    assert_eq!(
        fields(&with(r#"["black", "black"]"#)),
        ["attributes[1].groups"]
    );
}

#[test]
fn unknown_members_and_wrong_types_are_refused() {
    let misspelt = format!("{SMALL}\n[evidence]\nalfa = 0.05\n");
    assert!(matches!(
        Policy::from_toml(&misspelt),
        Err(PolicyError::Toml(_))
    ));
    assert!(matches!(Policy::from_json("{}"), Err(PolicyError::Json(_))));
    let text = SMALL.replace("version = 3", "version = \"three\"");
    assert!(matches!(
        Policy::from_toml(&text),
        Err(PolicyError::Toml(_))
    ));
}

#[test]
fn the_examples_are_policies() {
    for (text, attributes) in [
        (include_str!("../../policies/us-credit.toml"), 3),
        (include_str!("../../policies/eu-credit.toml"), 1),
    ] {
        let policy = Policy::from_toml(text).unwrap();
        assert_eq!(policy.document().attributes.len(), attributes);
    }
}
