//! What running services expose.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::system::{SERVICES, System};

/// Values of each label of each metric.
#[derive(Default)]
pub(super) struct Exposed(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Exposed {
    /// Asks every service.
    pub(super) fn read(system: &System) -> Self {
        let mut all = Self::default();
        for service in SERVICES {
            all.add(service, &metrics(&system.admin(service)));
        }
        all
    }

    /// The metrics of one service.
    pub(super) fn parse(service: &str, text: &str) -> Self {
        let mut one = Self::default();
        one.add(service, text);
        one
    }

    /// The labels of a metric and their values; `None` when no service exposes it.
    pub(super) fn labels(&self, name: &str) -> Option<&BTreeMap<String, BTreeSet<String>>> {
        self.0.get(name)
    }

    fn add(&mut self, service: &str, text: &str) {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            // What follows " # " is an exemplar.
            let series = line.split(" # ").next().unwrap();
            let (name, labels) = match series.split_once('{') {
                Some((name, rest)) => (name, rest.rsplit_once('}').unwrap().0),
                None => (series.split(' ').next().unwrap(), ""),
            };
            let own = self.0.entry(name.to_owned()).or_default();
            let target = ("job".to_owned(), service.to_owned());
            for (label, value) in pairs(labels).into_iter().chain([target]) {
                own.entry(label).or_default().insert(value);
            }
        }
    }
}

/// `a="x",b="y"`; no value of ours holds a quote.
fn pairs(labels: &str) -> Vec<(String, String)> {
    let parts: Vec<&str> = labels.split('"').collect();
    parts
        .chunks_exact(2)
        .map(|part| {
            let label = part[0].trim_start_matches(',').trim_end_matches('=');
            (label.to_owned(), part[1].to_owned())
        })
        .collect()
}

fn metrics(admin: &str) -> String {
    let mut stream = TcpStream::connect(admin.strip_prefix("http://").unwrap()).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.0\r\nhost: test\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 "), "{head}");
    body.to_owned()
}
