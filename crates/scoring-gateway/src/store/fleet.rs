//! What the gateways on one store tell each other: which traffic table each serves, and the tables before it. Each
//! method is one statement, or does no harm when only its first one is done.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fcs_core::UnixMicros;
use fcs_service::database::Database;

use super::StoreError;
use super::sql::{StoreFailure, to_u64, traffic_table};
use crate::app::traffic::TrafficTable;

const LEAVE: &str = "DELETE FROM gateway_instances WHERE instance_id = $1";
const TABLE: &str =
    "SELECT generation, salt, arms, shadows FROM traffic_tables WHERE generation = $1";
/// Rows of instances that were not seen for this long are deleted.
const KEPT: Duration = Duration::from_hours(24);

/// One process of the gateway, by the store's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Made anew at each start.
    pub id: String,
    /// Generation of the table that it serves.
    pub generation: u64,
    /// When it last said so.
    pub seen_at: UnixMicros,
    /// How long ago that is.
    pub age: Duration,
}

/// The port to what gateways tell each other. Every method answers within a limit of its own.
#[async_trait]
pub trait FleetStore: Send + Sync + 'static {
    /// Says that an instance is alive and which table it serves; forgets those that are long gone.
    async fn beat(&self, instance_id: &str, generation: u64) -> Result<(), StoreError>;

    /// Says that an instance has ended.
    async fn leave(&self, instance_id: &str) -> Result<(), StoreError>;

    /// Every instance that is not long gone, by its identifier.
    async fn instances(&self) -> Result<Vec<Instance>, StoreError>;

    /// The table of a generation, if it was ever in force.
    async fn table(&self, generation: u64) -> Result<Option<TrafficTable>, StoreError>;
}

/// The fleet store of an open database.
pub(super) fn fleet_of(database: &Database) -> Arc<dyn FleetStore> {
    match database {
        Database::Postgres(pool) => Arc::new(Fleet(pool.clone())),
        Database::Sqlite(pool) => Arc::new(Fleet(pool.clone())),
    }
}

/// The store on one engine.
struct Fleet<E: sqlx::Database>(sqlx::Pool<E>);

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Implements the store on one engine, whose clock in microseconds is `now`.
macro_rules! fleet_store {
    ($engine:ty, now = $now:literal) => {
        const _: () = {
            use sqlx::Row as _;

            use $crate::store::sql::{to_i64, within};

            const BEAT: &str = concat!(
                "INSERT INTO gateway_instances (instance_id, generation, seen_at) VALUES ($1, $2, ", $now, ") ",
                "ON CONFLICT (instance_id) DO UPDATE SET generation = excluded.generation, seen_at = excluded.seen_at",
            );
            const FORGET: &str = concat!("DELETE FROM gateway_instances WHERE seen_at < ", $now, " - $1");
            const INSTANCES: &str = concat!(
                "SELECT instance_id, generation, seen_at, ", $now, " - seen_at AS age ",
                "FROM gateway_instances ORDER BY instance_id",
            );

            fn instance(row: &<$engine as sqlx::Database>::Row) -> Result<Instance, StoreFailure> {
                let age: i64 = row.try_get("age")?;
                Ok(Instance {
                    id: row.try_get("instance_id")?,
                    generation: to_u64(row.try_get("generation")?)?,
                    seen_at: UnixMicros(row.try_get("seen_at")?),
                    age: Duration::from_micros(age.max(0).unsigned_abs()),
                })
            }

            #[async_trait]
            impl FleetStore for Fleet<$engine> {
                async fn beat(&self, instance_id: &str, generation: u64) -> Result<(), StoreError> {
                    within("say which traffic table is served", async {
                        let beat = sqlx::query(BEAT).bind(instance_id).bind(to_i64(generation));
                        beat.execute(&self.0).await?;
                        sqlx::query(FORGET).bind(micros(KEPT)).execute(&self.0).await.map(drop)
                    })
                    .await
                }

                async fn leave(&self, instance_id: &str) -> Result<(), StoreError> {
                    within("say that this gateway ends", async {
                        sqlx::query(LEAVE).bind(instance_id).execute(&self.0).await.map(drop)
                    })
                    .await
                }

                async fn instances(&self) -> Result<Vec<Instance>, StoreError> {
                    within("read the gateways", async {
                        let rows = sqlx::query(INSTANCES).fetch_all(&self.0).await?;
                        rows.iter().map(instance).collect::<Result<_, StoreFailure>>()
                    })
                    .await
                }

                async fn table(&self, generation: u64) -> Result<Option<TrafficTable>, StoreError> {
                    within("read an earlier traffic table", async {
                        let query = sqlx::query(TABLE).bind(to_i64(generation));
                        let Some(row) = query.fetch_optional(&self.0).await? else {
                            return Ok(None);
                        };
                        let (arms, shadows): (String, String) =
                            (row.try_get("arms")?, row.try_get("shadows")?);
                        let (generation, salt) =
                            (row.try_get("generation")?, row.try_get("salt")?);
                        let table = traffic_table(generation, salt, &arms, &shadows)?;
                        Ok::<_, StoreFailure>(Some(table))
                    })
                    .await
                }
            }
        };
    };
}

fleet_store!(
    sqlx::Postgres,
    now = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
);
fleet_store!(
    sqlx::Sqlite,
    now = "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"
);
