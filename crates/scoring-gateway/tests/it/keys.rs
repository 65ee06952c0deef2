//! Clients and their keys: one conformance suite for both engines, and a gateway that lets nobody else in.

use fcs_core::{Digest, TenantId, UnixMicros};
use fcs_proto::scoring::v1::key_service_client::KeyServiceClient;
use fcs_proto::scoring::v1::scoring_service_client::ScoringServiceClient;
use fcs_proto::scoring::v1::{
    CreateClientRequest, ListClientsRequest, ListDecisionsRequest, RevokeKeyRequest,
    RotateKeyRequest,
};
use fcs_service::auth::{AuthMode, ClientId, Principal, Role};
use fcs_service::grpc::api_error;
use fcs_service::{OsRandom, Settings};
use scoring_gateway::app::keys::{Client, NewClient, StoredKey};
use scoring_gateway::settings::GatewaySettings;
use scoring_gateway::store::clients_of;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::support::server::Server;
use crate::support::{NOW, TestStore, suite};

suite!(
    a_client_is_kept_once_and_found,
    keys_are_replaced_by_compare_and_set,
);

fn client(tenant: &str, name: &str) -> Client {
    let key = StoredKey {
        mac: Digest::from_bytes([9; 32]),
        created_at: NOW,
        expires_at: UnixMicros(NOW.0 + 1),
    };
    Client {
        id: ClientId::random(&OsRandom),
        tenant: tenant.parse().unwrap(),
        name: name.to_owned(),
        roles: vec![Role::Originator, Role::Auditor],
        keys: vec![key],
        created_at: NOW,
        revision: 1,
    }
}

async fn a_client_is_kept_once_and_found(test: TestStore) {
    let store = clients_of(&test.database);
    let (first, second) = (client("acme", "b"), client("acme", "a"));
    let stranger = client("other", "b");
    for client in [&first, &second, &stranger] {
        assert!(store.insert(client).await.unwrap());
    }
    assert!(!store.insert(&client("acme", "b")).await.unwrap());
    assert!(!store.insert(&first).await.unwrap());
    assert_eq!(store.client(first.id).await.unwrap(), Some(first.clone()));
    let nobody = ClientId::random(&OsRandom);
    assert_eq!(store.client(nobody).await.unwrap(), None);
    let acme: TenantId = "acme".parse().unwrap();
    let listed = store.clients(&acme, 10).await.unwrap();
    assert_eq!(listed, [second.clone(), first]);
    assert_eq!(store.clients(&acme, 1).await.unwrap(), [second]);
}

async fn keys_are_replaced_by_compare_and_set(test: TestStore) {
    let store = clients_of(&test.database);
    let mut kept = client("acme", "a");
    store.insert(&kept).await.unwrap();
    kept.keys.clear();
    assert!(store.replace_keys(&kept).await.unwrap());
    assert!(
        !store.replace_keys(&kept).await.unwrap(),
        "the revision has moved on"
    );
    let now = store.client(kept.id).await.unwrap().unwrap();
    assert_eq!((now.revision, now.keys.len()), (2, 0));
}

#[derive(Clone)]
pub(crate) struct Key(Option<MetadataValue<Ascii>>);

impl tonic::service::Interceptor for Key {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", value.clone());
        }
        Ok(request)
    }
}

pub(crate) type Line = InterceptedService<Channel, Key>;

pub(crate) fn line(server: &Server, key: &str) -> Line {
    let value = (!key.is_empty()).then(|| format!("Bearer {key}").parse().unwrap());
    InterceptedService::new(server.channel.clone(), Key(value))
}

/// A key of the tenant "acme", made in the gateway's own store.
async fn local_key(settings: &Settings<GatewaySettings>, name: &str, role: Role) -> String {
    let keys = scoring_gateway::local_keys(settings).await.unwrap();
    let new = NewClient {
        name: name.to_owned(),
        roles: vec![role],
        valid_days: 1,
    };
    let acme = Some("acme".parse().unwrap());
    let (_, key) = keys.create(&Principal::anyone(), acme, new).await.unwrap();
    key.expose().to_owned()
}

/// A gateway that requires keys, and the first one, which was made in its store.
async fn guarded(role: Role) -> (Server, String) {
    let mut first = String::new();
    let server = Server::with(async |settings| {
        settings.auth.mode = AuthMode::Required;
        settings.auth.key_cache_ms = 1;
        first = Box::pin(local_key(settings, "first", role)).await;
    })
    .await;
    (server, first)
}

async fn code_of(server: &Server, key: &str) -> Code {
    let mut client = ScoringServiceClient::new(line(server, key));
    let answer = client.list_decisions(ListDecisionsRequest::default()).await;
    answer.map_or_else(|status| status.code(), |_| Code::Ok)
}

async fn until(server: &Server, key: &str, expected: Code) {
    let limit = std::time::Duration::from_secs(10);
    fcs_testkit::wait::until("the key's new state", limit, async || {
        (code_of(server, key).await == expected).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_made_rotated_and_revoked_over_grpc() {
    let (server, admin) = Box::pin(guarded(Role::TenantAdmin)).await;
    assert_eq!(code_of(&server, "").await, Code::Unauthenticated);
    let mut keys = KeyServiceClient::new(line(&server, &admin));
    let request = CreateClientRequest {
        name: "origination".to_owned(),
        roles: vec!["originator".to_owned()],
        ..CreateClientRequest::default()
    };
    let created = keys
        .create_client(request.clone())
        .await
        .unwrap()
        .into_inner();
    let client = created.client.unwrap();
    assert_eq!(client.tenant, "acme");
    assert!(
        created
            .key
            .starts_with(&format!("fcs_{}_", client.client_id))
    );
    assert_eq!(code_of(&server, &created.key).await, Code::Ok);
    let again = keys.create_client(request).await.unwrap_err();
    assert_eq!(
        (again.code(), api_error(&again).reason),
        (Code::AlreadyExists, "CLIENT_EXISTS")
    );

    let rotate = RotateKeyRequest {
        client_id: client.client_id.clone(),
        overlap_hours: Some(1),
        ..RotateKeyRequest::default()
    };
    let rotated = keys.rotate_key(rotate.clone()).await.unwrap().into_inner();
    for key in [&created.key, &rotated.key] {
        until(&server, key, Code::Ok).await;
    }
    let third = keys.rotate_key(rotate).await.unwrap_err();
    assert_eq!(
        (third.code(), api_error(&third).reason),
        (Code::FailedPrecondition, "TWO_LIVE_KEYS")
    );

    let revoke = RevokeKeyRequest {
        client_id: client.client_id.clone(),
        fingerprint: rotated.client.unwrap().keys[0].fingerprint.clone(),
    };
    keys.revoke_key(revoke).await.unwrap();
    until(&server, &created.key, Code::Unauthenticated).await;
    assert_eq!(code_of(&server, &rotated.key).await, Code::Ok);
    let revoke_all = RevokeKeyRequest {
        client_id: client.client_id,
        ..RevokeKeyRequest::default()
    };
    keys.revoke_key(revoke_all).await.unwrap();
    until(&server, &rotated.key, Code::Unauthenticated).await;
    let listed = keys
        .list_clients(ListClientsRequest::default())
        .await
        .unwrap();
    let shown = format!("{listed:?}");
    assert!(!shown.contains(rotated.key.rsplit_once('_').unwrap().1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_admin_reaches_neither_the_platform_nor_another_tenant() {
    let (server, admin) = Box::pin(guarded(Role::TenantAdmin)).await;
    let mut keys = KeyServiceClient::new(line(&server, &admin));
    let mut refused = async |tenant: &str, role: &str| {
        let request = CreateClientRequest {
            tenant: tenant.to_owned(),
            name: "x".to_owned(),
            roles: vec![role.to_owned()],
            valid_days: 0,
        };
        api_error(&keys.create_client(request).await.unwrap_err()).reason
    };
    assert_eq!(refused("", "platform-admin").await, "ROLE_NOT_GRANTABLE");
    assert_eq!(refused("", "monitor").await, "ROLE_NOT_GRANTABLE");
    assert_eq!(refused("other", "auditor").await, "SCOPE_MISSING");
    assert_eq!(refused("", "king").await, "ROLE_UNKNOWN");
    assert_eq!(refused("A B", "auditor").await, "TENANT_INVALID");
    let stranger = ListClientsRequest {
        tenant: "other".to_owned(),
    };
    let error = keys.list_clients(stranger).await.unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
}
