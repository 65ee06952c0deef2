//! A private OpenID Connect issuer (oidc-provider).

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::free_port;

const START_LIMIT: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(20);
/// "tester:tester-secret" for HTTP Basic.
const CLIENT: &str = "dGVzdGVyOnRlc3Rlci1zZWNyZXQ=";

/// A running issuer; killed when dropped.
pub struct OidcIssuer {
    /// Its name, which is its URL.
    pub issuer: String,
    port: u16,
    child: Child,
}

/// Starts an issuer.
///
/// # Panics
/// When the tests run without `cargo xtask test`, or the issuer does not start.
pub fn issuer() -> OidcIssuer {
    let program = crate::server_url("FCS_TEST_OIDC_ISSUER");
    let port = free_port();
    let child = Command::new("node")
        .args([&program, &port.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("node starts");
    let mut issuer = OidcIssuer {
        issuer: format!("http://127.0.0.1:{port}"),
        port,
        child,
    };
    let start = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        let ended = issuer.child.try_wait().expect("the child is ours");
        assert!(ended.is_none(), "the issuer ended with {ended:?}");
        assert!(start.elapsed() < START_LIMIT, "the issuer does not listen");
        std::thread::sleep(PAUSE);
    }
    issuer
}

impl OidcIssuer {
    /// A token for an audience, with a scope such as "tenant:acme role:auditor".
    ///
    /// # Panics
    /// When the issuer gives none.
    pub fn token(&self, audience: &str, scope: &str) -> String {
        let encode = |text: &str| {
            text.replace(':', "%3A")
                .replace('/', "%2F")
                .replace(' ', "+")
        };
        let form = format!(
            "grant_type=client_credentials&scope={}&resource={}",
            encode(scope),
            encode(audience)
        );
        let answer = self.exchange("POST", "/token", &form);
        let token = answer.split("\"access_token\":\"").nth(1);
        let token = token.and_then(|rest| rest.split('"').next());
        assert!(token.is_some(), "there is no token in {answer}");
        token.unwrap_or_default().to_owned()
    }

    /// Gives the issuer new signing keys.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn rotate(&self) {
        self.exchange("POST", "/rotate", "");
    }

    /// How often its keys have been asked for.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn asked(&self) -> u32 {
        let answer = self.exchange("GET", "/asked", "");
        let count = answer.lines().next_back().expect("a body");
        count.trim().parse().expect("a number")
    }

    /// Its public keys, as JSON (RFC 7517).
    ///
    /// # Panics
    /// When it does not answer with JSON.
    pub fn keys(&self) -> serde_json::Value {
        let answer = self.exchange("GET", "/jwks", "");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str(body).expect("the keys are JSON")
    }

    fn exchange(&self, method: &str, path: &str, form: &str) -> String {
        let port = self.port;
        let mut stream =
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the issuer listens");
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Basic {CLIENT}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }
}

impl Drop for OidcIssuer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
