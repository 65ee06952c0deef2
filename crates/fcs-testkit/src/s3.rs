//! A private server that speaks S3 (moto), with one bucket.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::free_port;

const START_LIMIT: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(20);

/// A running server; killed when dropped, and its contents with it.
pub struct S3Server {
    /// URL of the server.
    pub endpoint: String,
    child: Child,
}

/// Starts a server with an empty bucket.
///
/// # Panics
/// When the tests run without `cargo xtask test`, or the server does not start.
pub fn server(bucket: &str) -> S3Server {
    let program = crate::server_url("FCS_TEST_MOTO_SERVER");
    let port = free_port();
    let child = Command::new(Path::new(&program))
        .args(["-H", "127.0.0.1", "-p", &port.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("moto_server starts");
    let mut server = S3Server {
        endpoint: format!("http://127.0.0.1:{port}"),
        child,
    };
    let start = Instant::now();
    while !creates_bucket(port, bucket) {
        let ended = server.child.try_wait().expect("the child is ours");
        assert!(ended.is_none(), "moto_server ended with {ended:?}");
        assert!(start.elapsed() < START_LIMIT, "moto_server does not answer");
        std::thread::sleep(PAUSE);
    }
    server
}

impl Drop for S3Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn creates_bucket(port: u16, bucket: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
        return false;
    };
    let request = format!(
        "PUT /{bucket} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let mut answer = String::new();
    let exchanged = stream
        .write_all(request.as_bytes())
        .and_then(|()| stream.read_to_string(&mut answer));
    exchanged.is_ok() && answer.starts_with("HTTP/1.1 200")
}
