//! Messages on what proxies say.

use fcs_proto::monitoring::v1 as wire;

use crate::app::intake::ProbabilitiesInput;

pub(super) fn probabilities(item: wire::GroupProbabilities) -> ProbabilitiesInput {
    ProbabilitiesInput {
        application_id: item.application_id,
        attribute: item.attribute,
        probabilities: item.probabilities.into_iter().collect(),
        source: item.source,
        proxy_version: item.proxy_version,
    }
}
