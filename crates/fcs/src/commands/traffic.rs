//! `fcs traffic`.

use fcs_core::ModelVersion;
use fcs_proto::model::v1::ModelRef;
use fcs_proto::scoring::v1::{
    ApplyTrafficRequest, BasisPointRange, GatewayInstance, GetTrafficRequest,
    ListGatewayInstancesRequest, ListGatewayInstancesResponse, ShadowArm, TrafficArm, TrafficTable,
};
use serde::Serialize;

use crate::cli::{Global, TrafficCommand};
use crate::client::Clients;
use crate::exit::CliError;
use crate::output::{print, table};

#[derive(Serialize)]
struct Traffic {
    generation: u64,
    salt: String,
    arms: Vec<Arm>,
    shadows: Vec<Shadow>,
    /// Only beside the table in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    fleet: Option<Fleet>,
}

#[derive(Serialize)]
struct Arm {
    name: String,
    model: String,
    manifest_digest: String,
    weight_basis_points: u32,
    cohort: Vec<[u32; 2]>,
}

#[derive(Serialize)]
struct Shadow {
    name: String,
    model: String,
    manifest_digest: String,
    sample_basis_points: u32,
    since_generation: u64,
}

#[derive(Serialize)]
struct Fleet {
    confirmed: bool,
    generation: u64,
    gateways: Vec<Gateway>,
}

#[derive(Serialize)]
struct Gateway {
    instance_id: String,
    generation: u64,
    seen_at_micros: i64,
    stale: bool,
}

/// Runs one of the commands.
pub(crate) async fn run(global: &Global, command: &TrafficCommand) -> anyhow::Result<()> {
    let mut clients = Clients::of(global)?;
    let generation = match command {
        TrafficCommand::Show { generation } => *generation,
        TrafficCommand::Shadow { arm, model, sample } => {
            let added = shadow_arm(arm, model, *sample)?;
            replace_shadow(&mut clients, arm, Some(added)).await?;
            0
        }
        TrafficCommand::Unshadow { arm } => {
            replace_shadow(&mut clients, arm, None).await?;
            0
        }
    };
    show(&mut clients, global, generation).await
}

fn shadow_arm(name: &str, model: &str, sample_basis_points: u32) -> Result<ShadowArm, CliError> {
    let version: ModelVersion = model
        .parse()
        .map_err(|error| CliError::Usage(format!("{model}: {error}")))?;
    Ok(ShadowArm {
        name: name.to_owned(),
        model: Some(ModelRef {
            name: version.name().to_owned(),
            version: version.version().to_owned(),
            manifest_digest: String::new(),
        }),
        sample_basis_points,
        since_generation: 0,
    })
}

/// Applies the table in force with another shadow arm of this name, or without one.
async fn replace_shadow(
    clients: &mut Clients,
    name: &str,
    added: Option<ShadowArm>,
) -> Result<(), CliError> {
    let asked = clients.traffic.get_traffic(GetTrafficRequest::default());
    let mut table = asked.await?.into_inner().table.unwrap_or_default();
    let expected_generation = table.generation;
    table.generation += 1;
    let mut shadows = table.shadows.take().unwrap_or_default();
    let before = shadows.arms.len();
    shadows.arms.retain(|arm| arm.name != name);
    if added.is_none() && shadows.arms.len() == before {
        return Err(CliError::NotFound(format!("there is no shadow arm {name}")));
    }
    shadows.arms.extend(added);
    table.shadows = Some(shadows);
    let request = ApplyTrafficRequest {
        expected_generation,
        table: Some(table),
    };
    clients.traffic.apply_traffic(request).await?;
    Ok(())
}

async fn show(clients: &mut Clients, global: &Global, generation: u64) -> anyhow::Result<()> {
    let asked = clients
        .traffic
        .get_traffic(GetTrafficRequest { generation });
    let found = asked.await.map_err(CliError::from)?.into_inner().table;
    let mut traffic = Traffic::from(found.unwrap_or_default());
    if generation == 0 {
        let asked = clients
            .traffic
            .list_gateway_instances(ListGatewayInstancesRequest {});
        let fleet = asked.await.map_err(CliError::from)?.into_inner();
        traffic.fleet = Some(fleet.into());
    }
    print(global.output, &traffic, text)
}

impl From<TrafficTable> for Traffic {
    fn from(table: TrafficTable) -> Self {
        Self {
            generation: table.generation,
            salt: table.salt,
            arms: table.arms.into_iter().map(Arm::from).collect(),
            shadows: table
                .shadows
                .unwrap_or_default()
                .arms
                .into_iter()
                .map(Shadow::from)
                .collect(),
            fleet: None,
        }
    }
}

impl From<TrafficArm> for Arm {
    fn from(arm: TrafficArm) -> Self {
        let (model, manifest_digest) = shown_model(arm.model);
        Self {
            name: arm.name,
            model,
            manifest_digest,
            weight_basis_points: arm.weight_basis_points,
            cohort: arm
                .cohort
                .iter()
                .map(|BasisPointRange { from, to }| [*from, *to])
                .collect(),
        }
    }
}

impl From<ShadowArm> for Shadow {
    fn from(arm: ShadowArm) -> Self {
        let (model, manifest_digest) = shown_model(arm.model);
        Self {
            name: arm.name,
            model,
            manifest_digest,
            sample_basis_points: arm.sample_basis_points,
            since_generation: arm.since_generation,
        }
    }
}

/// "name/version" and the digest of the manifest.
fn shown_model(model: Option<ModelRef>) -> (String, String) {
    let ModelRef {
        name,
        version,
        manifest_digest,
    } = model.unwrap_or_default();
    (format!("{name}/{version}"), manifest_digest)
}

impl From<ListGatewayInstancesResponse> for Fleet {
    fn from(fleet: ListGatewayInstancesResponse) -> Self {
        Self {
            confirmed: fleet.confirmed,
            generation: fleet.generation,
            gateways: fleet.instances.into_iter().map(Gateway::from).collect(),
        }
    }
}

impl From<GatewayInstance> for Gateway {
    fn from(gateway: GatewayInstance) -> Self {
        Self {
            instance_id: gateway.instance_id,
            generation: gateway.generation,
            seen_at_micros: gateway.seen_at_micros,
            stale: gateway.stale,
        }
    }
}

fn text(traffic: &Traffic) -> String {
    let arms = traffic.arms.iter().map(|arm| {
        vec![
            arm.name.clone(),
            arm.model.clone(),
            percent(arm.weight_basis_points),
            arm.cohort
                .iter()
                .map(|[from, to]| format!("{from}-{}", to - 1))
                .collect::<Vec<_>>()
                .join(" "),
        ]
    });
    let mut text = format!(
        "generation {}, salt {:?}\n\n",
        traffic.generation, traffic.salt
    );
    text.push_str(&table(&["arm", "model", "#share", "basis points"], arms));
    if !traffic.shadows.is_empty() {
        let shadows = traffic.shadows.iter().map(|arm| {
            vec![
                arm.name.clone(),
                arm.model.clone(),
                percent(arm.sample_basis_points),
                arm.since_generation.to_string(),
            ]
        });
        let header = ["shadow arm", "model", "#sample", "#since generation"];
        text.push_str("\n\n");
        text.push_str(&table(&header, shadows));
    }
    if let Some(fleet) = &traffic.fleet {
        text.push_str("\n\n");
        text.push_str(&fleet_text(fleet));
    }
    text
}

fn fleet_text(fleet: &Fleet) -> String {
    let gateways = fleet.gateways.iter().map(|gateway| {
        let state = match gateway {
            Gateway { stale: true, .. } => "gone",
            _ if gateway.generation >= fleet.generation => "serves it",
            _ => "behind",
        };
        vec![
            gateway.instance_id.clone(),
            gateway.generation.to_string(),
            state.to_owned(),
        ]
    });
    let verdict = if fleet.confirmed {
        "every gateway serves it"
    } else {
        "not served by every gateway yet"
    };
    format!(
        "{}\n\ngeneration {}: {verdict}",
        table(&["gateway", "#generation", "state"], gateways),
        fleet.generation
    )
}

/// Basis points as a percentage, without digits that say nothing.
fn percent(basis_points: u32) -> String {
    format!("{}%", f64::from(basis_points) / 100.0)
}
