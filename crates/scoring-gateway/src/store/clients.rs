//! Clients and their keys. Each method is one statement, so none of them needs a transaction.

use std::sync::Arc;

use async_trait::async_trait;
use fcs_core::{TenantId, UnixMicros};
use fcs_service::auth::ClientId;
use fcs_service::database::Database;

use super::StoreError;
use super::sql::{StoreFailure, to_u64};
use crate::app::keys::Client;

const INSERT: &str = "INSERT INTO api_clients (client_id, tenant, name, roles, keys, created_at, revision) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
const FIND: &str = "SELECT client_id, tenant, name, roles, keys, created_at, revision \
                    FROM api_clients WHERE client_id = $1";
const LIST: &str = "SELECT client_id, tenant, name, roles, keys, created_at, revision \
                    FROM api_clients WHERE tenant = $1 ORDER BY name LIMIT $2";
const REPLACE: &str = "UPDATE api_clients SET keys = $1, revision = revision + 1 \
                       WHERE client_id = $2 AND revision = $3";

/// The port to the clients. Every method answers within a limit of its own.
#[async_trait]
pub trait ClientStore: Send + Sync + 'static {
    /// Keeps a new client; says whether its name within the tenant was free.
    async fn insert(&self, client: &Client) -> Result<bool, StoreError>;

    /// One client.
    async fn client(&self, id: ClientId) -> Result<Option<Client>, StoreError>;

    /// At most `limit` clients of a tenant, by name.
    async fn clients(&self, tenant: &TenantId, limit: u32) -> Result<Vec<Client>, StoreError>;

    /// Replaces the keys of a client that still has the revision that it was read with; says whether it did.
    async fn replace_keys(&self, client: &Client) -> Result<bool, StoreError>;
}

/// The clients of an open database.
pub fn clients_of(database: &Database) -> Arc<dyn ClientStore> {
    match database {
        Database::Postgres(pool) => Arc::new(Clients(pool.clone())),
        Database::Sqlite(pool) => Arc::new(Clients(pool.clone())),
    }
}

/// The store on one engine.
struct Clients<E: sqlx::Database>(sqlx::Pool<E>);

/// The columns of a client as the engines give them.
struct Columns {
    id: String,
    tenant: String,
    name: String,
    roles: String,
    keys: String,
    created_at: i64,
    revision: i64,
}

impl Columns {
    fn client(self) -> Result<Client, StoreFailure> {
        Ok(Client {
            id: self.id.parse()?,
            tenant: self.tenant.parse()?,
            name: self.name,
            roles: serde_json::from_str(&self.roles)?,
            keys: serde_json::from_str(&self.keys)?,
            created_at: UnixMicros(self.created_at),
            revision: to_u64(self.revision)?,
        })
    }
}

/// Implements the store on one engine, for the reason that [`super::sql`] gives.
macro_rules! client_store {
    ($engine:ty) => {
        const _: () = {
            use sqlx::Row as _;

            use $crate::store::sql::{to_i64, within};

            fn client(row: &<$engine as sqlx::Database>::Row) -> Result<Client, StoreFailure> {
                Columns {
                    id: row.try_get("client_id")?,
                    tenant: row.try_get("tenant")?,
                    name: row.try_get("name")?,
                    roles: row.try_get("roles")?,
                    keys: row.try_get("keys")?,
                    created_at: row.try_get("created_at")?,
                    revision: row.try_get("revision")?,
                }
                .client()
            }

            #[async_trait]
            impl ClientStore for Clients<$engine> {
                async fn insert(&self, client: &Client) -> Result<bool, StoreError> {
                    within("keep a client", async {
                        let insert = sqlx::query(INSERT)
                            .bind(client.id.to_string())
                            .bind(client.tenant.as_str())
                            .bind(client.name.as_str())
                            .bind(serde_json::to_string(&client.roles)?)
                            .bind(serde_json::to_string(&client.keys)?)
                            .bind(client.created_at.0)
                            .bind(to_i64(client.revision));
                        Ok::<_, StoreFailure>(insert.execute(&self.0).await?.rows_affected() == 1)
                    })
                    .await
                }

                async fn client(&self, id: ClientId) -> Result<Option<Client>, StoreError> {
                    within("read a client", async {
                        let row = sqlx::query(FIND)
                            .bind(id.to_string())
                            .fetch_optional(&self.0)
                            .await?;
                        row.as_ref().map(client).transpose()
                    })
                    .await
                }

                async fn clients(
                    &self,
                    tenant: &TenantId,
                    limit: u32,
                ) -> Result<Vec<Client>, StoreError> {
                    within("list clients", async {
                        let list = sqlx::query(LIST)
                            .bind(tenant.as_str())
                            .bind(i64::from(limit));
                        list.fetch_all(&self.0)
                            .await?
                            .iter()
                            .map(client)
                            .collect::<Result<_, StoreFailure>>()
                    })
                    .await
                }

                async fn replace_keys(&self, client: &Client) -> Result<bool, StoreError> {
                    within("replace the keys of a client", async {
                        let replace = sqlx::query(REPLACE)
                            .bind(serde_json::to_string(&client.keys)?)
                            .bind(client.id.to_string())
                            .bind(to_i64(client.revision));
                        Ok::<_, StoreFailure>(replace.execute(&self.0).await?.rows_affected() == 1)
                    })
                    .await
                }
            }
        };
    };
}

client_store!(sqlx::Postgres);
client_store!(sqlx::Sqlite);
