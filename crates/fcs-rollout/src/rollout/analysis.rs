use fcs_core::ModelVersion;
use serde::{Deserialize, Serialize};

use crate::statistics::Criteria;
pub use crate::text::Query;

/// What a candidate is judged by, and where the numbers come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Analysis {
    /// What is asked, and how sure the answers must be.
    pub criteria: Criteria,
    /// Requests of a model in a window.
    pub requests: Query,
    /// The bad ones among them. A series that is missing is no data: a query says itself when it means 0.
    pub bad: Query,
}

impl Query {
    /// The query for a model and a window in whole seconds, at least one.
    pub fn of(&self, model: &ModelVersion, window_seconds: u64) -> String {
        let window = format!("{}s", window_seconds.max(1));
        self.as_str()
            .replace("{window}", &window)
            .replace("{model}", model.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_model_and_window() {
        let query: Query = r#"sum(increase(decisions_total{model="{model}"}[{window}]))"#
            .parse()
            .unwrap();
        assert_eq!(
            query.of(&"taiwan-default/2".parse().unwrap(), 90),
            r#"sum(increase(decisions_total{model="taiwan-default/2"}[90s]))"#
        );
        for bad in ["up", "x{model=\"{model}\"}", "x[{window}]"] {
            assert!(bad.parse::<Query>().is_err(), "{bad}");
        }
    }
}
