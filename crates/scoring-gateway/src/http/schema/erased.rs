//! What a list shows where decisions were erased.

use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::Decision;

/// What is left of a decision whose application was erased.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct Tombstone {
    decision_id: String,
    /// When the key of the application was destroyed.
    erased_at: String,
    /// Place in the decision log, from 1 without gaps.
    #[schema(minimum = 1)]
    log_index: u64,
    /// SHA-256 of the record that was there.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    record_digest: String,
}

/// A place in the log with what is there: a decision, or what is left of it.
pub(in crate::http) struct Listed;

impl PartialSchema for Listed {
    fn schema() -> RefOr<Schema> {
        AnyOfBuilder::new()
            .item(Ref::from_schema_name(Decision::name()))
            .item(Ref::from_schema_name(Tombstone::name()))
            .into()
    }
}

impl ToSchema for Listed {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Decision::name().into_owned(), Decision::schema()));
        Decision::schemas(schemas);
        schemas.push((Tombstone::name().into_owned(), Tombstone::schema()));
        Tombstone::schemas(schemas);
    }
}
