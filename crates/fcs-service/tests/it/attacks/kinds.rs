//! The attacks.

use std::time::Duration;

use super::frames::{
    END_HEADERS, END_STREAM, fields, frame, large_indexed_field, opening, request,
};

const SLOWLY: Duration = Duration::from_millis(400);
const INITIAL_WINDOW_SIZE: u16 = 4;
/// Frames of a flood: three times what the server allows.
const FLOOD: usize = 3_000;

/// What one connection does.
#[derive(Clone)]
pub(super) struct Attack {
    pub(super) name: &'static str,
    /// Sent at once.
    pub(super) opening: Vec<u8>,
    /// Sent again and again.
    pub(super) drip: Option<(Vec<u8>, Duration)>,
    pub(super) reading: Reading,
}

/// Whether it reads the answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Everything,
    Nothing,
}

fn kind(name: &'static str, opening: impl Into<Vec<u8>>) -> Attack {
    Attack {
        name,
        opening: opening.into(),
        drip: None,
        reading: Reading::Everything,
    }
}

impl Attack {
    fn dripping(self, drip: impl Into<Vec<u8>>) -> Self {
        let drip = Some((drip.into(), SLOWLY));
        Self { drip, ..self }
    }

    fn unread(self) -> Self {
        Self {
            reading: Reading::Nothing,
            ..self
        }
    }
}

pub(super) fn attacks() -> Vec<Attack> {
    let mut all = slow_ones();
    all.extend(floods());
    all.extend(bombs());
    all
}

/// Those that keep the server waiting.
pub(super) fn slow_ones() -> Vec<Attack> {
    let post = "POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n";
    let get = "GET /v1/large HTTP/1.1\r\nHost: x\r\n\r\n";
    vec![
        kind("silence", ""),
        kind("one byte", "G"),
        kind("dribbled head", "GET / HTTP/1.1\r\nHost: x\r\nX: ").dripping("a"),
        kind("half a preface", "PRI * HTTP/2"),
        kind("preface, then silence", &opening(&[])[..24]),
        kind("slow body", post).dripping("a"),
        kind(
            "slow body, HTTP/2",
            [opening(&[]), request(1, "POST", "/v1/echo", 0)].concat(),
        )
        .dripping(frame(0, 0, 1, b"a")),
        kind("pipelined and unread", get.repeat(20)).unread(),
        kind(
            "unread, HTTP/2",
            [opening(&[]), request(1, "GET", "/v1/large", END_STREAM)].concat(),
        )
        .unread(),
        kind(
            "window of 0",
            [
                opening(&[(INITIAL_WINDOW_SIZE, 0)]),
                request(1, "GET", "/v1/large", END_STREAM),
            ]
            .concat(),
        ),
        kind("idle, HTTP/2", opening(&[])),
        kind("pings only", opening(&[])).dripping(ping()),
    ]
}

fn ping() -> Vec<u8> {
    frame(6, 0, 0, &[0; 8])
}

fn floods() -> Vec<Attack> {
    let resets = (0..2_000)
        .flat_map(|number| {
            let stream = 2 * number + 1;
            let head = request(stream, "GET", "/v1/gate", END_STREAM);
            [head, frame(3, 0, stream, &8_u32.to_be_bytes())].concat()
        })
        .collect::<Vec<_>>();
    let after = |frames: Vec<u8>| [opening(&[]), frames].concat();
    let post = request(1, "POST", "/v1/echo", 0);
    vec![
        kind("rapid reset", after(resets)),
        kind("settings", after(frame(4, 0, 0, &[]).repeat(FLOOD))),
        kind("pings", after(ping().repeat(FLOOD))),
        kind(
            "empty data",
            after([post.clone(), frame(0, 0, 1, &[]).repeat(FLOOD)].concat()),
        ),
        kind(
            "window updates",
            after(frame(8, 0, 0, &1_u32.to_be_bytes()).repeat(FLOOD)),
        ),
        kind(
            "priorities",
            after(frame(2, 0, 1, &[0, 0, 0, 3, 1]).repeat(FLOOD)),
        ),
        kind(
            "continuation",
            after(
                [
                    frame(1, 0, 1, &fields("GET", "/health")),
                    frame(9, 0, 1, &[0x10, 1, b'x', 1, b'v']).repeat(FLOOD),
                ]
                .concat(),
            ),
        ),
        kind("flood below a request", {
            let gate = request(1, "GET", "/v1/gate", END_STREAM);
            after([gate, ping().repeat(FLOOD)].concat())
        }),
    ]
}

fn bombs() -> Vec<Attack> {
    // One field of 4,000 bytes, and 12,000 times the byte that stands for it.
    let mut block = fields("GET", "/health");
    block.extend(large_indexed_field());
    block.extend([0xbe; 12_000]);
    let head = "X: v\r\n".repeat(2_000);
    let long = "v".repeat(60_000);
    vec![
        kind(
            "header bomb, HTTP/2",
            [opening(&[]), frame(1, END_HEADERS | END_STREAM, 1, &block)].concat(),
        ),
        kind(
            "header bomb",
            format!("GET /health HTTP/1.1\r\nHost: x\r\n{head}\r\n"),
        ),
        kind(
            "long header",
            format!("GET /health HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n"),
        ),
    ]
}
