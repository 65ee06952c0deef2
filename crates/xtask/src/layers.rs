//! Dependencies point down: processes, foundations, domain, core.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::command::{cargo, output};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Layer {
    Core,
    Domain,
    Foundation,
    /// For programs of others; stands on the foundations, and no service needs it.
    Client,
    Process,
    /// `fcs` runs the other processes in one, so it stands above them.
    Top,
    /// Tests and tasks: only ever a development dependency.
    Development,
}

fn layer_of(package: &str) -> Option<Layer> {
    Some(match package {
        "fcs-core" => Layer::Core,
        "fcs-forest" | "fcs-decision" | "fcs-fairness" | "fcs-proxy" | "fcs-rollout"
        | "fcs-tlog" => Layer::Domain,
        "fcs-proto" | "fcs-service" => Layer::Foundation,
        "fcs-client" => Layer::Client,
        "scoring-gateway" | "model-server" | "bias-monitor" | "deployment-audit" => Layer::Process,
        "fcs" => Layer::Top,
        "fcs-fuzz" | "fcs-testkit" | "xtask" => Layer::Development,
        _ => return None,
    })
}

/// What domain crates must not reach: input and output, runtimes, clocks, randomness.
const IMPURE: [&str; 11] = [
    "axum",
    "config",
    "hyper",
    "rand",
    "redis",
    "reqwest",
    "sqlx",
    "tokio",
    "tonic",
    "tracing",
    "opentelemetry",
];

/// Fails on an upward or sideways edge, an impure domain crate, or a crate without a layer.
pub(crate) fn check() -> anyhow::Result<()> {
    let metadata =
        output(cargo().args(["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("read cargo metadata")?;
    let edges = edges(&metadata)?;
    let faults: Vec<String> = edges
        .iter()
        .flat_map(|(from, to)| to.iter().filter_map(|to| fault(from, to)))
        .collect();
    if !faults.is_empty() {
        bail!("layers:\n  {}", faults.join("\n  "));
    }
    println!("layers: {} crates depend downwards only", edges.len());
    Ok(())
}

struct Edge {
    to: String,
    development: bool,
}

fn edges(metadata: &Value) -> anyhow::Result<BTreeMap<String, Vec<Edge>>> {
    let packages = metadata["packages"]
        .as_array()
        .context("metadata lists packages")?;
    let mut edges = BTreeMap::new();
    for package in packages {
        let name = package["name"].as_str().context("a package has a name")?;
        let dependencies = package["dependencies"].as_array().context("dependencies")?;
        let to = dependencies.iter().filter_map(|dependency| {
            Some(Edge {
                to: dependency["name"].as_str()?.to_owned(),
                development: dependency["kind"].as_str() == Some("dev"),
            })
        });
        edges.insert(name.to_owned(), to.collect());
    }
    Ok(edges)
}

fn fault(from: &str, edge: &Edge) -> Option<String> {
    let Some(from_layer) = layer_of(from) else {
        return Some(format!(
            "{from} has no layer: add it to crates/xtask/src/layers.rs"
        ));
    };
    if edge.development {
        return None;
    }
    if from_layer <= Layer::Domain && IMPURE.contains(&edge.to.as_str()) {
        return Some(format!("{from} is pure and must not depend on {}", edge.to));
    }
    let to_layer = layer_of(&edge.to)?;
    let down = to_layer < from_layer && to_layer != Layer::Development;
    let tests_may_use_all = from_layer == Layer::Development;
    if down || tests_may_use_all || (from, edge.to.as_str()) == ("fcs-service", "fcs-proto") {
        return None;
    }
    Some(format!(
        "{from} ({from_layer:?}) must not depend on {} ({to_layer:?})",
        edge.to
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(to: &str) -> Edge {
        Edge {
            to: to.to_owned(),
            development: false,
        }
    }

    #[test]
    fn down_is_allowed() {
        assert_eq!(fault("scoring-gateway", &normal("fcs-service")), None);
        assert_eq!(fault("fcs", &normal("scoring-gateway")), None);
        assert_eq!(fault("fcs-decision", &normal("fcs-core")), None);
    }

    #[test]
    fn up_and_sideways_are_refused() {
        for (from, to) in [
            ("fcs-decision", "fcs-forest"),
            ("fcs-core", "fcs-decision"),
            ("fcs-service", "scoring-gateway"),
            ("scoring-gateway", "model-server"),
            ("scoring-gateway", "fcs-testkit"),
        ] {
            assert!(fault(from, &normal(to)).is_some(), "{from} -> {to}");
        }
    }

    #[test]
    fn domain_crates_stay_pure() {
        assert!(fault("fcs-tlog", &normal("tokio")).is_some());
        assert!(
            fault(
                "fcs-tlog",
                &Edge {
                    to: "rand".into(),
                    development: true
                }
            )
            .is_none()
        );
    }

    #[test]
    fn a_crate_without_a_layer_is_refused() {
        assert!(fault("fcs-unheard-of", &normal("serde")).is_some());
    }
}
