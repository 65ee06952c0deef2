//! Floods of HTTP/2 frames that carry nothing: pings, settings, resets, empty data, window updates.
//!
//! h2 answers each of them correctly and for ever. Frames of requests and of their bodies are limited elsewhere; all
//! others are paid from an allowance, which grows with time and with what the connection is used for.

use tokio::time::Instant;

/// Length of a frame's head (RFC 9113, section 4.1).
const HEAD_BYTES: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;

const ALLOWANCE_MAX: u64 = 1_024;
const ALLOWANCE_PER_SECOND: u64 = 128;
/// A request may be followed by its end, a reset, or a priority.
const ALLOWANCE_PER_REQUEST: u64 = 4;
/// A client acknowledges what it has read by window updates, and measures the line by pings.
const WRITTEN_BYTES_PER_FRAME: u64 = 512;

/// Counts the frames of a client.
pub(super) struct FrameMeter {
    head: [u8; HEAD_BYTES],
    head_length: usize,
    /// Bytes of the present frame that are still to come.
    payload_left: usize,
    allowance: u64,
    written: u64,
    paid_until: Instant,
}

impl FrameMeter {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            head: [0; HEAD_BYTES],
            head_length: 0,
            payload_left: 0,
            allowance: ALLOWANCE_MAX,
            written: 0,
            paid_until: now,
        }
    }

    /// Notes bytes that went to the client.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.written += bytes as u64;
    }

    /// Notes bytes of the client. `false` when their frames are a flood.
    pub(super) fn read(&mut self, mut bytes: &[u8], now: Instant) -> bool {
        self.grow(now);
        let mut calm = true;
        while !bytes.is_empty() {
            let skipped = self.payload_left.min(bytes.len());
            self.payload_left -= skipped;
            bytes = &bytes[skipped..];
            let taken = (HEAD_BYTES - self.head_length).min(bytes.len());
            self.head[self.head_length..][..taken].copy_from_slice(&bytes[..taken]);
            self.head_length += taken;
            bytes = &bytes[taken..];
            if self.head_length == HEAD_BYTES {
                self.head_length = 0;
                calm &= self.note_frame();
            }
        }
        calm
    }

    fn note_frame(&mut self) -> bool {
        let [a, b, c, kind, ..] = self.head;
        self.payload_left = u32::from_be_bytes([0, a, b, c]) as usize;
        match kind {
            DATA if self.payload_left > 0 => {}
            HEADERS => self.earn(ALLOWANCE_PER_REQUEST),
            _ if self.allowance == 0 => return false,
            _ => self.allowance -= 1,
        }
        true
    }

    fn grow(&mut self, now: Instant) {
        let seconds = now.duration_since(self.paid_until).as_secs();
        if seconds > 0 {
            self.paid_until = now;
            self.earn(seconds.saturating_mul(ALLOWANCE_PER_SECOND));
        }
        self.earn(self.written / WRITTEN_BYTES_PER_FRAME);
        self.written %= WRITTEN_BYTES_PER_FRAME;
    }

    fn earn(&mut self, frames: u64) {
        self.allowance = self.allowance.saturating_add(frames).min(ALLOWANCE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).unwrap().to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, 0, 0, 0, 0, 1];
        bytes.resize(HEAD_BYTES + payload, 0xff);
        bytes
    }

    #[test]
    fn pings_have_an_end_and_come_back_with_time_and_use() {
        let mut now = Instant::now();
        let mut meter = FrameMeter::new(now);
        let ping = frame(PING, 8);
        for _ in 0..ALLOWANCE_MAX {
            assert!(meter.read(&ping, now));
        }
        assert!(!meter.read(&ping, now), "one too many");
        now += Duration::from_secs(1);
        for _ in 0..ALLOWANCE_PER_SECOND {
            assert!(meter.read(&ping, now));
        }
        assert!(!meter.read(&ping, now));
        meter.wrote(1_024);
        assert!(meter.read(&[ping.clone(), ping.clone()].concat(), now));
        assert!(!meter.read(&ping, now));
        assert!(meter.read(&frame(HEADERS, 20), now));
        assert!(meter.read(&ping, now));
    }

    #[test]
    fn bodies_are_free_however_they_are_cut() {
        let now = Instant::now();
        let mut meter = FrameMeter::new(now);
        let body = frame(DATA, 700).repeat(3_000);
        for piece in body.chunks(13) {
            assert!(meter.read(piece, now));
        }
        let empty = frame(DATA, 0).repeat(3_000);
        assert!(!meter.read(&empty, now), "empty ones are not");
    }
}
