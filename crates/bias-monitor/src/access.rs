//! Who may call what: the table of the bias monitor. A route without a row answers nobody.

use fcs_service::auth::{Rule, Scope};

/// One row for each route and each gRPC method.
pub(crate) const RULES: &[Rule] = &[
    Rule::post("/v1/demographics", Scope::OutcomesWrite),
    Rule::post("/v1/group-probabilities", Scope::OutcomesWrite),
    Rule::post("/v1/outcomes", Scope::OutcomesWrite),
    Rule::post("/v1/overrides", Scope::OutcomesWrite),
    Rule::get("/v1/reports/groups", Scope::ReportsRead),
    Rule::get("/v1/reports/examination", Scope::ReportsRead),
    Rule::get("/v1/drift", Scope::ReportsRead),
    Rule::get("/v1/reports/sheet", Scope::ReportsRead),
    Rule::get("/v1/status", Scope::ReportsRead),
    Rule::get("/v1/verdicts", Scope::ReportsRead),
    Rule::get("/v1/alerts", Scope::ReportsRead),
    Rule::get("/v1/policy", Scope::ReportsRead),
    Rule::post("/v1/alerts:acknowledge", Scope::AlertsWrite),
    Rule::post("/v1/alerts:mute", Scope::AlertsWrite),
    Rule::post("/v1/alerts:unmute", Scope::AlertsWrite),
    Rule::call(
        "/faircredit.monitoring.v1.MonitoringService/RecordDemographics",
        Scope::OutcomesWrite,
    ),
    Rule::call(
        "/faircredit.monitoring.v1.MonitoringService/RecordGroupProbabilities",
        Scope::OutcomesWrite,
    ),
    Rule::call(
        "/faircredit.monitoring.v1.MonitoringService/RecordOutcomes",
        Scope::OutcomesWrite,
    ),
    Rule::call(
        "/faircredit.monitoring.v1.MonitoringService/RecordOverrides",
        Scope::OutcomesWrite,
    ),
    Rule::call(
        "/faircredit.monitoring.v1.MonitoringService/Examine",
        Scope::ReportsRead,
    ),
    Rule::call(
        "/faircredit.monitoring.v1.MonitoringService/GetGroupReport",
        Scope::ReportsRead,
    ),
    Rule::call(
        "/faircredit.monitoring.v1.MonitoringService/GetDrift",
        Scope::ReportsRead,
    ),
    Rule::call(
        "/faircredit.monitoring.v1.MonitoringService/RebuildCounters",
        Scope::AlertsWrite,
    ),
    Rule::call(
        "/faircredit.monitoring.v1.MonitoringService/GetSheet",
        Scope::ReportsRead,
    ),
    Rule::call(
        "/faircredit.monitoring.v1.MonitoringService/GetStatus",
        Scope::ReportsRead,
    ),
    Rule::call(
        "/faircredit.monitoring.v1.AlertService/ListVerdicts",
        Scope::ReportsRead,
    ),
    Rule::call(
        "/faircredit.monitoring.v1.AlertService/ListAlerts",
        Scope::ReportsRead,
    ),
    Rule::call(
        "/faircredit.monitoring.v1.AlertService/WatchAlerts",
        Scope::ReportsRead,
    ),
    Rule::call(
        "/faircredit.monitoring.v1.AlertService/GetPolicy",
        Scope::ReportsRead,
    ),
    Rule::call(
        "/faircredit.monitoring.v1.AlertService/AcknowledgeAlert",
        Scope::AlertsWrite,
    ),
    Rule::call(
        "/faircredit.monitoring.v1.AlertService/MuteAlert",
        Scope::AlertsWrite,
    ),
    Rule::call(
        "/faircredit.monitoring.v1.AlertService/UnmuteAlert",
        Scope::AlertsWrite,
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
            fcs_testkit::contract::methods(fcs_proto::DESCRIPTORS, &["faircredit.monitoring.v1"]);
        let unique: BTreeSet<&str> = calls.iter().copied().collect();
        assert_eq!(unique.len(), calls.len(), "each method has one rule");
        assert_eq!(unique, methods.iter().map(String::as_str).collect());
    }
}
