//! Checks of what stands around inference: repository, statistics, streams, health and reflection.

use fcs_proto::inference::{
    ModelStatisticsRequest, RepositoryIndexRequest, RepositoryModelLoadRequest,
};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1, v1alpha};

use super::grpc::{bounded, expect, infer, told};
use super::request::good;
use super::target::Target;
use super::{Finding, Findings};

const SERVICE: &str = "inference.GRPCInferenceService";
const NOBODY: &str = "fcs-conformance-nobody";

/// Runs the checks.
pub(super) async fn check(target: &mut Target) -> Vec<Finding> {
    let mut findings = Findings::new("grpc");
    repository(target, &mut findings).await;
    statistics(target, &mut findings).await;
    stream(target, &mut findings).await;
    health(target, &mut findings).await;
    reflection(target, &mut findings).await;
    findings.all
}

async fn repository(target: &mut Target, findings: &mut Findings) {
    let name = target.metadata.name.clone();
    let index = target
        .client
        .repository_index(bounded(RepositoryIndexRequest::default()))
        .await;
    match index {
        Err(status) if status.code() == Code::Unimplemented => {
            findings.not_applicable("repository index", "the model", told(&status));
        }
        Err(status) => findings.that("repository index", false, "the model", told(&status)),
        Ok(index) => {
            let models = &index.get_ref().models;
            let named = models.iter().any(|model| model.name == name);
            let found = format!("{} entries", models.len());
            findings.that("repository index", named, "the model", found);
        }
    }
    let request = RepositoryModelLoadRequest {
        model_name: NOBODY.to_owned(),
        ..RepositoryModelLoadRequest::default()
    };
    let loaded = target.client.repository_model_load(bounded(request)).await;
    match loaded {
        Err(status) if status.code() == Code::Unimplemented => {
            findings.not_applicable("load of an unknown model", "NotFound", told(&status));
        }
        other => expect(
            findings,
            "load of an unknown model",
            Code::NotFound,
            other.map(drop),
        ),
    }
}

/// Counts must move with requests.
async fn statistics(target: &mut Target, findings: &mut Findings) {
    let before = execution_count(target).await;
    let _ = infer(target, good(&target.metadata, 1)).await;
    let after = execution_count(target).await;
    let expected = "one request more";
    match (before, after) {
        (Ok(before), Ok(after)) => {
            let found = format!("{before}, then {after}");
            findings.that("statistics", after > before, expected, found);
        }
        (Err(status), _) | (_, Err(status)) if status.code() == Code::Unimplemented => {
            findings.not_applicable("statistics", expected, told(&status));
        }
        (Err(status), _) | (_, Err(status)) => {
            findings.that("statistics", false, expected, told(&status));
        }
    }
}

async fn execution_count(target: &mut Target) -> Result<u64, tonic::Status> {
    let request = ModelStatisticsRequest {
        name: target.metadata.name.clone(),
        version: String::new(),
    };
    let answer = target.client.model_statistics(bounded(request)).await?;
    let models = answer.into_inner().model_stats;
    Ok(models.iter().map(|model| model.execution_count).sum())
}

/// A bad request of a stream gets an answer, and the next one too.
async fn stream(target: &mut Target, findings: &mut Findings) {
    let expected = "an answer, an error message, an answer";
    let mut unknown = good(&target.metadata, 1);
    NOBODY.clone_into(&mut unknown.model_name);
    let requests = [
        good(&target.metadata, 1),
        unknown,
        good(&target.metadata, 1),
    ];
    let answers = target
        .client
        .model_stream_infer(bounded(tokio_stream::iter(requests)))
        .await;
    let mut answers = match answers {
        Ok(answers) => answers.into_inner(),
        Err(status) if status.code() == Code::Unimplemented => {
            return findings.not_applicable("stream", expected, told(&status));
        }
        Err(status) => return findings.that("stream", false, expected, told(&status)),
    };
    let mut found = Vec::new();
    loop {
        match answers.message().await {
            Ok(Some(answer)) if answer.error_message.is_empty() => found.push("an answer"),
            Ok(Some(_)) => found.push("an error message"),
            Ok(None) => break,
            Err(status) if status.code() == Code::Unimplemented => {
                return findings.not_applicable("stream", expected, told(&status));
            }
            Err(_) => {
                found.push("the end of the stream by an error");
                break;
            }
        }
    }
    let found = found.join(", ");
    findings.that("stream", found == expected, expected, found.clone());
}

async fn health(target: &Target, findings: &mut Findings) {
    let mut client = HealthClient::new(target.channel.clone());
    for (check, service) in [("health", ""), ("health of the service", SERVICE)] {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = client.check(bounded(request)).await;
        let found = match &answer {
            Ok(answer) => format!("{:?}", answer.get_ref().status()),
            Err(status) => told(status),
        };
        findings.that(check, found == "Serving", "Serving", found.clone());
    }
    let request = HealthCheckRequest {
        service: NOBODY.to_owned(),
    };
    let answer = client.check(bounded(request)).await;
    expect(
        findings,
        "health of an unknown service",
        Code::NotFound,
        answer.map(drop),
    );
}

async fn reflection(target: &Target, findings: &mut Findings) {
    use v1::server_reflection_response::MessageResponse;
    use v1alpha::server_reflection_response::MessageResponse as OldResponse;
    let request = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(
            String::new(),
        )),
    };
    let mut client =
        v1::server_reflection_client::ServerReflectionClient::new(target.channel.clone());
    let answers = client
        .server_reflection_info(bounded(tokio_stream::once(request)))
        .await;
    let names = match answers {
        Err(status) => Err(status),
        Ok(answers) => answers.into_inner().message().await.map(|answer| {
            match answer.and_then(|it| it.message_response) {
                Some(MessageResponse::ListServicesResponse(list)) => {
                    list.service.into_iter().map(|it| it.name).collect()
                }
                _ => Vec::new(),
            }
        }),
    };
    lists_the_service(findings, "reflection v1", names);

    let request = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            v1alpha::server_reflection_request::MessageRequest::ListServices(String::new()),
        ),
    };
    let mut client =
        v1alpha::server_reflection_client::ServerReflectionClient::new(target.channel.clone());
    let answers = client
        .server_reflection_info(bounded(tokio_stream::once(request)))
        .await;
    let names = match answers {
        Err(status) => Err(status),
        Ok(answers) => answers.into_inner().message().await.map(|answer| {
            match answer.and_then(|it| it.message_response) {
                Some(OldResponse::ListServicesResponse(list)) => {
                    list.service.into_iter().map(|it| it.name).collect()
                }
                _ => Vec::new(),
            }
        }),
    };
    lists_the_service(findings, "reflection v1alpha", names);
}

fn lists_the_service(
    findings: &mut Findings,
    check: &'static str,
    names: Result<Vec<String>, tonic::Status>,
) {
    match names {
        Ok(names) => {
            let good = names.iter().any(|name| name == SERVICE);
            findings.that(check, good, SERVICE, names.join(", "));
        }
        Err(status) => findings.that(check, false, SERVICE, told(&status)),
    }
}
