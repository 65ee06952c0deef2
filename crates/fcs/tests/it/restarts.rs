//! Every service is stopped in order under load: exit 0 within its deadline, and no answer is lost.

use fcs_testkit::{postgres, redis_url};

use crate::demo::check;
use crate::system::{SERVICES, Store, System, json};

#[tokio::test(flavor = "multi_thread")]
async fn every_service_restarts_under_load() {
    let database = postgres::database().await;
    let store = Store::Postgres {
        database: database.url.clone(),
        redis: redis_url(),
    };
    let mut system = System::start(store);
    let mut demo = system.demo("taiwan-default");
    for (number, name) in (1..).zip(SERVICES) {
        let threshold = number * 1_000;
        while system.highest_index() < threshold {
            if demo.try_wait().unwrap().is_some() {
                let output = demo.wait_with_output().unwrap();
                panic!(
                    "the demo ended early: {}",
                    String::from_utf8_lossy(&output.stderr)
                );
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        system.terminate(name);
        system.start_one(name);
    }
    let left = system.highest_index();
    assert!(
        left < 10_000,
        "the services were stopped after the load, not under it"
    );
    check(&json(&demo.wait_with_output().unwrap()), 10_000);
}
