//! `fcs key`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use fcs_core::{InvalidId, TenantId};
use fcs_proto::scoring::v1::{
    ApiClient, CreateClientRequest, ListClientsRequest, RevokeKeyRequest, RotateKeyRequest,
};
use fcs_service::SettingsProblems;
use fcs_service::auth::{ClientId, Principal, Role};
use fcs_service::settings::{Sources, load};
use scoring_gateway::Gateway;
use scoring_gateway::app::keys::{Client, Keys, NewClient};
use serde_json::{Value, json};

use crate::cli::{Format, Global, KeyArguments, KeyCommand, NewKey};
use crate::client::Clients;
use crate::exit::CliError;
use crate::output::{print, table};

/// Runs one of the commands.
pub(crate) async fn run(global: &Global, arguments: &KeyArguments) -> anyhow::Result<()> {
    let mut keeper = Keeper::of(global, arguments.local).await?;
    match &arguments.command {
        KeyCommand::Create {
            name,
            roles,
            tenant,
            new,
        } => {
            let file = new.to.as_deref().map(reserve).transpose()?;
            let made = keeper.create(name, roles, tenant.as_deref(), new).await;
            hand_out(global.output, made, file)
        }
        KeyCommand::Rotate {
            client,
            overlap_hours,
            new,
        } => {
            let file = new.to.as_deref().map(reserve).transpose()?;
            let made = keeper.rotate(client, *overlap_hours, new).await;
            hand_out(global.output, made, file)
        }
        KeyCommand::List { tenant } => {
            let clients = keeper.list(tenant.as_deref()).await?;
            let document: Vec<Value> = clients.iter().map(document).collect();
            print(global.output, &document, |_| listed(&clients))
        }
        KeyCommand::Revoke {
            client,
            fingerprint,
            all: _,
        } => {
            let fingerprint = fingerprint.as_deref().unwrap_or_default();
            let client = keeper.revoke(client, fingerprint).await?;
            print(global.output, &document(&client), |_| {
                listed(std::slice::from_ref(&client))
            })
        }
    }
}

/// Who keeps the keys: a gateway, or this process on the gateway's store.
enum Keeper {
    Gateway(Box<Clients>),
    Store(Box<Keys>),
}

impl Keeper {
    async fn of(global: &Global, local: bool) -> anyhow::Result<Self> {
        if !local {
            return Ok(Self::Gateway(Box::new(Clients::of(global)?)));
        }
        let mut sources = Sources::from_process();
        sources
            .assignments
            .push(format!("data_dir={}", global.data_dir.display()));
        let settings = load::<Gateway>(&sources).map_err(|SettingsProblems(problems)| {
            CliError::Settings(format!("bad settings:\n  - {}", problems.join("\n  - ")))
        })?;
        let keys = Box::pin(scoring_gateway::local_keys(&settings)).await?;
        Ok(Self::Store(Box::new(keys)))
    }

    async fn create(
        &mut self,
        name: &str,
        roles: &[String],
        tenant: Option<&str>,
        new: &NewKey,
    ) -> anyhow::Result<(ApiClient, String)> {
        match self {
            Self::Gateway(clients) => {
                let request = CreateClientRequest {
                    tenant: tenant.unwrap_or_default().to_owned(),
                    name: name.to_owned(),
                    roles: roles.to_vec(),
                    valid_days: new.valid_days,
                };
                let answer = clients.keys.create_client(request).await;
                let answer = answer.map_err(CliError::from)?.into_inner();
                made(answer.client, answer.key)
            }
            Self::Store(keys) => {
                let parsed = roles.iter().map(|role| role.parse::<Role>());
                let new = NewClient {
                    name: name.to_owned(),
                    roles: parsed
                        .collect::<Result<_, _>>()
                        .map_err(|error| CliError::Usage(error.to_string()))?,
                    valid_days: new.valid_days,
                };
                let created = keys.create(&owner(), parse_tenant(tenant)?, new).await;
                let (client, key) = created.map_err(CliError::Api)?;
                Ok((
                    scoring_gateway::shown_client(&client),
                    key.expose().to_owned(),
                ))
            }
        }
    }

    async fn rotate(
        &mut self,
        client: &str,
        overlap_hours: u32,
        new: &NewKey,
    ) -> anyhow::Result<(ApiClient, String)> {
        match self {
            Self::Gateway(clients) => {
                let request = RotateKeyRequest {
                    client_id: client.to_owned(),
                    valid_days: new.valid_days,
                    overlap_hours: Some(overlap_hours),
                };
                let answer = clients.keys.rotate_key(request).await;
                let answer = answer.map_err(CliError::from)?.into_inner();
                made(answer.client, answer.key)
            }
            Self::Store(keys) => {
                let id = parse_client(client)?;
                let owner = owner();
                let rotated = keys.rotate(&owner, id, new.valid_days, Some(overlap_hours));
                let (client, key) = rotated.await.map_err(CliError::Api)?;
                Ok((
                    scoring_gateway::shown_client(&client),
                    key.expose().to_owned(),
                ))
            }
        }
    }

    async fn list(&mut self, tenant: Option<&str>) -> anyhow::Result<Vec<ApiClient>> {
        match self {
            Self::Gateway(clients) => {
                let tenant = tenant.unwrap_or_default().to_owned();
                let answer = clients
                    .keys
                    .list_clients(ListClientsRequest { tenant })
                    .await;
                Ok(answer.map_err(CliError::from)?.into_inner().clients)
            }
            Self::Store(keys) => {
                let clients = keys.list(&owner(), parse_tenant(tenant)?).await;
                Ok(shown(&clients.map_err(CliError::Api)?))
            }
        }
    }

    async fn revoke(&mut self, client: &str, fingerprint: &str) -> anyhow::Result<ApiClient> {
        match self {
            Self::Gateway(clients) => {
                let request = RevokeKeyRequest {
                    client_id: client.to_owned(),
                    fingerprint: fingerprint.to_owned(),
                };
                let answer = clients.keys.revoke_key(request).await;
                let answer = answer.map_err(CliError::from)?.into_inner();
                answer.client.context("the gateway sent no client")
            }
            Self::Store(keys) => {
                let owner = owner();
                let revoked = keys.revoke(&owner, parse_client(client)?, fingerprint);
                let client = revoked.await.map_err(CliError::Api)?;
                Ok(scoring_gateway::shown_client(&client))
            }
        }
    }
}

/// Who may read the gateway's secret and write its store may do everything anyway.
fn owner() -> Principal {
    Principal::anyone()
}

fn shown(clients: &[Client]) -> Vec<ApiClient> {
    clients.iter().map(scoring_gateway::shown_client).collect()
}

fn made(client: Option<ApiClient>, key: String) -> anyhow::Result<(ApiClient, String)> {
    Ok((client.context("the gateway sent no client")?, key))
}

fn parse_tenant(tenant: Option<&str>) -> anyhow::Result<Option<TenantId>> {
    let parsed = tenant.map(str::parse::<TenantId>).transpose();
    Ok(parsed.map_err(|error| usage(&error))?)
}

fn parse_client(client: &str) -> anyhow::Result<ClientId> {
    let parsed = client.parse::<ClientId>();
    Ok(parsed.map_err(|error| usage(&error))?)
}

fn usage(error: &InvalidId) -> CliError {
    CliError::Usage(error.to_string())
}

/// A file for a key that is yet to be made, so that no key is made that has no place to go.
struct Reserved(PathBuf, std::fs::File);

fn reserve(path: &Path) -> anyhow::Result<Reserved> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let file = options
        .open(path)
        .with_context(|| format!("create {}", path.display()))?;
    Ok(Reserved(path.to_owned(), file))
}

/// Writes a new key into its file, or prints it with its client.
fn hand_out(
    format: Format,
    made: anyhow::Result<(ApiClient, String)>,
    file: Option<Reserved>,
) -> anyhow::Result<()> {
    let Some(Reserved(path, mut file)) = file else {
        let (client, key) = made?;
        let mut shown = document(&client);
        shown["key"] = key.clone().into();
        return print(format, &shown, |_| key);
    };
    let (client, key) = made.inspect_err(|_| drop(std::fs::remove_file(&path)))?;
    writeln!(file, "{key}")
        .and_then(|()| file.sync_all())
        .with_context(|| format!("write {}", path.display()))?;
    print(format, &document(&client), |_| {
        format!(
            "client {}: the key is in {}",
            client.client_id,
            path.display()
        )
    })
}

fn document(client: &ApiClient) -> Value {
    let keys = client.keys.iter().map(|key| {
        json!({
            "fingerprint": key.fingerprint,
            "created_at": key.created_at,
            "expires_at": key.expires_at,
        })
    });
    json!({
        "client_id": client.client_id,
        "tenant": client.tenant,
        "name": client.name,
        "roles": client.roles,
        "created_at": client.created_at,
        "keys": keys.collect::<Vec<_>>(),
    })
}

fn listed(clients: &[ApiClient]) -> String {
    let rows = clients.iter().map(|client| {
        let keys = client.keys.iter();
        let keys = keys.map(|key| format!("{} until {}", key.fingerprint, key.expires_at));
        vec![
            client.client_id.clone(),
            client.tenant.clone(),
            client.name.clone(),
            client.roles.join(", "),
            keys.collect::<Vec<_>>().join("\n"),
        ]
    });
    table(&["client", "tenant", "name", "roles", "keys"], rows)
}
