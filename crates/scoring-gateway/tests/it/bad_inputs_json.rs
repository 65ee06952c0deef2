//! Bodies that are no request for a decision: each has its documented answer, at once, and none is a defect of ours.

use std::time::{Duration, Instant};

use crate::support::server::Server;
use crate::transport::{SCORE, activate};

/// No input may keep the gateway busy.
const LIMIT: Duration = Duration::from_secs(1);
const NOT_JSON: (u16, &str) = (400, "MALFORMED_JSON");
const SHAPE: (u16, &str) = (400, "INVALID_BODY");
const RULES: (u16, &str) = (400, "REQUEST_INVALID");

/// A body whose application, or features, are this text.
fn application(id: &str) -> Vec<u8> {
    format!(r#"{{"application_id":{id},"features":{{"income":90000,"housing":"own"}}}}"#).into()
}

fn features(members: &str) -> Vec<u8> {
    format!(r#"{{"application_id":"A-1","features":{{{members}}}}}"#).into()
}

fn income(value: &str) -> Vec<u8> {
    features(&format!(r#""housing":"own","income":{value}"#))
}

type Case = (&'static str, Vec<u8>, (u16, &'static str));

fn texts_that_are_not_json() -> Vec<Case> {
    let good = application(r#""A-1""#);
    let with = |before: &[u8], after: &[u8]| [before, &good, after].concat();
    let utf16 = String::from_utf8(good.clone()).unwrap();
    let utf16 = utf16.encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        ("empty", vec![], NOT_JSON),
        ("white space", b" \r\n\t".to_vec(), NOT_JSON),
        ("truncated", good[..good.len() - 1].to_vec(), NOT_JSON),
        ("trailing data", with(b"", b"x"), NOT_JSON),
        ("two documents", with(b"", &good), NOT_JSON),
        ("byte order mark", with(b"\xef\xbb\xbf", b""), NOT_JSON),
        ("UTF-16", utf16, NOT_JSON),
        ("comment", with(b"/**/", b""), NOT_JSON),
        ("1e400", income("1e400"), NOT_JSON),
        ("NaN", income("NaN"), NOT_JSON),
        ("Infinity", income("Infinity"), NOT_JSON),
        ("-Infinity", income("-Infinity"), NOT_JSON),
        ("leading plus", income("+1"), NOT_JSON),
        ("leading zero", income("01"), NOT_JSON),
        ("hexadecimal", income("0x10"), NOT_JSON),
        ("trailing comma", features(r#""housing":"own","#), NOT_JSON),
        ("single quotes", application("'A-1'"), NOT_JSON),
        (
            "invalid UTF-8",
            [&b"{\"\xff\":"[..], b"1}"].concat(),
            NOT_JSON,
        ),
        ("lone surrogate", application(r#""A\ud800""#), NOT_JSON),
        (
            "wrong surrogate pair",
            application(r#""\ud800\u0041""#),
            NOT_JSON,
        ),
        ("raw control character", application("\"A\u{1}\""), NOT_JSON),
    ]
}

fn other_shapes() -> Vec<Case> {
    let twice = r#"{"application_id":"A","application_id":"A","features":{}}"#;
    let features_twice = r#"{"application_id":"A","features":{},"features":{}}"#;
    let deep = format!("{}{}", "[".repeat(129), "]".repeat(129));
    let zeros = format!("[{}0]", "0,".repeat(400_000));
    vec![
        ("null", b"null".to_vec(), SHAPE),
        ("129 deep", income(&deep), SHAPE),
        (
            "a million deep",
            format!(r#"{{"note":{}"#, "[".repeat(1_000_000)).into(),
            NOT_JSON,
        ),
        ("array", b"[]".to_vec(), SHAPE),
        ("huge array", zeros.into(), SHAPE),
        ("text", br#""{}""#.to_vec(), SHAPE),
        ("no member", b"{}".to_vec(), SHAPE),
        ("member twice", twice.into(), SHAPE),
        ("features twice", features_twice.into(), SHAPE),
        ("feature twice", features(r#""income":1,"income":1"#), SHAPE),
        (
            "feature twice, escaped",
            features(r#""income":1,"\u0069ncome":1"#),
            SHAPE,
        ),
        ("boolean", income("true"), SHAPE),
        ("list", income("[1]"), SHAPE),
        ("object", income(r#"{"value":1}"#), SHAPE),
        ("number as id", application("1"), SHAPE),
        ("null as id", application("null"), SHAPE),
    ]
}

fn broken_rules() -> Vec<Case> {
    let many: Vec<_> = (0..1_025)
        .map(|number| format!("\"f{number}\":1"))
        .collect();
    let long = format!("\"{}\"", "A".repeat(129));
    vec![
        ("U+0000 in the id", application(r#""A\u0000B""#), RULES),
        ("line break in the id", application(r#""A\r\nX: y""#), RULES),
        (
            "terminal escape in the id",
            application(r#""A\u001b[31m""#),
            RULES,
        ),
        ("empty id", application(r#""""#), RULES),
        ("long id", application(&long), RULES),
        ("beyond 2^53", income("9007199254740993"), RULES),
        ("beyond u64", income("18446744073709551616"), RULES),
        ("largest double", income("1.7976931348623157e308"), RULES),
        ("number as text", income(r#""90000""#), RULES),
        (
            "fraction for an integer",
            features(r#""income":1,"housing":"own","delinquencies":0.5"#),
            RULES,
        ),
        ("missing where it must not", income("null"), RULES),
        (
            "unknown category",
            features(r#""income":1,"housing":"OWN""#),
            RULES,
        ),
        (
            "category with U+0000",
            features(r#""income":1,"housing":"own\u0000""#),
            RULES,
        ),
        (
            "unknown feature",
            features(r#""income":1,"housing":"own","no":1"#),
            RULES,
        ),
        // Cyrillic letters that look like Latin ones, and a mark that turns the direction of writing.
        (
            "homoglyphs",
            features("\"inc\u{43e}me\":1,\"housing\":\"own\""),
            RULES,
        ),
        (
            "bidirectional mark",
            features("\"income\u{202e}\":1,\"housing\":\"own\""),
            RULES,
        ),
        (
            "feature with U+0000",
            features(r#""in\u0000come":1,"housing":"own""#),
            RULES,
        ),
        ("too many features", features(&many.join(",")), RULES),
        (
            "other member",
            br#"{"application_id":"A","features":{},"note":1}"#.to_vec(),
            RULES,
        ),
    ]
}

fn refused_by_name_or_size() -> Vec<Case> {
    vec![
        (
            "protected attribute",
            features(r#""sex":1"#),
            (400, "PROTECTED_ATTRIBUTE"),
        ),
        (
            "too long",
            application(&format!("\"{}\"", "A".repeat(10_000_000))),
            (413, "BODY_TOO_LARGE"),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bad_body_has_its_answer() {
    let server = Server::start().await;
    activate(&server, 1).await;
    let cases = [
        texts_that_are_not_json(),
        other_shapes(),
        broken_rules(),
        refused_by_name_or_size(),
    ]
    .concat();
    for (name, body, (status, reason)) in cases {
        let began = Instant::now();
        let answer = server
            .http("POST", SCORE, "idempotency-key: bad\r\n", &body)
            .await;
        let taken = began.elapsed();
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, status, "{name}: {text}");
        assert_eq!(answer.json()["reason"], reason, "{name}: {text}");
        assert!(answer.head.contains("application/problem+json"), "{name}");
        assert!(taken < LIMIT, "{name}: {taken:?}");
    }
    let left = server.http("GET", "/v1/decisions", "", b"").await.json();
    assert_eq!(left["highest_index"], 0, "none of them left a trace");
}

/// Strange, and still requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_odd_body_is_decided_and_kept_as_it_is() {
    let server = Server::start().await;
    activate(&server, 1).await;
    let cases = [
        ("minus zero", income("-0"), "A-1"),
        ("denormal", income("5e-324"), "A-1"),
        ("underflow", income("1e-400"), "A-1"),
        ("exponent", income("9E+4"), "A-1"),
        (
            "surrogate pair",
            application(r#""\ud83d\ude00""#),
            "\u{1f600}",
        ),
        (
            "quotes of SQL",
            application(r#""'; drop table decisions;--""#),
            "'; drop table decisions;--",
        ),
        (
            "markup",
            application(r#""<script>{{7*7}}</script>""#),
            "<script>{{7*7}}</script>",
        ),
        (
            "formula",
            application(r#""=cmd|' /C calc'!A0""#),
            "=cmd|' /C calc'!A0",
        ),
        (
            "bidirectional mark",
            application("\"A\u{202e}1\""),
            "A\u{202e}1",
        ),
    ];
    for (number, (name, body, id)) in cases.into_iter().enumerate() {
        let key = format!("idempotency-key: odd-{number}\r\n");
        let answer = server.http("POST", SCORE, &key, &body).await;
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, 200, "{name}: {text}");
        assert_eq!(answer.json()["application_id"], id, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_content_types_and_keys_are_refused() {
    let server = Server::start().await;
    activate(&server, 1).await;
    let body = application(r#""A-1""#);
    let cases = [
        (
            "text",
            "content-type: text/plain\r\nidempotency-key: k\r\n",
            (415, "UNSUPPORTED_MEDIA_TYPE"),
        ),
        (
            "form",
            "content-type: application/x-www-form-urlencoded\r\nidempotency-key: k\r\n",
            (415, "UNSUPPORTED_MEDIA_TYPE"),
        ),
        (
            "none",
            "idempotency-key: k\r\n",
            (415, "UNSUPPORTED_MEDIA_TYPE"),
        ),
        (
            "not UTF-8",
            "content-type: application/json\u{e9}\r\nidempotency-key: k\r\n",
            (415, "UNSUPPORTED_MEDIA_TYPE"),
        ),
        (
            "no key",
            "content-type: application/json\r\n",
            (400, "IDEMPOTENCY_KEY_MISSING"),
        ),
        (
            "two keys",
            "content-type: application/json\r\nidempotency-key: a\r\nidempotency-key: a\r\n",
            (400, "IDEMPOTENCY_KEY_MISSING"),
        ),
        (
            "empty key",
            "content-type: application/json\r\nidempotency-key:\r\n",
            (400, "IDEMPOTENCY_KEY_INVALID"),
        ),
        (
            "key that is not ASCII",
            "content-type: application/json\r\nidempotency-key: \u{e9}\r\n",
            (400, "IDEMPOTENCY_KEY_INVALID"),
        ),
    ];
    for (name, headers, (status, reason)) in cases {
        let answer = server.raw_post(SCORE, headers, &body).await;
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, status, "{name}: {text}");
        assert_eq!(answer.json()["reason"], reason, "{name}: {text}");
    }
    let long = format!(
        "content-type: application/json\r\nidempotency-key: {}\r\n",
        "k".repeat(129)
    );
    let answer = server.raw_post(SCORE, &long, &body).await;
    assert_eq!(answer.json()["reason"], "IDEMPOTENCY_KEY_INVALID");
}
