//! `fcs deployment`.

mod simulate;

use anyhow::Context;
use fcs_core::ModelVersion;
use fcs_decision::manifest::Manifest;
use fcs_proto::deployment::v1::{
    ActivateDeploymentRequest, ApproveDeploymentRequest, Change, Deployment, DeploymentState,
    GetDeploymentRequest, ListDeploymentsRequest, RegisterDeploymentRequest,
    RollBackDeploymentRequest,
};
use serde_json::{Value, json};

use crate::cli::{DeploymentCommand, Format, Global, RegisterArguments};
use crate::client::Clients;
use crate::exit::CliError;
use crate::output::{print, table};

/// Runs one of the commands.
pub(crate) async fn run(global: &Global, command: &DeploymentCommand) -> anyhow::Result<()> {
    if let DeploymentCommand::Simulate(arguments) = command {
        return simulate::run(global.output, arguments);
    }
    let mut clients = Clients::of(global)?;
    if let DeploymentCommand::List = command {
        return list(&mut clients, global.output).await;
    }
    let deployment = match command {
        DeploymentCommand::Register(arguments) => {
            let request = register_request(global, arguments)?;
            register(&mut clients, request).await?
        }
        DeploymentCommand::Approve { id, actor, comment } => {
            approve(&mut clients, id, actor, comment).await?
        }
        DeploymentCommand::Activate { id, actor } => activate(&mut clients, id, actor).await?,
        DeploymentCommand::Rollback { id, actor, reason } => {
            let request = RollBackDeploymentRequest {
                actor: actor.clone(),
                deployment_id: id.clone(),
                reason: reason.clone(),
            };
            let response = clients.deployment.roll_back_deployment(request).await;
            response.map_err(CliError::from)?.into_inner().deployment
        }
        DeploymentCommand::Get { id } => Some(get(&mut clients, id).await?),
        DeploymentCommand::List | DeploymentCommand::Simulate(_) => None,
    };
    let deployment = deployment.context("the service sent no deployment")?;
    print(global.output, &document(&deployment), |_| text(&deployment))
}

/// Proposes a model.
pub(crate) async fn register(
    clients: &mut Clients,
    request: RegisterDeploymentRequest,
) -> Result<Option<Deployment>, CliError> {
    Ok(clients
        .deployment
        .register_deployment(request)
        .await?
        .into_inner()
        .deployment)
}

/// Approves the plan as it stands now.
pub(crate) async fn approve(
    clients: &mut Clients,
    id: &str,
    actor: &str,
    comment: &str,
) -> anyhow::Result<Option<Deployment>> {
    let plan_digest = get(clients, id).await?.plan_digest;
    let request = ApproveDeploymentRequest {
        actor: actor.to_owned(),
        deployment_id: id.to_owned(),
        plan_digest,
        comment: comment.to_owned(),
    };
    let response = clients.deployment.approve_deployment(request).await;
    Ok(response.map_err(CliError::from)?.into_inner().deployment)
}

/// Asks for traffic and fails when the service could not confirm it.
pub(crate) async fn activate(
    clients: &mut Clients,
    id: &str,
    actor: &str,
) -> anyhow::Result<Option<Deployment>> {
    let request = ActivateDeploymentRequest {
        actor: actor.to_owned(),
        deployment_id: id.to_owned(),
    };
    let response = clients
        .deployment
        .activate_deployment(request)
        .await
        .map_err(CliError::from)?;
    let deployment = response.into_inner().deployment;
    if deployment
        .as_ref()
        .is_some_and(|it| it.state() == DeploymentState::Activating)
    {
        let message = "the traffic was asked for and is not confirmed yet: look again with `fcs deployment get`";
        return Err(CliError::Timeout(message.into()).into());
    }
    Ok(deployment)
}

async fn get(clients: &mut Clients, id: &str) -> anyhow::Result<Deployment> {
    let request = GetDeploymentRequest {
        deployment_id: id.to_owned(),
    };
    let response = clients
        .deployment
        .get_deployment(request)
        .await
        .map_err(CliError::from)?;
    response
        .into_inner()
        .deployment
        .context("the service sent no deployment")
}

fn register_request(
    global: &Global,
    arguments: &RegisterArguments,
) -> anyhow::Result<RegisterDeploymentRequest> {
    Ok(RegisterDeploymentRequest {
        actor: arguments.actor.clone(),
        environment: arguments.environment.clone(),
        change: Some(change_of(global, arguments)?),
    })
}

/// The change that the arguments name, with the digest of the package in the models folder.
pub(crate) fn change_of(global: &Global, arguments: &RegisterArguments) -> anyhow::Result<Change> {
    let model: ModelVersion = arguments
        .model
        .parse()
        .map_err(|error| CliError::Usage(format!("{error}")))?;
    let manifest = read_manifest(global, &model)?;
    Ok(Change {
        model: arguments.model.clone(),
        manifest_digest: manifest.digest().to_string(),
        git_commit: arguments.commit.clone(),
        author: arguments
            .author
            .clone()
            .unwrap_or_else(|| arguments.actor.clone()),
        description: arguments.description.clone(),
    })
}

/// The manifest of a package in the models folder.
pub(crate) fn read_manifest(global: &Global, model: &ModelVersion) -> anyhow::Result<Manifest> {
    let path = global
        .models_dir
        .join(model.name())
        .join(model.version())
        .join("model.toml");
    let bytes = std::fs::read(&path).map_err(|error| {
        CliError::NotFound(format!(
            "read {}: {error}; name the folder of the packages with --models-dir",
            path.display()
        ))
    })?;
    Ok(Manifest::parse(&bytes)?)
}

async fn list(clients: &mut Clients, format: Format) -> anyhow::Result<()> {
    let response = clients
        .deployment
        .list_deployments(ListDeploymentsRequest { page_size: 1_000 })
        .await;
    let deployments = response.map_err(CliError::from)?.into_inner().deployments;
    let documents: Vec<Value> = deployments.iter().map(document).collect();
    print(format, &documents, |_| {
        let header = [
            "deployment",
            "state",
            "environment",
            "model",
            "requested by",
            "commit",
        ];
        table(&header, deployments.iter().map(row))
    })
}

fn row(deployment: &Deployment) -> Vec<String> {
    let change = deployment.change.clone().unwrap_or_default();
    vec![
        deployment.deployment_id.clone(),
        state(deployment),
        deployment.environment.clone(),
        change.model,
        deployment.requested_by.clone(),
        change.git_commit,
    ]
}

fn state(deployment: &Deployment) -> String {
    let name = deployment.state().as_str_name();
    name.trim_start_matches("DEPLOYMENT_STATE_").to_lowercase()
}

fn text(deployment: &Deployment) -> String {
    let head = [
        "deployment",
        "state",
        "environment",
        "model",
        "requested by",
        "commit",
    ];
    let events = deployment.events.iter().map(|event| {
        vec![
            event.sequence.to_string(),
            event.occurred_at.clone(),
            event.actor.clone(),
            event.kind.clone(),
            event.leaf_index.to_string(),
        ]
    });
    let header = ["#", "when", "who", "what", "#leaf"];
    format!(
        "{}\nplan digest {}\n{}",
        table(&head, [row(deployment)]),
        deployment.plan_digest,
        table(&header, events),
    )
}

fn document(deployment: &Deployment) -> Value {
    let change = deployment.change.clone().unwrap_or_default();
    let event = |event: &fcs_proto::deployment::v1::DeploymentEvent| {
        json!({
            "sequence": event.sequence,
            "occurred_at": event.occurred_at,
            "actor": event.actor,
            "kind": event.kind,
            "detail": serde_json::from_str::<Value>(&event.detail).unwrap_or(Value::Null),
            "leaf_index": event.leaf_index,
        })
    };
    json!({
        "deployment_id": deployment.deployment_id,
        "state": state(deployment),
        "environment": deployment.environment,
        "requested_by": deployment.requested_by,
        "change": {
            "model": change.model,
            "manifest_digest": change.manifest_digest,
            "git_commit": change.git_commit,
            "author": change.author,
            "description": change.description,
        },
        "plan_digest": deployment.plan_digest,
        "events": deployment.events.iter().map(event).collect::<Vec<_>>(),
    })
}
