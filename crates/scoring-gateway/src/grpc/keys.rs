//! `KeyService`.

use std::sync::Arc;

use fcs_core::{ApiError, InvalidId, TenantId};
use fcs_proto::scoring::v1 as wire;
use fcs_proto::scoring::v1::key_service_server::KeyService;
use fcs_service::auth::{ClientId, Principal, Role};
use tonic::{Request, Response, Status};

use super::answer;
use crate::app::keys::{Client, Keys, NewClient};

pub(super) struct KeyEndpoint {
    pub(super) keys: Arc<Keys>,
}

#[async_trait::async_trait]
impl KeyService for KeyEndpoint {
    async fn create_client(
        &self,
        request: Request<wire::CreateClientRequest>,
    ) -> Result<Response<wire::CreateClientResponse>, Status> {
        answer(self.create(request).await)
    }

    async fn list_clients(
        &self,
        request: Request<wire::ListClientsRequest>,
    ) -> Result<Response<wire::ListClientsResponse>, Status> {
        answer(self.list(request).await)
    }

    async fn rotate_key(
        &self,
        request: Request<wire::RotateKeyRequest>,
    ) -> Result<Response<wire::RotateKeyResponse>, Status> {
        answer(self.rotate(request).await)
    }

    async fn revoke_key(
        &self,
        request: Request<wire::RevokeKeyRequest>,
    ) -> Result<Response<wire::RevokeKeyResponse>, Status> {
        answer(self.revoke(request).await)
    }
}

impl KeyEndpoint {
    async fn create(
        &self,
        request: Request<wire::CreateClientRequest>,
    ) -> Result<wire::CreateClientResponse, ApiError> {
        let caller = Principal::of(&request)?.clone();
        let request = request.into_inner();
        let new = NewClient {
            name: request.name,
            roles: roles(&request.roles)?,
            valid_days: request.valid_days,
        };
        let (client, key) = self
            .keys
            .create(&caller, tenant(&request.tenant)?, new)
            .await?;
        Ok(wire::CreateClientResponse {
            client: Some(shown(&client)),
            key: key.expose().to_owned(),
        })
    }

    async fn list(
        &self,
        request: Request<wire::ListClientsRequest>,
    ) -> Result<wire::ListClientsResponse, ApiError> {
        let caller = Principal::of(&request)?.clone();
        let tenant = tenant(&request.into_inner().tenant)?;
        let clients = self.keys.list(&caller, tenant).await?;
        Ok(wire::ListClientsResponse {
            clients: clients.iter().map(shown).collect(),
        })
    }

    async fn rotate(
        &self,
        request: Request<wire::RotateKeyRequest>,
    ) -> Result<wire::RotateKeyResponse, ApiError> {
        let caller = Principal::of(&request)?.clone();
        let request = request.into_inner();
        let id = client_id(&request.client_id)?;
        let rotated = self
            .keys
            .rotate(&caller, id, request.valid_days, request.overlap_hours);
        let (client, key) = rotated.await?;
        Ok(wire::RotateKeyResponse {
            client: Some(shown(&client)),
            key: key.expose().to_owned(),
        })
    }

    async fn revoke(
        &self,
        request: Request<wire::RevokeKeyRequest>,
    ) -> Result<wire::RevokeKeyResponse, ApiError> {
        let caller = Principal::of(&request)?.clone();
        let request = request.into_inner();
        let id = client_id(&request.client_id)?;
        let client = self.keys.revoke(&caller, id, &request.fingerprint).await?;
        Ok(wire::RevokeKeyResponse {
            client: Some(shown(&client)),
        })
    }
}

/// A client without anything that opens something.
pub(crate) fn shown(client: &Client) -> wire::ApiClient {
    let keys = client.keys.iter().map(|key| wire::ApiKeyInfo {
        fingerprint: key.fingerprint(),
        created_at: key.created_at.to_string(),
        expires_at: key.expires_at.to_string(),
    });
    wire::ApiClient {
        client_id: client.id.to_string(),
        tenant: client.tenant.to_string(),
        name: client.name.clone(),
        roles: client.roles.iter().map(ToString::to_string).collect(),
        created_at: client.created_at.to_string(),
        keys: keys.collect(),
    }
}

fn tenant(text: &str) -> Result<Option<TenantId>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|error: InvalidId| ApiError::invalid("TENANT_INVALID", error.to_string(), vec![]))
}

fn client_id(text: &str) -> Result<ClientId, ApiError> {
    text.parse().map_err(|error: InvalidId| {
        ApiError::invalid("CLIENT_ID_INVALID", error.to_string(), vec![])
    })
}

fn roles(names: &[String]) -> Result<Vec<Role>, ApiError> {
    let role = |name: &String| {
        name.parse::<Role>()
            .map_err(|error| ApiError::invalid("ROLE_UNKNOWN", error.to_string(), vec![]))
    };
    names.iter().map(role).collect()
}
