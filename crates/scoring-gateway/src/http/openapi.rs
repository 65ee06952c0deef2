//! The OpenAPI document: made from the routes, served beside them, and checked in.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Http, decisions, erasures, json, notices, reviews, shadow};

const DESCRIPTION: &str = "Decides on credit applications and answers for every decision. Errors are problems of RFC \
                           9457 with stable reasons; the same commands are there over gRPC.";

#[derive(OpenApi)]
#[openapi(
    info(title = "Fair Credit Scorer: scoring gateway", version = "1", description = DESCRIPTION,
         license(name = "Apache-2.0", identifier = "Apache-2.0")),
    modifiers(&Credentials),
    security((), ("credential" = [])),
    tags(
        (name = "decisions", description = "Decisions, and the log of all of them"),
        (name = "reviews", description = "What people decided after the system had decided"),
        (name = "erasures", description = "Erasure of what is kept of an applicant"),
        (name = "shadow", description = "What shadow arms would have decided"),
        (name = "notices", description = "Adverse action notices (12 CFR 1002.9)"),
    )
)]
struct Document;

const CREDENTIAL: &str = "An API key of a client, or a token (JWT) of the identity provider for a person. A client \
                          certificate (mTLS) serves as well. Required where `auth.mode` is `required`.";

/// What a caller shows.
struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(CREDENTIAL))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("credential", SecurityScheme::Http(bearer));
    }
}

/// Every route with its description.
pub(super) fn described() -> OpenApiRouter<Http> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(decisions::score))
        .routes(routes!(decisions::score_batch))
        .routes(routes!(decisions::list))
        .routes(routes!(decisions::find))
        .routes(routes!(decisions::explain))
        .routes(routes!(decisions::replay))
        .routes(routes!(reviews::record, reviews::list))
        .routes(routes!(erasures::erase, erasures::list))
        .routes(routes!(shadow::list))
        .routes(routes!(shadow::summarise))
        .routes(routes!(notices::find))
        .routes(routes!(notices::record, notices::list))
}

/// The document as it is served and checked in.
pub fn document() -> String {
    text(&described().into_openapi())
}

fn text(document: &utoipa::openapi::OpenApi) -> String {
    let mut text = document
        .to_pretty_json()
        .expect("the document holds only texts and numbers");
    text.push('\n');
    text
}

/// `GET /v1/openapi.json`.
pub(super) fn route(document: &utoipa::openapi::OpenApi) -> Router {
    let text: Arc<[u8]> = text(document).into_bytes().into();
    Router::new().route("/v1/openapi.json", get(async move || json(text.to_vec())))
}
