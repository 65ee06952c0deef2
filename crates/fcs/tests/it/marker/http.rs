//! What a lender does over HTTP.

use serde_json::{Value, json};

use super::forms::{AMOUNT, NUMBER, NUMBER_OUT_OF_RANGE, TEXT};
use super::lender::{CONTROL, Lender, features};
use super::wire::{Answer, ask_malformed, break_off, send};

/// A request that says everything that one can say.
fn application(number: u32) -> Value {
    let factor =
        json!({"code": format!("{TEXT}-7"), "text": format!("{TEXT} factor"), "inquiries": false});
    json!({
        "application_id": format!("A-{TEXT}-{number}"),
        "features": features(),
        "purpose": "new",
        "product": format!("{TEXT} card"),
        "amount": {"value": AMOUNT, "currency": "USD"},
        "bureau_score": {
            "score": 611, "range_low": 300, "range_high": 850, "created_on": "2026-10-01",
            "provider": format!("{TEXT} bureau"), "key_factors": [factor],
            "consumer_reporting_agency": {
                "name": format!("{TEXT} agency"), "address": format!("{TEXT} road"), "telephone": format!("{TEXT}-1"),
            },
        },
    })
}

/// The same with another member or feature, or another value of one.
fn spoilt(pointer: &str, value: Value) -> String {
    let mut body = application(1);
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[name] = value;
    body.to_string()
}

/// Bodies that are refused, each for another reason.
fn bad_bodies() -> Vec<String> {
    let far = Value::from(NUMBER_OUT_OF_RANGE);
    let mut bodies: Vec<String> = [
        ("/features/dir", far.clone()),
        ("/features/dir", TEXT.into()),
        ("/features/dir", json!([TEXT, NUMBER])),
        ("/features/dir", json!({"value": NUMBER, "source": TEXT})),
        (
            "/features/dir",
            json!({"value": NUMBER, "source": "bureau", "as_of": TEXT}),
        ),
        ("/features/pbcr", far.clone()),
        ("/features/pbcr", TEXT.into()),
        (&format!("/features/{TEXT}"), NUMBER.into()),
        ("/features/race", TEXT.into()),
        (&format!("/{TEXT}"), TEXT.into()),
        ("/application_id", format!("{TEXT}\u{1}").into()),
        ("/application_id", far.clone()),
        ("/application_id", TEXT.repeat(20).into()),
        ("/purpose", TEXT.into()),
        ("/purpose", far.clone()),
        ("/product", format!("{TEXT}\n").into()),
        ("/amount/value", format!("{TEXT}{AMOUNT}").into()),
        ("/amount/value", far.clone()),
        ("/amount/currency", TEXT.into()),
        ("/received_on", TEXT.into()),
        ("/language", TEXT.into()),
        ("/bureau_score/score", far),
        ("/bureau_score/provider", format!("{TEXT}\n").into()),
        (&format!("/bureau_score/{TEXT}"), TEXT.into()),
    ]
    .into_iter()
    .map(|(pointer, value)| spoilt(pointer, value))
    .collect();
    bodies.extend([
        format!("{{\"application_id\": \"{TEXT}\", "),
        format!("{TEXT} {NUMBER}"),
        format!("[\"{TEXT}\", {NUMBER}]"),
        format!("{{\"features\":{{\"dir\":{NUMBER},\"dir\":{NUMBER_OUT_OF_RANGE}}},\"application_id\":\"{TEXT}\"}}"),
        format!("\"{}\"", TEXT.repeat(20_000)),
    ]);
    bodies
}

impl Lender {
    fn http(&self, request: &str, body: &str) -> Answer {
        self.http_as(
            request,
            &format!("k-{TEXT}-{request}").replace(' ', ""),
            body,
        )
    }

    fn http_as(&self, request: &str, idempotency_key: &str, body: &str) -> Answer {
        let head = format!(
            "authorization: Bearer {}\r\ncontent-type: application/json\r\nx-request-id: {CONTROL}\r\n\
             idempotency-key: {idempotency_key}\r\ncookie: {TEXT}={NUMBER}\r\nuser-agent: {TEXT}\r\n\
             x-{TEXT}: {TEXT}\r\n",
            self.key
        );
        send(&self.gateway, request, &head, body)
    }

    /// Everything that can be done over HTTP.
    pub(crate) fn talk_http(&self) {
        let score = "POST /v1/applications/score";
        let body = application(1).to_string();
        let scored = self.http(score, &body);
        assert_eq!(scored.status, 200, "{}", scored.body);
        assert_eq!(self.http(score, &body).body, scored.body);
        let other = self.http(score, &application(2).to_string());
        assert_eq!(other.status, 422, "{}", other.body);
        let decision = scored.json();
        assert_eq!(decision["outcome"], "deny", "{decision}");
        self.read(decision["decision_id"].as_str().unwrap());
        self.review(decision["decision_id"].as_str().unwrap());
        let item = |number: u32| {
            let mut item = application(number);
            item["idempotency_key"] = format!("k-{TEXT}-item-{number}").into();
            item
        };
        let mut bad = item(4);
        bad["features"]["pbcr"] = TEXT.into();
        let items = json!({"items": [item(3), bad, TEXT]});
        let batch = self.http("POST /v1/decisions:batch", &items.to_string());
        assert_eq!(batch.status, 200, "{}", batch.body);
        self.erase();
        for body in bad_bodies() {
            let refused = self.http_as(score, &format!("k-{TEXT}-bad"), &body);
            assert!(
                (400..500).contains(&refused.status),
                "{} to {body}",
                refused.body
            );
        }
    }

    fn read(&self, id: &str) {
        for (request, status) in [
            (format!("GET /v1/decisions/{id}"), 200),
            (format!("GET /v1/decisions/{id}/explanation"), 200),
            (format!("POST /v1/decisions/{id}/replay"), 200),
            (format!("GET /v1/decisions/{id}/notice"), 200),
            (format!("GET /v1/decisions/{id}/reviews"), 200),
            (format!("GET /v1/decisions?application_id=A-{TEXT}-1"), 200),
            (format!("GET /v1/decisions?page_token={TEXT}"), 400),
            (format!("GET /v1/decisions?after_index={TEXT}"), 400),
            (format!("GET /v1/decisions?{TEXT}={NUMBER}"), 400),
            (format!("GET /v1/decisions/{TEXT}"), 400),
            (format!("GET /v1/shadow/{TEXT}/summary"), 404),
            (format!("GET /v1/{TEXT}?{TEXT}={NUMBER}"), 404),
            (format!("{TEXT} /v1/{TEXT}"), 404),
            (format!("{} /v1/decisions", TEXT.to_uppercase()), 405),
        ] {
            let answer = self.http(&request, "");
            assert_eq!(answer.status, status, "{request}: {}", answer.body);
        }
        let cut = format!(
            "POST /v1/decisions HTTP/1.1\r\nhost: {TEXT}\r\ncontent-length: 99\r\n\r\n{TEXT}"
        );
        break_off(&self.gateway, &cut);
        let garbage = format!("{TEXT} {TEXT}\r\n{TEXT}\r\n\r\n");
        break_off(&self.gateway, &garbage);
        ask_malformed(&self.gateway, &format!("/{TEXT} {TEXT}"));
    }

    fn review(&self, id: &str) {
        let path = format!("POST /v1/decisions/{id}/reviews");
        let review = |codes: &[&str], note: String| {
            json!({"reviewer": format!("u-{TEXT}"), "outcome": "deny", "reason_codes": codes, "note": note}).to_string()
        };
        let note = format!("called {TEXT} about {NUMBER}");
        let good = self.http(&path, &review(&["C1-06"], note.clone()));
        assert_eq!(good.status, 201, "{}", good.body);
        for (key, body) in [
            ("a", review(&[TEXT], note.clone())),
            ("b", review(&["C1-06"], format!("{TEXT}\u{0}"))),
            (
                "c",
                json!({"reviewer": TEXT, "outcome": TEXT, "note": NUMBER}).to_string(),
            ),
        ] {
            let bad = self.http_as(&path, &format!("{TEXT}-{key}"), &body);
            assert_eq!(bad.status, 400, "{}", bad.body);
        }
        let delivery = json!({"channel": TEXT, "sent_at": TEXT, "notice_digest": TEXT}).to_string();
        let delivery = self.http(
            &format!("POST /v1/decisions/{id}/notice/deliveries"),
            &delivery,
        );
        assert_eq!(delivery.status, 400, "{}", delivery.body);
    }

    fn erase(&self) {
        let erasure = |id: &str, reason: &str| {
            let body = json!({"application_id": id, "reason": reason}).to_string();
            self.http("POST /v1/erasures", &body)
        };
        let own = format!("A-{TEXT}-1");
        let reason = format!("asked for by letter {CONTROL}");
        assert_eq!(erasure(&own, &reason).json()["state"], "scheduled");
        assert_eq!(erasure(&own, &format!("{own} asked")).status, 400);
        assert_eq!(erasure(&format!("B-{TEXT}"), &reason).status, 404);
        assert_eq!(erasure(&format!("{TEXT}\u{1}"), &reason).status, 400);
    }
}
