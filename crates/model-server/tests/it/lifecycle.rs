//! Models come, change and go while requests run.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fcs_core::ErrorCode;
use fcs_proto::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use fcs_proto::inference::{ModelReadyRequest, RepositoryIndexRequest};
use fcs_proto::model::v1::model_service_client::ModelServiceClient;
use fcs_proto::model::v1::{
    GetModelRequest, LoadModelRequest, ModelRef, Row, ScoreBatchRequest, UnloadModelRequest,
};
use fcs_service::SystemClock;
use fcs_service::grpc::{api_error, channel};
use fcs_testkit::wait::until;
use model_server::app::models::{ModelLimits, Models};
use model_server::registry::{Registry, S3Settings};
use model_server::{ModelServerSettings, WatchPolicy};

use tokio::runtime::Runtime;
use tonic::transport::Channel;

use crate::service::{boston, golden, real_settings, serve};
use crate::spoiled::{real_registry, real_trust};

/// A limit for what must happen soon.
const SOON: Duration = Duration::from_secs(30);

/// Models of the real registry, and the runtime whose blocking threads they expect.
fn models(models_max: usize) -> (Models, Runtime) {
    let limits = ModelLimits {
        models_max,
        working_max: 1,
        waiting_max: 1,
    };
    let location = real_registry().to_str().unwrap().to_owned();
    let registry = Registry::open(&location, &S3Settings::default()).unwrap();
    let clock = Arc::new(SystemClock);
    let models = Models::new(registry, real_trust(), clock, limits);
    (models, Runtime::new().unwrap())
}

#[test]
fn unloading_gives_the_memory_back_after_the_last_request() {
    let (models, runtime) = models(2);
    let _entered = runtime.enter();
    let boston = "boston-hmda/1".parse().unwrap();
    let watched = Arc::downgrade(&models.load(&boston, None).unwrap());
    let in_request = models.get(&boston).unwrap();
    assert!(models.unload(&boston));
    assert!(models.get(&boston).is_none());
    assert!(watched.upgrade().is_some(), "a request still runs on it");
    drop(in_request);
    assert!(watched.upgrade().is_none(), "nothing holds it any more");
}

#[test]
fn a_reload_exchanges_the_model_and_keeps_its_statistics() {
    let (models, runtime) = models(2);
    let _entered = runtime.enter();
    let boston = "boston-hmda/1".parse().unwrap();
    let first = Arc::downgrade(&models.load(&boston, None).unwrap());
    let before = models.get(&boston).unwrap().statistics;
    assert!(
        Arc::ptr_eq(
            &models.load(&boston, None).unwrap(),
            &first.upgrade().unwrap()
        ),
        "loading twice changes nothing"
    );
    models.reload(&boston, None).unwrap();
    assert!(first.upgrade().is_none(), "the old one is gone");
    assert!(Arc::ptr_eq(
        &before,
        &models.get(&boston).unwrap().statistics
    ));
}

#[test]
fn the_number_of_models_has_a_limit() {
    let (models, runtime) = models(1);
    let _entered = runtime.enter();
    models
        .load(&"boston-hmda/1".parse().unwrap(), None)
        .unwrap();
    let refused = models.load(&"taiwan-default/1".parse().unwrap(), None);
    assert_eq!(refused.err().unwrap().code, ErrorCode::ResourceExhausted);
    models
        .reload(&"boston-hmda/1".parse().unwrap(), None)
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_package_is_loaded_by_the_watch_once_it_is_whole() {
    let registry = tempfile::tempdir().unwrap();
    let settings = ModelServerSettings {
        registry: registry.path().to_str().unwrap().to_owned(),
        watch_policy: WatchPolicy::Latest,
        watch_interval_ms: 20,
        ..real_settings()
    };
    let server = serve(settings).await;
    let channel = channel(&format!("http://{}", server.running.http)).unwrap();
    let client = GrpcInferenceServiceClient::new(channel);
    let folder = registry.path().join("boston-hmda/1");
    fs::create_dir_all(&folder).unwrap();
    let mut files: Vec<_> = fs::read_dir(real_registry().join("boston-hmda/1"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    // The manifest first: the package is listed long before it is whole.
    files.sort_by_key(|path| !path.ends_with("model.toml"));
    for file in &files[..1] {
        fs::copy(file, folder.join(file.file_name().unwrap())).unwrap();
    }
    let index = || {
        let mut client = client.clone();
        async move {
            let index = client
                .repository_index(RepositoryIndexRequest::default())
                .await;
            index.unwrap().into_inner().models.pop()
        }
    };
    let refused = until("the half package is refused", SOON, || async {
        index()
            .await
            .filter(|entry| entry.reason.contains("missing"))
    })
    .await;
    assert_eq!(refused.state, "UNAVAILABLE");
    for file in &files[1..] {
        fs::copy(file, folder.join(file.file_name().unwrap())).unwrap();
    }
    until("the package is ready", SOON, || async {
        let request = ModelReadyRequest {
            name: "boston-hmda".into(),
            version: String::new(),
        };
        let ready = client.clone().model_ready(request).await.unwrap();
        ready.into_inner().ready.then_some(())
    })
    .await;
    unloaded_stays_out(server.client.clone(), registry.path()).await;
    server.running.stop();
    server.running.wait().await.unwrap();
}

/// Unloads the model by hand and adds another package, so that it is known when the watch has looked again.
async fn unloaded_stays_out(mut client: ModelServiceClient<Channel>, registry: &Path) {
    let unload = UnloadModelRequest {
        model: Some(boston()),
    };
    client.unload_model(unload).await.unwrap();
    let folder = registry.join("taiwan-default/1");
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(real_registry().join("taiwan-default/1")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let get = |name: &str| GetModelRequest {
        model: Some(ModelRef {
            name: name.into(),
            ..boston()
        }),
    };
    until("the other package is loaded", SOON, || async {
        client.clone().get_model(get("taiwan-default")).await.ok()
    })
    .await;
    assert!(client.get_model(get("boston-hmda")).await.is_err());
    let load = LoadModelRequest {
        model: Some(boston()),
    };
    client.load_model(load).await.unwrap();
    assert!(client.get_model(get("boston-hmda")).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_says_when_to_retry() {
    let settings = ModelServerSettings {
        preload: vec!["boston-hmda/1".to_owned()],
        max_concurrent_requests_per_model: 1,
        max_waiting_requests_per_model: 0,
        ..real_settings()
    };
    let server = serve(settings).await;
    let golden = golden();
    let rows: Vec<Row> = golden
        .iter()
        .cycle()
        .take(1_024)
        .map(|(values, _)| Row {
            values: values.clone(),
        })
        .collect();
    let request = ScoreBatchRequest {
        model: Some(boston()),
        rows,
        explain: true,
    };
    // Two at a time, until one of them comes while the other is at work.
    let refused = until("a request is refused", SOON, || async {
        let (mut one, mut two) = (server.client.clone(), server.client.clone());
        let (one, two) = tokio::join!(
            one.score_batch(request.clone()),
            two.score_batch(request.clone())
        );
        one.err().or(two.err())
    })
    .await;
    let error = api_error(&refused);
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert_eq!((error.reason, error.retry_after_s), ("BUSY", Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passed_deadline_ends_the_computation() {
    let settings = ModelServerSettings {
        preload: vec!["boston-hmda/1".to_owned()],
        ..real_settings()
    };
    let mut server = serve(settings).await;
    let rows = golden().into_iter().map(|(values, _)| Row { values });
    let mut request = tonic::Request::new(ScoreBatchRequest {
        model: Some(boston()),
        rows: rows.collect(),
        explain: true,
    });
    request.set_timeout(Duration::from_nanos(1));
    let error = server.client.score_batch(request).await.unwrap_err();
    assert_eq!(api_error(&error).code, ErrorCode::DeadlineExceeded);
}
