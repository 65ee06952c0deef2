//! The gRPC face of a running server.

use std::fs;

use fcs_proto::model::v1::model_service_client::ModelServiceClient;
use fcs_proto::model::v1::{
    GetModelRequest, ListModelsRequest, LoadModelRequest, ModelRef, ModelState, Row, ScoreRequest,
};
use fcs_service::{Running, Settings, Shared, launch};
use model_server::{ModelServer, ModelServerSettings};
use tempfile::TempDir;
use tonic::Code;
use tonic::transport::Channel;

use crate::spoiled::{Copy, real_registry};

pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) client: ModelServiceClient<Channel>,
    _folder: TempDir,
}

pub(crate) async fn serve(settings: ModelServerSettings) -> Server {
    let folder = TempDir::new().unwrap();
    let settings = Settings::embedded(folder.path(), settings);
    let running = launch::<ModelServer>(settings, &Shared::silent())
        .await
        .unwrap();
    let channel = fcs_service::grpc::channel(&format!("http://{}", running.http)).unwrap();
    Server {
        running,
        client: ModelServiceClient::new(channel),
        _folder: folder,
    }
}

pub(crate) fn real_settings() -> ModelServerSettings {
    let registry = real_registry();
    ModelServerSettings {
        trust_policy: registry.join("trust.toml"),
        registry: registry.to_str().unwrap().to_owned(),
        ..ModelServerSettings::default()
    }
}

pub(crate) fn boston() -> ModelRef {
    ModelRef {
        name: "boston-hmda".into(),
        version: "1".into(),
        manifest_digest: String::new(),
    }
}

/// Rows of the golden file with their margins.
pub(crate) fn golden() -> Vec<(Vec<f64>, f64)> {
    let text = fs::read_to_string(real_registry().join("boston-hmda/1/golden.csv")).unwrap();
    let number = |text: &str| {
        if text.is_empty() {
            f64::NAN
        } else {
            text.parse().unwrap()
        }
    };
    let row = |line: &str| {
        let mut row: Vec<f64> = line.split(',').map(number).collect();
        row.pop();
        let margin = row.pop().unwrap();
        (row, margin)
    };
    text.lines().skip(1).map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn loads_scores_and_explains() {
    let mut server = serve(real_settings()).await;
    let loaded = server
        .client
        .load_model(LoadModelRequest {
            model: Some(boston()),
        })
        .await
        .unwrap();
    let model = loaded.into_inner().model.unwrap();
    assert_eq!(model.manifest_digest.len(), 64);

    let golden = golden();
    let rows = golden
        .iter()
        .map(|(values, _)| Row {
            values: values.clone(),
        })
        .collect();
    let request = ScoreRequest {
        model: Some(model.clone()),
        rows,
        explain: true,
    };
    let response = server.client.score(request).await.unwrap().into_inner();
    assert_eq!(response.model, Some(model));
    assert_eq!(response.rows.len(), golden.len());
    for (score, (_, margin)) in response.rows.iter().zip(&golden) {
        assert!((score.margin - margin).abs() <= 1e-12 * margin.abs());
        let sum = score.base_margin + score.contributions.iter().sum::<f64>();
        assert!((sum - score.margin).abs() <= 1e-9);
        assert!((score.probability - 1.0 / (1.0 + (-margin).exp())).abs() <= 1e-12);
    }
    server.running.stop();
    server.running.wait().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn hands_out_the_signed_manifest() {
    let preload = vec!["boston-hmda/1".to_owned()];
    let mut server = serve(ModelServerSettings {
        preload,
        ..real_settings()
    })
    .await;
    let model = server
        .client
        .get_model(GetModelRequest {
            model: Some(boston()),
        })
        .await
        .unwrap();
    let model = model.into_inner();
    let folder = real_registry().join("boston-hmda/1");
    assert_eq!(model.manifest, fs::read(folder.join("model.toml")).unwrap());
    assert_eq!(model.signature.len(), 64);

    let listed = server
        .client
        .list_models(ListModelsRequest {})
        .await
        .unwrap()
        .into_inner();
    let states: Vec<_> = listed
        .models
        .iter()
        .map(|it| (it.model.clone().unwrap().name, it.state()))
        .collect();
    assert!(
        states.contains(&("boston-hmda".into(), ModelState::Loaded)),
        "{states:?}"
    );
    assert!(
        states.contains(&("taiwan-default".into(), ModelState::Available)),
        "{states:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_an_altered_package_and_says_why() {
    let copy = Copy::new();
    copy.edit("model.txt", |text| text + "\n");
    let settings = ModelServerSettings {
        registry: copy.registry().to_str().unwrap().to_owned(),
        ..real_settings()
    };
    let mut server = serve(settings).await;
    let refused = server
        .client
        .load_model(LoadModelRequest {
            model: Some(boston()),
        })
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("model.txt was altered"),
        "{}",
        refused.message()
    );

    let listed = server
        .client
        .list_models(ListModelsRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.models[0].state(), ModelState::Refused);
    assert!(listed.models[0].reason.contains("model.txt"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_have_documented_codes() {
    let preload = vec!["boston-hmda/1".to_owned()];
    let mut server = serve(ModelServerSettings {
        preload,
        ..real_settings()
    })
    .await;
    let width = golden()[0].0.len();
    let row = |values| Row { values };
    let good = row(vec![0.0; width]);
    let other = |name: &str, version: &str, digest: &str| {
        Some(ModelRef {
            name: name.into(),
            version: version.into(),
            manifest_digest: digest.into(),
        })
    };
    let cases = [
        (None, vec![good.clone()], Code::InvalidArgument),
        (
            other("../models", "1", ""),
            vec![good.clone()],
            Code::InvalidArgument,
        ),
        (
            other("boston-hmda", "1", "xyz"),
            vec![good.clone()],
            Code::InvalidArgument,
        ),
        (
            other("boston-hmda", "1", &"0".repeat(64)),
            vec![good.clone()],
            Code::FailedPrecondition,
        ),
        (
            other("taiwan-default", "1", ""),
            vec![good.clone()],
            Code::FailedPrecondition,
        ),
        (Some(boston()), vec![], Code::InvalidArgument),
        (
            Some(boston()),
            vec![row(vec![0.0; width + 1])],
            Code::InvalidArgument,
        ),
        (
            Some(boston()),
            vec![row(vec![f64::INFINITY; width])],
            Code::InvalidArgument,
        ),
        (Some(boston()), vec![good; 1_025], Code::InvalidArgument),
    ];
    for (number, (model, rows, code)) in cases.into_iter().enumerate() {
        let request = ScoreRequest {
            model,
            rows,
            explain: false,
        };
        let status = server.client.score(request).await.unwrap_err();
        assert_eq!(status.code(), code, "case {number}: {}", status.message());
    }
    let missing = other("boston-hmda", "999", "");
    let status = server
        .client
        .load_model(LoadModelRequest { model: missing })
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}
