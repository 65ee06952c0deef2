//! The gRPC face and the wire of the feed: parse, call one use case, convert.

mod alerts;
mod convert;
mod drift;
mod examination;
pub(crate) mod feed;
mod proxies;

use std::time::Duration;

use fcs_core::ApiError;
use fcs_proto::monitoring::v1::monitoring_service_server::MonitoringService;
use fcs_proto::monitoring::v1::{
    ExamineRequest, ExamineResponse, GetDriftRequest, GetDriftResponse, GetGroupReportRequest,
    GetGroupReportResponse, GetSheetRequest, GetSheetResponse, GetStatusRequest, GetStatusResponse,
    RebuildCountersRequest, RebuildCountersResponse, RecordDemographicsRequest,
    RecordDemographicsResponse, RecordGroupProbabilitiesRequest, RecordGroupProbabilitiesResponse,
    RecordOutcomesRequest, RecordOutcomesResponse, RecordOverridesRequest, RecordOverridesResponse,
};
use fcs_service::grpc::{Deadline, status};
use fcs_service::problem::internal;
use tonic::{Request, Response, Status};

pub(crate) use alerts::Alerts;

use crate::app::document::{SheetDay, SheetExamination, SheetQuery};
use crate::app::drift::DriftQuery;
use crate::app::drifts::Drifts;
use crate::app::examinations::Examinations;
use crate::app::intake;
use crate::app::monitor::Monitor;
use crate::app::report::ReportQuery;
use crate::app::sheets::Sheets;
use crate::store::EVER;

/// The longest that a caller waits; a shorter deadline of its own wins.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The same for an examination.
const EXAMINE_TIMEOUT: Duration = Duration::from_mins(2);
/// The same for a recount.
const REBUILD_TIMEOUT: Duration = Duration::from_mins(30);

/// Serves `faircredit.monitoring.v1.MonitoringService`.
pub(crate) struct Grpc {
    /// The use cases.
    pub(crate) monitor: Monitor,
    /// The use case of drift.
    pub(crate) drifts: Drifts,
    /// The use case of sheets.
    pub(crate) sheets: Sheets,
    /// The use cases of examinations and overrides.
    pub(crate) examinations: Examinations,
}

#[tonic::async_trait]
impl MonitoringService for Grpc {
    async fn record_demographics(
        &self,
        request: Request<RecordDemographicsRequest>,
    ) -> Result<Response<RecordDemographicsResponse>, Status> {
        let deadline = deadline(&request);
        let items = request
            .into_inner()
            .items
            .into_iter()
            .map(convert::demographics)
            .collect();
        let change = intake::demographics(items).map_err(refuse)?;
        let receipt = answer(deadline.run(self.monitor.record(change)).await)?;
        let (recorded, unchanged) = (receipt.recorded, receipt.unchanged);
        Ok(Response::new(RecordDemographicsResponse {
            recorded,
            unchanged,
        }))
    }

    async fn record_group_probabilities(
        &self,
        request: Request<RecordGroupProbabilitiesRequest>,
    ) -> Result<Response<RecordGroupProbabilitiesResponse>, Status> {
        let deadline = deadline(&request);
        let items = request
            .into_inner()
            .items
            .into_iter()
            .map(proxies::probabilities)
            .collect();
        let change = intake::probabilities(items).map_err(refuse)?;
        let receipt = answer(deadline.run(self.monitor.record(change)).await)?;
        let (recorded, unchanged) = (receipt.recorded, receipt.unchanged);
        Ok(Response::new(RecordGroupProbabilitiesResponse {
            recorded,
            unchanged,
        }))
    }

    async fn record_outcomes(
        &self,
        request: Request<RecordOutcomesRequest>,
    ) -> Result<Response<RecordOutcomesResponse>, Status> {
        let deadline = deadline(&request);
        let items = request
            .into_inner()
            .items
            .into_iter()
            .map(convert::outcome)
            .collect();
        let change = intake::outcomes(items).map_err(refuse)?;
        let receipt = answer(deadline.run(self.monitor.record(change)).await)?;
        let (recorded, unchanged) = (receipt.recorded, receipt.unchanged);
        Ok(Response::new(RecordOutcomesResponse {
            recorded,
            unchanged,
        }))
    }

    async fn record_overrides(
        &self,
        request: Request<RecordOverridesRequest>,
    ) -> Result<Response<RecordOverridesResponse>, Status> {
        let deadline = deadline(&request);
        let items = request.into_inner().items.into_iter();
        let items = items.map(examination::override_input).collect();
        let overrides = intake::overrides(items).map_err(refuse)?;
        let receipt = answer(deadline.run(self.examinations.record(overrides)).await)?;
        Ok(Response::new(RecordOverridesResponse {
            recorded: receipt.recorded,
            unchanged: receipt.unchanged,
        }))
    }

    async fn examine(
        &self,
        request: Request<ExamineRequest>,
    ) -> Result<Response<ExamineResponse>, Status> {
        let deadline = Deadline::from_metadata(request.metadata(), EXAMINE_TIMEOUT);
        let input = examination::input(request.into_inner());
        let examined = answer(deadline.run(self.examinations.examine(input)).await)?;
        let answer = examination::answer(&examined);
        Ok(Response::new(answer.map_err(|error| {
            refuse(internal("EXAMINATION_FAILED", error))
        })?))
    }

    async fn get_group_report(
        &self,
        request: Request<GetGroupReportRequest>,
    ) -> Result<Response<GetGroupReportResponse>, Status> {
        let deadline = deadline(&request);
        let message = request.into_inner();
        let references = message.reference_groups.into_iter().collect();
        let query = ReportQuery::new(&message.model, references).map_err(refuse)?;
        let sheet = answer(deadline.run(self.monitor.report(query, EVER)).await)?;
        Ok(Response::new(convert::sheet(&sheet)))
    }

    async fn get_sheet(
        &self,
        request: Request<GetSheetRequest>,
    ) -> Result<Response<GetSheetResponse>, Status> {
        let deadline = Deadline::from_metadata(request.metadata(), EXAMINE_TIMEOUT);
        let message = request.into_inner();
        let format = convert::sheet_format(message.format()).map_err(refuse)?;
        let references = message.reference_groups.into_iter().collect();
        let query = SheetQuery {
            report: ReportQuery::new(&message.model, references).map_err(refuse)?,
            day: SheetDay::parse(&message.day).map_err(refuse)?,
            examination: SheetExamination {
                attributes: message.attributes,
                stratify_by: message.stratify_by,
                basis: examination::basis(message.basis).to_owned(),
                arm: message.arm,
            },
        };
        let signed = answer(deadline.run(self.sheets.signed(query, format)).await)?;
        Ok(Response::new(GetSheetResponse {
            sheet: signed.bytes,
            note: signed.note,
            verifier_key: signed.verifier_key,
        }))
    }

    async fn get_drift(
        &self,
        request: Request<GetDriftRequest>,
    ) -> Result<Response<GetDriftResponse>, Status> {
        let deadline = deadline(&request);
        let message = request.into_inner();
        let query = DriftQuery::new(&message.model, message.hours).map_err(refuse)?;
        let sheet = answer(deadline.run(self.drifts.sheet(query)).await)?;
        Ok(Response::new(drift::sheet(sheet)))
    }

    async fn rebuild_counters(
        &self,
        request: Request<RebuildCountersRequest>,
    ) -> Result<Response<RebuildCountersResponse>, Status> {
        let deadline = Deadline::from_metadata(request.metadata(), REBUILD_TIMEOUT);
        let apply = request.into_inner().apply;
        let rebuilt = answer(deadline.run(self.monitor.rebuild(apply)).await)?;
        Ok(Response::new(RebuildCountersResponse {
            decisions: rebuilt.decisions,
            counters: rebuilt.counters,
            different: rebuilt.different,
            differences: rebuilt.differences,
            applied: rebuilt.applied,
        }))
    }

    async fn get_status(
        &self,
        request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        let known = answer(deadline(&request).run(self.monitor.status()).await)?;
        Ok(Response::new(GetStatusResponse {
            last_index: known.last_index,
            decisions: known.decisions,
            demographics: known.demographics,
            outcomes: known.outcomes,
        }))
    }
}

fn deadline<T>(request: &Request<T>) -> Deadline {
    Deadline::from_metadata(request.metadata(), CALL_TIMEOUT)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is an argument of map_err"
)]
fn refuse(error: ApiError) -> Status {
    status(&error)
}

fn answer<T>(result: Result<Result<T, ApiError>, ApiError>) -> Result<T, Status> {
    result.and_then(|result| result).map_err(refuse)
}
