//! Who may call what: the table of the bias monitor. A route without a row answers nobody.

use fcs_service::auth::{Rule, Scope};

/// One row for each route and each gRPC method.
pub(crate) const RULES: &[Rule] = &[
    Rule::post("/v1/demographics", Scope::OutcomesWrite),
    Rule::post("/v1/outcomes", Scope::OutcomesWrite),
    Rule::get("/v1/reports/groups", Scope::ReportsRead),
    Rule::get("/v1/status", Scope::ReportsRead),
    Rule::call(
        "/faircredit.monitoring.v1.MonitoringService/RecordDemographics",
        Scope::OutcomesWrite,
    ),
    Rule::call(
        "/faircredit.monitoring.v1.MonitoringService/RecordOutcomes",
        Scope::OutcomesWrite,
    ),
    Rule::call(
        "/faircredit.monitoring.v1.MonitoringService/GetGroupReport",
        Scope::ReportsRead,
    ),
    Rule::call(
        "/faircredit.monitoring.v1.MonitoringService/GetStatus",
        Scope::ReportsRead,
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
