//! A marker in every personal field is found in no log, metric, span or database file.

mod forms;
mod grpc;
mod http;
mod lender;
mod others;
mod wire;

use std::fs;
use std::path::Path;

use fcs_testkit::collector::Collector;
use fcs_testkit::postgres_server::PostgresServer;
use fcs_testkit::redis::{self, RedisServer};

use crate::system::{SERVICES, Store, System};
use crate::up::CREDITOR;
use forms::Forms;
use lender::{CONTROL, Lender};
use others::talk_elsewhere;

/// The most talkative filter: everything by everybody, and once more by name.
const TALKATIVE: &str = "trace,h2=trace,hyper=trace,hyper_util=trace,tonic=trace,tower=trace,sqlx=trace,axum=trace,\
                         rustls=trace,reqwest=trace,redis=trace,opentelemetry_sdk=trace";

/// PostgreSQL logs every statement. Values bound to statements are left out, as docs/guides/privacy.md asks for: ids
/// are looked up as they are too, while rows from before encryption may be there.
const TALKATIVE_SERVER: [&str; 3] = [
    "log_min_messages=debug1",
    "log_statement=all",
    "log_parameter_max_length=0",
];

/// Something that is searched.
struct Place {
    name: String,
    content: Vec<u8>,
}

struct Stage {
    postgres: PostgresServer,
    redis: RedisServer,
    collector: Collector,
    system: System,
}

impl Stage {
    /// Every service at its most talkative, with every trace recorded. The bias monitor has a database of its own,
    /// because it keeps application ids as they are.
    async fn set() -> Self {
        let postgres = PostgresServer::start(&TALKATIVE_SERVER);
        let redis = redis::server();
        let collector = Collector::start().await;
        let store = Store::Postgres {
            database: postgres.url(),
            redis: redis.url(),
        };
        let traces = collector.url();
        let system = System::start_configured(store, move |name, command| {
            command
                .envs(CREDITOR)
                .env("LOG_LEVEL", TALKATIVE)
                .env("RUST_LOG", TALKATIVE)
                .env("FCS__TELEMETRY__OTLP_ENDPOINT", &traces)
                .env("FCS__TELEMETRY__TRACE_SAMPLE_RATIO", "1")
                .env("FCS__LIMITS__REQUESTS", "100000");
            if name == "bias-monitor" {
                command.env("DATABASE_URL", "sqlite:");
            }
        });
        Self {
            postgres,
            redis,
            collector,
            system,
        }
    }

    /// Ends the services in order and gives everything that they have written.
    fn strike(mut self) -> Vec<Place> {
        let mut places = Vec::new();
        for name in SERVICES {
            let admin = self.system.admin(name);
            let metrics = wire::send(&admin, "GET /metrics", "", "");
            assert_eq!(metrics.status, 200);
            places.push(Place::of(format!("metrics of {name}"), metrics.body));
        }
        for name in SERVICES.into_iter().rev() {
            self.system.terminate(name);
        }
        for (path, body) in self.collector.calls() {
            places.push(Place::of(format!("spans {path}"), body));
        }
        places.push(Place::of("redis".to_owned(), self.redis.dump()));
        let control = format!("SELECT '{CONTROL}'");
        self.postgres
            .ask("psql", &["-c", &control, "-c", "CHECKPOINT"]);
        let dump = self.postgres.ask("pg_dump", &["--inserts"]);
        places.push(Place::of("tables".to_owned(), dump));
        files(self.postgres.folder(), &mut places);
        files(self.system.folder(), &mut places);
        places
    }
}

impl Place {
    fn of(name: String, content: impl Into<Vec<u8>>) -> Self {
        Self {
            name,
            content: content.into(),
        }
    }
}

/// Every file below a folder, but what the bias monitor keeps.
fn files(folder: &Path, places: &mut Vec<Place>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, places);
        } else if path.is_file() && !path.display().to_string().contains("/bias_monitor.db") {
            let content = fs::read(&path).unwrap();
            places.push(Place::of(path.display().to_string(), content));
        }
    }
}

/// Names of the places in which something is found, with what stands around it.
fn found(forms: &Forms, places: &[Place]) -> Vec<String> {
    let found = |place: &Place| {
        let found = forms.found_in(&place.content);
        (!found.is_empty()).then(|| format!("{}: {}", place.name, found.join("\n  ")))
    };
    places.iter().filter_map(found).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marker_in_every_personal_field_is_found_nowhere() {
    let stage = Stage::set().await;
    for name in SERVICES {
        let admin = stage.system.admin(name);
        let set = wire::send(&admin, "PUT /log-filter", "", TALKATIVE);
        assert_eq!(set.status, 204);
    }
    stage.system.activate("boston-hmda/1");
    let lender = Lender::of(&stage.system).await;
    lender.talk_http();
    lender.knock();
    lender.talk_grpc().await;
    talk_elsewhere(&stage.system);
    stage.redis.set("control", CONTROL);
    let places = stage.strike();

    let leaks = found(&Forms::personal(), &places);
    assert!(leaks.is_empty(), "{}", leaks.join("\n\n"));
    let (_, secret) = lender.key.rsplit_once('_').unwrap();
    let leaks = found(&Forms::of(secret), &places);
    assert!(leaks.is_empty(), "the API key: {}", leaks.join("\n\n"));
    check_the_search(&places);
}

/// What was put there to be found is found: where the search would not see it, it would not see a marker.
fn check_the_search(places: &[Place]) {
    let found = found(&Forms::of(CONTROL), places);
    let in_place = |part: &str| found.iter().filter(|place| place.contains(part)).count();
    for part in [
        "scoring-gateway.log: ",
        "spans /opentelemetry",
        "redis: ",
        "tables: ",
        "/data/base/",
        "/data/pg_wal/",
        "/postgres.log: ",
    ] {
        assert!(in_place(part) > 0, "the control is not in {part}");
    }
    for name in SERVICES {
        let of = |prefix: &str| {
            let place = places.iter().find(|place| place.name.contains(prefix));
            String::from_utf8_lossy(&place.unwrap().content).into_owned()
        };
        let metrics = of(&format!("metrics of {name}"));
        assert!(metrics.contains("http_requests_total"), "{metrics}");
        let log = of(&format!("{name}.log"));
        assert!(log.contains("\"level\":\"DEBUG\""), "{name} is quiet");
    }
}
