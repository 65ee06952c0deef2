//! Load over HTTP/1.1: connections that stay open, each with one request at a time.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

/// Bytes of an answer at most.
const ANSWER_MAX: usize = 1 << 20;

/// How requests follow each other.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// Each connection sends its next request after the answer to the last one.
    Closed,
    /// So many requests a second over all connections, whether or not answers come; a connection that is late sends
    /// at once.
    Open(f64),
}

/// What to send, and where.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// The server.
    pub to: SocketAddr,
    /// Connections at a time.
    pub connections: u32,
    /// How requests follow each other.
    pub pace: Pace,
    /// How long requests are sent.
    pub length: Duration,
}

/// What came back.
#[derive(Debug, Default)]
pub struct Answers {
    /// Times from the sent request to the whole answer, by status, ascending.
    pub times: BTreeMap<u16, Vec<Duration>>,
    /// Requests without an answer, whose connection was opened anew.
    pub lost: usize,
    /// Requests that were sent more than 10 ms after their turn, because their connection was busy.
    pub late: usize,
    /// From the first request to the last answer.
    pub took: Duration,
}

impl Answers {
    /// Answers with this status.
    pub fn count(&self, status: u16) -> usize {
        self.times.get(&status).map_or(0, Vec::len)
    }

    /// Answers with this status in a second.
    pub fn per_second(&self, status: u16) -> f64 {
        self.count(status) as f64 / self.took.as_secs_f64()
    }

    /// The time within which so many of a thousand answers with a status came; zero without any.
    pub fn quantile(&self, status: u16, of_thousand: usize) -> Duration {
        let times = self.times.get(&status).map_or(&[][..], Vec::as_slice);
        let last = times.len().saturating_sub(1);
        times
            .get(last * of_thousand / 1_000)
            .copied()
            .unwrap_or_default()
    }

    fn add(&mut self, other: Self) {
        for (status, times) in other.times {
            self.times.entry(status).or_default().extend(times);
        }
        self.lost += other.lost;
        self.late += other.late;
    }
}

/// A request with a JSON body.
pub fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: load\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A request without a body.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: load\r\n\r\n").into_bytes()
}

/// Sends requests, each made from its number, until the time is over and the last answers are there.
pub async fn run<F>(load: Load, request: F) -> Answers
where
    F: Fn(u64) -> Vec<u8> + Send + Sync + 'static,
{
    let request = Arc::new(request);
    let start = Instant::now();
    let mut connections = JoinSet::new();
    for number in 0..load.connections {
        let request = Arc::clone(&request);
        connections.spawn(async move {
            let mut sender = Sender {
                load,
                number,
                start,
                answers: Answers::default(),
            };
            sender.send_all(&*request).await;
            sender.answers
        });
    }
    let mut answers = Answers::default();
    while let Some(one) = connections.join_next().await {
        answers.add(one.expect("a connection does not panic"));
    }
    for times in answers.times.values_mut() {
        times.sort_unstable();
    }
    answers.took = start.elapsed();
    answers
}

/// One connection.
struct Sender {
    load: Load,
    number: u32,
    start: Instant,
    answers: Answers,
}

impl Sender {
    async fn send_all(&mut self, request: &impl Fn(u64) -> Vec<u8>) {
        let mut stream = None;
        let mut buffer = Vec::with_capacity(8 * 1024);
        for turn in 0_u64.. {
            if !self.wait(turn).await {
                return;
            }
            let bytes = request(turn * u64::from(self.load.connections) + u64::from(self.number));
            let sent = Instant::now();
            if let Ok(status) = exchange(&mut stream, self.load.to, &bytes, &mut buffer).await {
                let times = self.answers.times.entry(status).or_default();
                times.push(sent.elapsed());
            } else {
                stream = None;
                self.answers.lost += 1;
            }
        }
    }

    /// Waits for a turn. Returns whether there is time left for it.
    async fn wait(&mut self, turn: u64) -> bool {
        let end = self.start + self.load.length;
        if let Pace::Open(rate) = self.load.pace {
            let connections = f64::from(self.load.connections);
            let place = turn as f64 * connections + f64::from(self.number);
            let due = self.start + Duration::from_secs_f64(place / rate);
            if due >= end {
                return false;
            }
            if due.elapsed() > Duration::from_millis(10) {
                self.answers.late += 1;
            }
            sleep_until(due.into()).await;
        }
        Instant::now() < end
    }
}

/// Sends a request and reads its answer; returns the status.
async fn exchange(
    stream: &mut Option<TcpStream>,
    to: SocketAddr,
    request: &[u8],
    buffer: &mut Vec<u8>,
) -> io::Result<u16> {
    let stream = if let Some(stream) = stream {
        stream
    } else {
        let opened = TcpStream::connect(to).await?;
        opened.set_nodelay(true)?;
        stream.insert(opened)
    };
    stream.write_all(request).await?;
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 || buffer.len() > ANSWER_MAX {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(answer) = whole(buffer)? {
            return Ok(answer);
        }
    }
}

/// The status of an answer once all of it is there.
fn whole(bytes: &[u8]) -> io::Result<Option<u16>> {
    let broken = || io::Error::from(io::ErrorKind::InvalidData);
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| broken())?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status
        .and_then(|text| text.parse().ok())
        .ok_or_else(broken)?;
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .ok_or_else(broken)?;
    Ok((bytes.len() >= end + 4 + length).then_some(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_last_byte() {
        let answer = b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}";
        for length in 0..answer.len() {
            assert_eq!(whole(&answer[..length]).unwrap(), None, "{length}");
        }
        assert_eq!(whole(answer).unwrap(), Some(503));
        assert!(whole(b"HTTP/1.1 200 OK\r\n\r\n").is_err(), "no length");
    }

    #[test]
    fn quantiles_are_of_one_status() {
        let times = (1..=100).map(Duration::from_millis).collect();
        let answers = Answers {
            times: BTreeMap::from([(200, times)]),
            took: Duration::from_secs(2),
            ..Answers::default()
        };
        assert_eq!(answers.quantile(200, 990), Duration::from_millis(99));
        assert_eq!(answers.quantile(503, 500), Duration::ZERO);
        assert!((answers.per_second(200) - 50.0).abs() < 1e-9);
    }
}
