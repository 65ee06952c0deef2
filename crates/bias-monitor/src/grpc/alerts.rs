//! `AlertService`.

use std::pin::Pin;
use std::time::Duration;

use fcs_core::{ApiError, UnixMicros};
use fcs_fairness::alarm::{Change, Entry, Status as AlarmStatus};
use fcs_fairness::anytime::EValue;
use fcs_fairness::anytime::watch::{Judgement, Verdict};
use fcs_proto::monitoring::v1 as wire;
use fcs_proto::monitoring::v1::alert_service_server::AlertService;
use fcs_service::auth::Principal;
use fcs_service::grpc::status;
use futures::Stream;
use futures::stream::unfold;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::{answer, deadline, refuse};
use crate::app::alarms::{Action, Alarms, watched_group};
use crate::app::evidence::{Watched, WatchedGroup};
use crate::store::StoredNews;

/// How long a stream waits before it looks for news again.
const PAUSE: Duration = Duration::from_millis(500);

/// Serves `faircredit.monitoring.v1.AlertService`.
pub(crate) struct Alerts {
    /// The use cases.
    pub(crate) alarms: Alarms,
    /// Cancelled when endless streams must end.
    pub(crate) draining: CancellationToken,
}

type AlertStream = Pin<Box<dyn Stream<Item = Result<wire::WatchAlertsResponse, Status>> + Send>>;

#[tonic::async_trait]
impl AlertService for Alerts {
    type WatchAlertsStream = AlertStream;

    async fn list_verdicts(
        &self,
        request: Request<wire::ListVerdictsRequest>,
    ) -> Result<Response<wire::ListVerdictsResponse>, Status> {
        let deadline = deadline(&request);
        let model = request.into_inner().model;
        let standing = answer(deadline.run(self.alarms.verdicts(model)).await)?;
        let verdicts = standing.watched.iter().map(|(id, it)| verdict(id, it));
        Ok(Response::new(wire::ListVerdictsResponse {
            verdicts: verdicts.collect(),
            last_index: standing.last_index,
        }))
    }

    async fn list_alerts(
        &self,
        request: Request<wire::ListAlertsRequest>,
    ) -> Result<Response<wire::ListAlertsResponse>, Status> {
        let deadline = deadline(&request);
        let after = request.into_inner().after_sequence;
        let news = answer(deadline.run(self.alarms.news(after)).await)?;
        Ok(Response::new(wire::ListAlertsResponse {
            entries: news.iter().map(entry).collect(),
        }))
    }

    async fn watch_alerts(
        &self,
        request: Request<wire::WatchAlertsRequest>,
    ) -> Result<Response<AlertStream>, Status> {
        let request = request.into_inner();
        let watch = Watch {
            alarms: self.alarms.clone(),
            draining: self.draining.clone(),
            after: request.after_sequence,
            model: request.model,
        };
        Ok(Response::new(Box::pin(messages(watch))))
    }

    async fn acknowledge_alert(
        &self,
        request: Request<wire::AcknowledgeAlertRequest>,
    ) -> Result<Response<wire::AcknowledgeAlertResponse>, Status> {
        let by = Principal::of(&request).map_err(refuse)?.to_string();
        let deadline = deadline(&request);
        let wire::AcknowledgeAlertRequest { watched, note } = request.into_inner();
        let id = group_of(watched).map_err(refuse)?;
        let action = Action::Acknowledge { note };
        answer(deadline.run(self.alarms.act(id, by, action)).await)?;
        Ok(Response::new(wire::AcknowledgeAlertResponse {}))
    }

    async fn mute_alert(
        &self,
        request: Request<wire::MuteAlertRequest>,
    ) -> Result<Response<wire::MuteAlertResponse>, Status> {
        let by = Principal::of(&request).map_err(refuse)?.to_string();
        let deadline = deadline(&request);
        let wire::MuteAlertRequest {
            watched,
            reason,
            for_s,
        } = request.into_inner();
        let id = group_of(watched).map_err(refuse)?;
        let action = Action::Mute { reason, for_s };
        answer(deadline.run(self.alarms.act(id, by, action)).await)?;
        Ok(Response::new(wire::MuteAlertResponse {}))
    }

    async fn unmute_alert(
        &self,
        request: Request<wire::UnmuteAlertRequest>,
    ) -> Result<Response<wire::UnmuteAlertResponse>, Status> {
        let by = Principal::of(&request).map_err(refuse)?.to_string();
        let deadline = deadline(&request);
        let id = group_of(request.into_inner().watched).map_err(refuse)?;
        answer(deadline.run(self.alarms.act(id, by, Action::Unmute)).await)?;
        Ok(Response::new(wire::UnmuteAlertResponse {}))
    }

    async fn get_policy(
        &self,
        _request: Request<wire::GetPolicyRequest>,
    ) -> Result<Response<wire::GetPolicyResponse>, Status> {
        let policy = self.alarms.policy();
        let document = serde_json::to_string(policy.document())
            .map_err(|error| Status::internal(format!("the policy cannot be written: {error}")))?;
        Ok(Response::new(wire::GetPolicyResponse {
            document,
            digest: policy.digest().to_string(),
        }))
    }
}

/// A stream of news, and how far it is.
struct Watch {
    alarms: Alarms,
    draining: CancellationToken,
    after: u64,
    model: String,
}

impl Watch {
    /// The next news, as soon as there are any; none when the service ends.
    async fn next(&mut self) -> Result<Option<Vec<StoredNews>>, ApiError> {
        loop {
            let mut news = self.alarms.news(self.after).await?;
            self.after = news.last().map_or(self.after, |last| last.sequence);
            news.retain(|it| self.model.is_empty() || it.news.watched.model.as_str() == self.model);
            if !news.is_empty() {
                return Ok(Some(news));
            }
            tokio::select! {
                () = self.draining.cancelled() => return Ok(None),
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

/// The stream ends after its first error, or with the service.
fn messages(watch: Watch) -> impl Stream<Item = Result<wire::WatchAlertsResponse, Status>> {
    unfold(Some(watch), async |watch| {
        let mut watch = watch?;
        match watch.next().await {
            Ok(news) => {
                let entries = news?.iter().map(entry).collect();
                Some((Ok(wire::WatchAlertsResponse { entries }), Some(watch)))
            }
            Err(error) => Some((Err(status(&error)), None)),
        }
    })
}

fn group_of(watched: Option<wire::WatchedGroup>) -> Result<WatchedGroup, ApiError> {
    let watched = watched.unwrap_or_default();
    watched_group(
        &watched.model,
        &watched.baseline_model,
        &watched.attribute,
        &watched.group,
    )
}

fn watched(id: &WatchedGroup) -> wire::WatchedGroup {
    let baseline = id.baseline.as_ref().map(ToString::to_string);
    wire::WatchedGroup {
        model: id.model.to_string(),
        attribute: id.attribute.as_str().to_owned(),
        group: id.group.as_str().to_owned(),
        baseline_model: baseline.unwrap_or_default(),
    }
}

fn verdict(id: &WatchedGroup, known: &Watched) -> wire::GroupVerdict {
    let alarm = &known.alarm;
    let alert = match alarm.status() {
        AlarmStatus::Quiet => wire::AlertStatus::Quiet,
        AlarmStatus::Pending { .. } => wire::AlertStatus::Pending,
        AlarmStatus::Firing { .. } => wire::AlertStatus::Firing,
        AlarmStatus::Recovering { .. } => wire::AlertStatus::Recovering,
    };
    let acknowledged_by = alarm.acknowledgement().map(|it| it.by.clone());
    let muted_until = alarm.mute().map(|mute| mute.until.to_string());
    let group = wire::GroupVerdict {
        watched: Some(watched(id)),
        alert: alert.into(),
        by_proxy: known.is_by_proxy(),
        acknowledged_by: acknowledged_by.unwrap_or_default(),
        muted_until: muted_until.unwrap_or_default(),
        ..wire::GroupVerdict::default()
    };
    match &known.judgement {
        Some(judgement) => judged(group, judgement),
        None => group,
    }
}

fn judged(group: wire::GroupVerdict, judgement: &Judgement) -> wire::GroupVerdict {
    let verdict = match judgement.verdict {
        Verdict::Breach => wire::WatchVerdict::Breach,
        Verdict::Clear => wire::WatchVerdict::Clear,
        Verdict::InsufficientEvidence => wire::WatchVerdict::InsufficientEvidence,
        Verdict::Stale => wire::WatchVerdict::Stale,
    };
    let time = |at: Option<UnixMicros>| at.map(|at| at.to_string()).unwrap_or_default();
    wire::GroupVerdict {
        verdict: verdict.into(),
        grounds: word(&judgement.grounds),
        breach_ln_e: judgement.breach_ln_e.ln(),
        clear_ln_e: judgement.clear_ln_e.map(EValue::ln),
        reference_decisions: judgement.reference_decisions,
        group_decisions: judgement.group_decisions,
        more_decisions: judgement.more_decisions,
        found_at: time(judgement.found_at),
        judged_at: time(Some(judgement.judged_at)),
        policy_digest: judgement.policy.to_string(),
        ..group
    }
}

fn entry(stored: &StoredNews) -> wire::AlertEntry {
    let Entry {
        at,
        change,
        tell,
        policy,
    } = &stored.news.entry;
    let (by, detail) = who_and_what(change);
    wire::AlertEntry {
        sequence: stored.sequence,
        watched: Some(watched(&stored.news.watched)),
        at: at.to_string(),
        change: tag(change),
        by,
        detail,
        tell: *tell,
        policy_digest: policy.map(|digest| digest.to_string()).unwrap_or_default(),
    }
}

fn who_and_what(change: &Change) -> (String, String) {
    match change {
        Change::Acknowledged(it) => (it.by.clone(), it.note.clone()),
        Change::Muted(it) => (it.by.clone(), it.reason.clone()),
        Change::Unmuted { by } => (by.clone(), String::new()),
        Change::Relapsed { verdict } => (String::new(), word(verdict)),
        Change::MuteExpired { still_firing: true } => (String::new(), "still_firing".to_owned()),
        _ => (String::new(), String::new()),
    }
}

/// The name that a unit variant has in JSON.
fn word(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_value(value).ok();
    text.as_ref()
        .and_then(|text| text.as_str())
        .unwrap_or_default()
        .to_owned()
}

/// The name that a change has in JSON.
fn tag(change: &Change) -> String {
    let object = serde_json::to_value(change).unwrap_or_default();
    object["change"].as_str().unwrap_or_default().to_owned()
}
