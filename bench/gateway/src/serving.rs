//! Our model server beside other servers of the same model: scores over HTTP, with contributions, and over gRPC.

mod report;

use std::path::Path;
use std::sync::Arc;

use crate::answer::probability;
use crate::measure::{Contender, Plan, http, measure_all};
use crate::ours::ModelServer;
use crate::peers::Peers;
use crate::rows::Rows;

pub(crate) use report::Report;

/// Rows whose answers are compared.
const COMPARED: u64 = 100;

/// What ours is meant to reach beside a peer.
#[derive(Debug, Clone, Copy, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Target {
    /// The least ratio of the peer's CPU for an answer to ours.
    Cpu { ratio_min: f64 },
    /// The least ratio of our answers in a second to the peer's, at so many connections.
    Answers { ratio_min: f64, connections: u32 },
}

/// Contenders that do the same, ours first.
struct Contest {
    title: &'static str,
    entrants: Vec<(Contender, Option<Target>)>,
}

/// Measures everything.
pub(crate) async fn measure(
    plan: &Plan,
    rows: &Arc<Rows>,
    (programs, folder): (&Path, &Path),
    peers: &Peers,
) -> anyhow::Result<Report> {
    let ours = ModelServer::start(programs, folder).await?;
    let mut report = Report::default();
    for contest in [
        scores(&ours, peers, rows),
        contributions(&ours, peers, rows),
        grpc(&ours, peers, rows),
    ] {
        let contenders: Vec<&Contender> = contest.entrants.iter().map(|(it, _)| it).collect();
        let mut differences = Vec::new();
        for contender in &contenders {
            differences.push(difference(contender, contenders[0]).await?);
        }
        let lines = measure_all(plan, &contenders).await?;
        report.add(&contest, &lines, &differences);
    }
    Ok(report)
}

/// The greatest difference between the probabilities of two contenders.
async fn difference(one: &Contender, other: &Contender) -> anyhow::Result<f64> {
    let mut greatest = 0.0_f64;
    for number in 0..COMPARED {
        let found = probability(one, number).await? - probability(other, number).await?;
        greatest = greatest.max(found.abs());
    }
    Ok(greatest)
}

/// Ours checks each feature by its name against the whole schema; as one tensor it checks what MLServer does.
fn scores(ours: &ModelServer, peers: &Peers, rows: &Arc<Rows>) -> Contest {
    let named = http(rows, |rows, _, number| rows.named_request(number, &[]));
    let tensor = http(rows, |rows, _, number| rows.tensor_request(number));
    let fastapi = peers.fastapi("FastAPI, by name", "/score", rows);
    let mlserver = peers.mlserver_http("MLServer, one tensor", rows);
    Contest {
        title: "scores over HTTP",
        entrants: vec![
            (ours.contender("fcs, by name", named), None),
            (ours.contender("fcs, one tensor", tensor), None),
            (fastapi, Some(Target::Cpu { ratio_min: 8.0 })),
            (mlserver, Some(Target::Cpu { ratio_min: 20.0 })),
        ],
    }
}

/// MLServer has no contributions.
fn contributions(ours: &ModelServer, peers: &Peers, rows: &Arc<Rows>) -> Contest {
    let named = http(rows, |rows, _, number| {
        rows.named_request(number, &["probability", "base_margin", "contributions"])
    });
    let fastapi = peers.fastapi("FastAPI, by name", "/explain", rows);
    Contest {
        title: "scores with contributions over HTTP",
        entrants: vec![
            (ours.contender("fcs, by name", named), None),
            (fastapi, Some(Target::Cpu { ratio_min: 20.0 })),
        ],
    }
}

fn grpc(ours: &ModelServer, peers: &Peers, rows: &Arc<Rows>) -> Contest {
    let target = Target::Answers {
        ratio_min: 10.0,
        connections: 64,
    };
    Contest {
        title: "scores over gRPC",
        entrants: vec![
            (ours.contender("fcs, one tensor", rows.messages()), None),
            (
                peers.mlserver_grpc("MLServer, one tensor", rows),
                Some(target),
            ),
        ],
    }
}
