use std::collections::BTreeMap;

use fcs_core::Violation;
use fcs_decision::application::{Amount, Application, Purpose};
use fcs_decision::decision::{DecisionContext, decide, decide_incomplete};
use fcs_decision::features::{FeatureInput, Reading};
use fcs_decision::manifest::Manifest;
use fcs_decision::policy::analysis::{FindingKind, Method, analyse};
use fcs_decision::policy::expression::Facts;
use fcs_decision::policy::{Scope, parse};
use fcs_decision::record::{DecidedBy, DecisionRecord, FormHint, Outcome};
use proptest::prelude::*;

use crate::fixture::{context, inputs, manifest, manifest_with, output, with};

/// One rule as a table of a manifest.
fn rule(id: &str, when: &str, rest: &str) -> String {
    format!("[[policy.rules]]\nid = \"{id}\"\nwhen = '''{when}'''\n{rest}\n")
}

const DENY: &str = "action = \"deny\"\nreason = \"BANKRUPTCY\"";
const REFER: &str = "action = \"refer\"";

fn problems(rules: &str) -> Vec<String> {
    match Manifest::parse(manifest_with(rules).as_bytes()) {
        Ok(_) => Vec::new(),
        Err(error) => error.problems,
    }
}

fn with_rules(rules: &str) -> Manifest {
    Manifest::parse(manifest_with(rules).as_bytes()).unwrap()
}

#[test]
fn a_knock_out_leaves_a_missing_value_to_the_rules() {
    let knock_outs = r#"
[[policy.knock_outs]]
id = "over-limit"
feature = "utilization"
operator = "at_least"
value = 4
reason = "DELINQUENCY"
[[policy.knock_outs]]
id = "late"
feature = "months_behind"
operator = "at_least"
value = 3
reason = "DELINQUENCY"
"#;
    let missing = rule("unknown", "!has(features.utilization)", REFER);
    let problems = problems(&format!("{knock_outs}{missing}"));
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn rules_are_checked_with_their_path() {
    let one = |when: &str, rest: &str| problems(&rule("a", when, rest)).join("\n");
    assert_eq!(one("score < 400", DENY), "");
    assert_eq!(
        one("score < 400", "action = \"deny\""),
        "policy.rules[0].reason: missing; only a referral may have none"
    );
    assert_eq!(
        one("score < 400", "action = \"deny\"\nreason = \"NO\""),
        "policy.rules[0].reason: \"NO\" is not in [[reasons]]"
    );
    assert!(one("score < 400", "action = \"approve\"").contains("unknown variant `approve`"));
    assert!(one("score < 4 00", DENY).starts_with("policy.rules[0].when: byte 11"));
    let twice = rule("a", "score < 400", DENY) + &rule("a", "score > 800", REFER);
    assert_eq!(problems(&twice), ["policy.rules[1].id: \"a\" occurs twice"]);
    let offer = "action = \"counteroffer\"\nreason = \"BALANCE\"\noffer = { amount = \"5000\", currency = \"USD\" }";
    assert!(one("score > 700", offer).contains("must hold only where more is asked for"));
    let more = "has(request.amount) && request.amount > 5000 && has(request.currency) && request.currency == \"USD\"";
    assert_eq!(one(more, offer), "");
    assert!(
        one(
            "score > 700",
            "action = \"counteroffer\"\nreason = \"BALANCE\""
        )
        .contains("offer: missing")
    );
    let incomplete = "action = \"incomplete\"\nreason = \"BALANCE\"";
    assert_eq!(one("!has(features.credit_limit)", incomplete), "");
    assert!(one("has(features.credit_limit)", incomplete).contains("required feature is missing"));
    assert!(one("!has(features.utilization)", incomplete).contains("cannot make one impossible"));
    assert!(one("score < 400", incomplete).contains("cannot be read by an \"incomplete\" rule"));
    let older = manifest_with(&rule("a", "score < 400", DENY))
        .replace("manifest_format = 3", "manifest_format = 2");
    let found = Manifest::parse(older.as_bytes()).unwrap_err().problems;
    assert!(
        found.contains(&"policy.rules: needs manifest_format = 3".to_owned()),
        "{found:?}"
    );
    assert!(
        found.contains(&"catalogues: needs manifest_format = 3".to_owned()),
        "{found:?}"
    );
}

#[test]
fn rules_that_can_never_decide_are_refused() {
    let refused = |rules: &str| problems(rules).join("\n");
    assert!(refused(&rule("a", "score > 900", DENY)).contains("rules[0].when: never holds"));
    assert!(
        refused(&rule(
            "a",
            "features.months_behind > 3 && features.months_behind < 4",
            DENY
        ))
        .contains("never")
    );
    assert!(
        refused(&rule(
            "a",
            "features.months_behind != features.months_behind && false",
            DENY
        ))
        .contains("never")
    );
    let same = rule("a", "score < 500", DENY) + &rule("b", "!(score >= 500)", DENY);
    assert!(
        refused(&same).contains("policy.rules[1].when: is never reached"),
        "{}",
        refused(&same)
    );
    let implied = rule("a", "score < 500 || features.months_behind >= 3", DENY)
        + &rule("b", "features.months_behind in [4, 5]", DENY);
    assert!(refused(&implied).contains("policy.rules[1].when: is never reached"));
    let together = rule("a", "score < 500", DENY)
        + &rule("b", "score >= 500 && score < 600", DENY)
        + &rule("c", "score < 600", DENY);
    assert!(refused(&together).contains("policy.rules[2].when: is never reached"));
    let catch_all = rule("a", "true", REFER) + &rule("b", "score < 500", DENY);
    assert!(refused(&catch_all).contains("(rule \"a\")"));
    let knocked = "[[policy.knock_outs]]\nid = \"k\"\nfeature = \"months_behind\"\noperator = \"at_least\"\nvalue = 3\n\
                   reason = \"DELINQUENCY\"\n"
        .to_owned()
        + &rule("b", "features.months_behind > 3", DENY);
    assert!(
        refused(&knocked).contains("(rule \"k\")"),
        "{}",
        refused(&knocked)
    );
}

#[test]
fn overlapping_rules_with_other_actions_must_say_who_wins() {
    let first = |overrides: &str| {
        rule(
            "a",
            "features.months_behind >= 3",
            &format!("{DENY}\n{overrides}"),
        ) + &rule("b", "score < 600", REFER)
    };
    let found = problems(&first("")).join("\n");
    assert!(
        found.contains("policy.rules[0].when: overlaps a later rule"),
        "{found}"
    );
    assert!(
        found.contains("(rule \"b\"), for example features.months_behind = 3, score = 300"),
        "{found}"
    );
    assert_eq!(problems(&first("overrides = [\"b\"]")), [""; 0]);
    assert!(problems(&first("overrides = [\"c\"]"))[0].contains("\"c\" is no later rule"));
    let apart = rule("a", "score < 500", DENY) + &rule("b", "score >= 500 && score < 520", REFER);
    assert_eq!(problems(&apart), [""; 0]);
}

#[test]
fn what_is_not_exact_is_said_to_be_sampled() {
    let ratio =
        "features.credit_limit > 0 && features.account_months / features.credit_limit > 0.5";
    let manifest = with_rules(&(rule("ratio", ratio, DENY) + &rule("plain", "score < 450", DENY)));
    let found = analyse(
        &manifest.policy,
        &manifest.features,
        &manifest.score,
        &[inputs()],
    );
    let of = |id: &str| found.iter().find(|finding| finding.rule == id).unwrap();
    assert_eq!(of("ratio").kind, FindingKind::Reachable);
    assert!(
        matches!(of("ratio").method, Method::Sampled(points) if points > 4_096),
        "{found:?}"
    );
    assert_eq!(
        (of("plain").kind, of("plain").method),
        (FindingKind::Reachable, Method::Exact)
    );
    // Opaque comparisons contradict themselves exactly, whatever they mean.
    let contradiction =
        format!("{ratio} && !(features.account_months / features.credit_limit > 0.5)");
    assert!(
        problems(&rule("a", &contradiction, DENY))
            .join("")
            .contains("never holds")
    );
    // An overlap that only a point shows is an overlap.
    let overlap = rule("ratio", ratio, DENY) + &rule("plain", "score < 450", REFER);
    assert!(
        problems(&overlap).join("").contains("overlaps"),
        "{:?}",
        problems(&overlap)
    );
    // A computed condition that no point satisfies is left open, not refused.
    let unlikely = "features.credit_limit * 1.5 == 777777.25";
    let manifest = with_rules(&rule("odd", unlikely, DENY));
    let found = analyse(&manifest.policy, &manifest.features, &manifest.score, &[]);
    assert_eq!(found[0].kind, FindingKind::ReachableNotShown);
}

fn application() -> Application {
    Application {
        purpose: Some(Purpose::New),
        amount: Some(Amount {
            value: "9000.50".to_owned(),
            currency: "USD".to_owned(),
        }),
        ..Application::default()
    }
}

fn decided(
    manifest: &Manifest,
    application: Application,
    inputs: &BTreeMap<String, FeatureInput>,
) -> DecisionRecord {
    let context = DecisionContext {
        application,
        ..context()
    };
    let output = output(-4.0, &[0.0; 7]);
    let record = match manifest.read(inputs, &context.application).unwrap() {
        Reading::Complete(row) => decide(manifest, &row, &output, &context),
        Reading::Incomplete(row) => decide_incomplete(manifest, &row, &context),
    };
    let record = record.unwrap();
    let bytes = record.to_canonical_bytes();
    let stored = DecisionRecord::from_bytes(&bytes).unwrap();
    assert_eq!(stored, record, "what is decided can be read");
    let again = match manifest
        .read(&stored.inputs(), &stored.context().application)
        .unwrap()
    {
        Reading::Complete(row) => decide(manifest, &row, &output, &stored.context()),
        Reading::Incomplete(row) => decide_incomplete(manifest, &row, &stored.context()),
    };
    assert_eq!(again.unwrap().to_canonical_bytes(), bytes, "and replayed");
    record
}

const RULES: [(&str, &str, &str); 4] = [
    (
        "no-limit",
        "!has(features.credit_limit)",
        "action = \"incomplete\"\nreason = \"CREDIT-LIMIT\"",
    ),
    (
        "too-much",
        "has(request.amount) && request.amount > 5000 && has(request.currency) && request.currency == \"USD\"",
        "action = \"counteroffer\"\nreason = \"BALANCE\"\noverrides = [\"look\", \"twice\"]\n\
         offer = { amount = \"5000.00\", currency = \"USD\", terms = \"Monthly payments\" }",
    ),
    (
        "look",
        "features.months_behind >= 1",
        "action = \"refer\"\noverrides = [\"twice\"]",
    ),
    ("twice", "features.months_behind_before >= 1", DENY),
];

fn all_rules() -> Manifest {
    with_rules(&RULES.map(|(id, when, rest)| rule(id, when, rest)).concat())
}

#[test]
fn the_first_rule_that_holds_decides_and_all_that_hold_are_recorded() {
    let manifest = all_rules();
    let record = decided(&manifest, application(), &inputs());
    assert_eq!(
        (record.outcome, record.decided_by),
        (Outcome::Counteroffer, DecidedBy::PolicyRule)
    );
    assert_eq!(
        record.policy.applied.as_ref().unwrap().rules_hit,
        ["too-much", "look"]
    );
    assert_eq!(record.policy.applied.as_ref().unwrap().name, "cards");
    let offer = record.counteroffer.unwrap();
    assert_eq!(offer.amount.unwrap().value, "5000.00");
    assert_eq!(record.principal_reasons[0].code, "BALANCE");
    assert_eq!(record.notice.unwrap().form_hint, Some(FormHint::C4));

    let record = decided(&manifest, Application::default(), &inputs());
    assert_eq!(
        (record.outcome, record.decided_by),
        (Outcome::Refer, DecidedBy::PolicyRule)
    );
    assert!(record.principal_reasons.is_empty() && record.component_failed.is_none());

    let inputs = with("months_behind", FeatureInput::Number(0.0));
    let record = decided(&manifest, Application::default(), &inputs);
    assert_eq!(
        (record.outcome, record.decided_by),
        (Outcome::Approve, DecidedBy::Score)
    );
    assert!(record.policy.applied.unwrap().rules_hit.is_empty());

    let mut inputs = inputs.clone();
    inputs.insert("months_behind_before".to_owned(), FeatureInput::Number(2.0));
    let record = decided(&manifest, Application::default(), &inputs);
    assert_eq!(
        (record.outcome, record.decided_by),
        (Outcome::Deny, DecidedBy::PolicyRule)
    );
    assert_eq!(
        record.principal_reasons[0].features,
        ["months_behind_before"]
    );
}

#[test]
fn incomplete_is_said_only_when_no_decision_is_possible() {
    let manifest = all_rules();
    let record = decided(
        &manifest,
        application(),
        &with("credit_limit", FeatureInput::Missing),
    );
    assert_eq!(
        (record.outcome, record.decided_by),
        (Outcome::Incomplete, DecidedBy::PolicyRule)
    );
    assert_eq!((record.score, record.margin), (None, None));
    assert_eq!(record.principal_reasons[0].features, ["credit_limit"]);
    assert_eq!(record.notice.unwrap().form_hint, Some(FormHint::C6));
    // A value that may be missing makes no application incomplete.
    let record = decided(
        &manifest,
        application(),
        &with("utilization", FeatureInput::Missing),
    );
    assert_ne!(record.outcome, Outcome::Incomplete);
    // Another required value is missing: no rule says so, and the request is refused as before.
    let refused = manifest.read(
        &with("months_behind", FeatureInput::Missing),
        &application(),
    );
    let reasons =
        |violations: Vec<Violation>| violations.iter().map(|it| it.reason).collect::<Vec<_>>();
    assert_eq!(reasons(refused.unwrap_err()), ["FEATURE_REQUIRED"]);
    // A wrong value beside the missing one is refused too.
    let mut wrong = with("credit_limit", FeatureInput::Missing);
    wrong.insert("months_behind".to_owned(), FeatureInput::Number(99.0));
    let refused = manifest.read(&wrong, &application()).unwrap_err();
    assert!(reasons(refused).contains(&"FEATURE_OUT_OF_RANGE"));
}

#[test]
fn the_digest_of_a_policy_is_over_what_it_says() {
    let rules = rule("a", "score < 400", DENY);
    let digest = |text: &str| Manifest::parse(text.as_bytes()).unwrap().policy.digest;
    let text = manifest_with(&rules);
    let spaced = text.replace(
        "approve_at_least = 620",
        "approve_at_least   =  620 # comment",
    );
    assert_eq!(digest(&text), digest(&spaced));
    assert_ne!(
        digest(&text),
        digest(&text.replace("score < 400", "score < 401"))
    );
    assert_ne!(
        digest(&text),
        digest(&text.replace("refer_at_least = 590", "refer_at_least = 591"))
    );
}

proptest! {
    /// Whatever two conditions say exactly about each other is what their values say on every application.
    #[test]
    fn exact_findings_agree_with_evaluation(
        low in -3..10i32,
        high in -3..10i32,
        cut in 300..850i32,
        other in 300..850i32,
        months in -2..10i32,
        score in 300..851i32,
        joint in proptest::sample::select(vec!["&&", "||"]),
        negated in any::<bool>(),
    ) {
        let first = format!("features.months_behind >= {low} {joint} score < {cut}");
        let not = if negated { "!" } else { "" };
        let second = format!("{not}(features.months_behind <= {high} {joint} score != {other})");
        let found = problems(&(rule("a", &first, DENY) + &rule("b", &second, REFER))).join("\n");
        let manifest = manifest();
        let scope = Scope { features: &manifest.features, before_score: false };
        let features = BTreeMap::from([("months_behind".to_owned(), FeatureInput::Number(f64::from(months)))]);
        let facts = Facts {
            features: &features, score: Some(score), probability: Some(0.5),
            amount: None, currency: None, product: None, purpose: None,
        };
        let holds = |text: &str| parse(text, &scope).unwrap().holds(&facts);
        if found.contains("rules[0].when: never holds") {
            prop_assert!(!holds(&first));
        }
        if found.contains("rules[1].when: never holds") {
            prop_assert!(!holds(&second));
        }
        if found.contains("rules[1].when: is never reached") {
            prop_assert!(!holds(&second) || holds(&first));
        }
        if !found.contains("overlaps") && !found.contains("never") {
            prop_assert!(!(holds(&first) && holds(&second)), "{found}");
        }
    }
}

/// Conditions made to have as many cases as possible are given up on, not waited for.
#[test]
fn the_work_of_a_check_is_bounded() {
    let cases = |number: usize| {
        let list: Vec<String> = (0..60)
            .map(|value| (value * 7 + number).to_string())
            .collect();
        let list = list.join(", ");
        format!(
            "!(features.account_months in [{list}]) && !(features.credit_limit in [{list}]) && score != {number}"
        )
    };
    let rules: String = (0..40)
        .map(|number| rule(&format!("r{number}"), &cases(number), REFER))
        .collect();
    let manifest = with_rules(&rules);
    let findings = analyse(&manifest.policy, &manifest.features, &manifest.score, &[]);
    assert_eq!(findings.len(), 40);
    for finding in findings {
        assert_eq!(finding.method, Method::Sampled(4_096), "{finding:?}");
    }
}
