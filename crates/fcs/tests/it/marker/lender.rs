//! A lender that has the marker in everything that it sends.

use fcs_proto::scoring::v1 as wire;
use fcs_proto::scoring::v1::key_service_client::KeyServiceClient;
use fcs_service::grpc::{Credential, channel};
use serde_json::{Value, json};
use tonic::transport::Channel;

use super::forms::{NUMBER, TEXT};
use super::wire::send;
use crate::system::System;

/// Stands where it may be found: in request ids and in reasons for erasures.
pub(crate) const CONTROL: &str = "c0ntr01-marker";

/// A client of the gateway with an API key.
pub(crate) struct Lender {
    pub(super) gateway: String,
    /// The text of the key.
    pub(crate) key: String,
    pub(super) credential: Credential,
    pub(super) channel: Channel,
}

/// Feature values of the Boston model that are denied.
pub(super) fn features() -> Value {
    json!({
        "dir": NUMBER, "hir": 0.25, "lvr": 0.8, "uria": 3.1, "ccs": "no_slow_payments", "mcs": "no_late_payments",
        "pbcr": "no", "dmi": "yes", "self": "no", "condominium": "no",
    })
}

impl Lender {
    /// Makes a client of the gateway with a key.
    pub(crate) async fn of(system: &System) -> Self {
        let gateway = system.url("scoring-gateway");
        let channel = channel(&gateway).unwrap();
        let request = wire::CreateClientRequest {
            name: "lender".to_owned(),
            roles: vec!["tenant-admin".to_owned()],
            ..wire::CreateClientRequest::default()
        };
        let mut keys = KeyServiceClient::new(channel.clone());
        let key = keys.create_client(request).await.unwrap().into_inner().key;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &key).unwrap();
        Self {
            gateway,
            credential: Credential::read(file.path()).unwrap(),
            channel,
            key,
        }
    }

    /// Credentials that open nothing.
    pub(crate) fn knock(&self) {
        for credential in [
            format!("Bearer fcs_{TEXT}"),
            format!(
                "Bearer {}",
                self.key.replace(|digit: char| digit.is_ascii_digit(), "f")
            ),
            format!("Bearer {TEXT}.{TEXT}.{TEXT}"),
            format!("Bearer {TEXT}"),
            format!("Basic {TEXT}"),
        ] {
            let head = format!("authorization: {credential}\r\n");
            let answer = send(&self.gateway, "GET /v1/decisions", &head, "");
            assert_eq!(answer.status, 401, "{credential}: {}", answer.body);
        }
    }
}
