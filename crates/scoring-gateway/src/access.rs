//! Who may call what: the table of the gateway. A route without a row answers nobody.

use fcs_service::admission::Class;
use fcs_service::auth::{Rule, Scope};

/// One row for each route and each gRPC method.
pub(crate) const RULES: &[Rule] = &[
    Rule::post("/v1/applications/score", Scope::DecisionsScore).takes_place(Class::Decision),
    Rule::get("/v1/decisions", Scope::DecisionsRead).takes_place(Class::Read),
    Rule::post("/v1/decisions:batch", Scope::DecisionsScore),
    Rule::get("/v1/decisions/{decision_id}", Scope::DecisionsRead).takes_place(Class::Read),
    Rule::get(
        "/v1/decisions/{decision_id}/explanation",
        Scope::DecisionsRead,
    )
    .takes_place(Class::Read),
    Rule::post("/v1/decisions/{decision_id}/replay", Scope::DecisionsRead).takes_place(Class::Read),
    Rule::get("/v1/decisions/{decision_id}/reviews", Scope::DecisionsRead),
    Rule::post(
        "/v1/decisions/{decision_id}/reviews",
        Scope::DecisionsReview,
    ),
    Rule::get("/v1/decisions/{decision_id}/notice", Scope::DecisionsRead),
    Rule::get(
        "/v1/decisions/{decision_id}/notice/deliveries",
        Scope::DecisionsRead,
    ),
    Rule::post(
        "/v1/decisions/{decision_id}/notice/deliveries",
        Scope::DecisionsReview,
    ),
    Rule::post("/v1/erasures", Scope::DecisionsErase),
    Rule::get("/v1/erasures", Scope::DecisionsErase),
    Rule::get("/v1/shadow/{arm}/decisions", Scope::DecisionsRead),
    Rule::get("/v1/shadow/{arm}/summary", Scope::DecisionsRead),
    Rule::public("GET", "/v1/openapi.json"),
    Rule::call(
        "/faircredit.scoring.v1.ScoringService/Score",
        Scope::DecisionsScore,
    )
    .takes_place(Class::Decision),
    Rule::call(
        "/faircredit.scoring.v1.ScoringService/ScoreBatch",
        Scope::DecisionsScore,
    ),
    Rule::call(
        "/faircredit.scoring.v1.ScoringService/ScoreStream",
        Scope::DecisionsScore,
    ),
    Rule::call(
        "/faircredit.scoring.v1.ScoringService/ExplainDecision",
        Scope::DecisionsRead,
    )
    .takes_place(Class::Read),
    Rule::call(
        "/faircredit.scoring.v1.ReviewService/RecordReview",
        Scope::DecisionsReview,
    ),
    Rule::call(
        "/faircredit.scoring.v1.ReviewService/ListReviews",
        Scope::DecisionsRead,
    ),
    Rule::call(
        "/faircredit.scoring.v1.NoticeService/GetNotice",
        Scope::DecisionsRead,
    ),
    Rule::call(
        "/faircredit.scoring.v1.NoticeService/RecordNoticeDelivery",
        Scope::DecisionsReview,
    ),
    Rule::call(
        "/faircredit.scoring.v1.NoticeService/ListNoticeDeliveries",
        Scope::DecisionsRead,
    ),
    Rule::call(
        "/faircredit.scoring.v1.ScoringService/GetDecision",
        Scope::DecisionsRead,
    )
    .takes_place(Class::Read),
    Rule::call(
        "/faircredit.scoring.v1.ScoringService/ListDecisions",
        Scope::DecisionsRead,
    )
    .takes_place(Class::Read),
    Rule::call(
        "/faircredit.scoring.v1.ScoringService/ReplayDecision",
        Scope::DecisionsRead,
    )
    .takes_place(Class::Read),
    Rule::call(
        "/faircredit.scoring.v1.PrivacyService/EraseApplication",
        Scope::DecisionsErase,
    ),
    Rule::call(
        "/faircredit.scoring.v1.PrivacyService/ListErasures",
        Scope::DecisionsErase,
    ),
    Rule::call(
        "/faircredit.scoring.v1.KeyService/CreateClient",
        Scope::KeysAdmin,
    ),
    Rule::call(
        "/faircredit.scoring.v1.KeyService/ListClients",
        Scope::KeysAdmin,
    ),
    Rule::call(
        "/faircredit.scoring.v1.KeyService/RotateKey",
        Scope::KeysAdmin,
    ),
    Rule::call(
        "/faircredit.scoring.v1.KeyService/RevokeKey",
        Scope::KeysAdmin,
    ),
    Rule::call(
        "/faircredit.scoring.v1.FeedService/Subscribe",
        Scope::FeedRead,
    ),
    Rule::call(
        "/faircredit.scoring.v1.FeedService/GetModelProfile",
        Scope::FeedRead,
    ),
    Rule::call(
        "/faircredit.scoring.v1.ErasureFeedService/ListExecutedErasures",
        Scope::FeedRead,
    ),
    Rule::call(
        "/faircredit.scoring.v1.ShadowFeedService/ListShadowArms",
        Scope::FeedRead,
    ),
    Rule::call(
        "/faircredit.scoring.v1.ShadowFeedService/ListShadowOutcomes",
        Scope::FeedRead,
    ),
    Rule::call(
        "/faircredit.scoring.v1.TrafficService/GetTraffic",
        Scope::TrafficRead,
    ),
    Rule::call(
        "/faircredit.scoring.v1.TrafficService/ApplyTraffic",
        Scope::TrafficWrite,
    ),
    Rule::call(
        "/faircredit.scoring.v1.TrafficService/ListGatewayInstances",
        Scope::TrafficRead,
    ),
    Rule::call(
        "/faircredit.scoring.v1.ShadowService/ListShadowDecisions",
        Scope::DecisionsRead,
    ),
    Rule::call(
        "/faircredit.scoring.v1.ShadowService/SummariseShadow",
        Scope::DecisionsRead,
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_names_the_methods_of_the_contracts_and_no_others() {
        let calls: Vec<&str> = RULES
            .iter()
            .filter(|rule| rule.method == Rule::CALL)
            .map(|rule| rule.path)
            .collect();
        let methods =
            fcs_testkit::contract::methods(fcs_proto::DESCRIPTORS, &["faircredit.scoring.v1"]);
        let unique: BTreeSet<&str> = calls.iter().copied().collect();
        assert_eq!(unique.len(), calls.len(), "each method has one rule");
        assert_eq!(unique, methods.iter().map(String::as_str).collect());
    }
}
