//! Batches whose rows stand for themselves, and streams of them.

use fcs_proto::model::v1::row_outcome::Outcome;
use fcs_proto::model::v1::score_stream_response::Outcome as StreamOutcome;
use fcs_proto::model::v1::{
    Row, RowOutcome, ScoreBatchRequest, ScoreStreamRequest, UnloadModelRequest,
};
use fcs_service::grpc::Deadline;
use model_server::ModelServerSettings;
use model_server::app::package::{LoadedModel, load};
use model_server::app::score::{Batch, RowOutcome as Outcomes, score};
use model_server::registry::{Registry, S3Settings};
use proptest::prelude::*;
use std::sync::LazyLock;
use std::time::Duration;
use tonic::Code;

use crate::service::{Server, boston, golden, real_settings, serve};
use crate::spoiled::{NOW, block_on, real_registry, real_trust};

async fn server() -> Server {
    serve(ModelServerSettings {
        preload: vec!["boston-hmda/1".to_owned()],
        ..real_settings()
    })
    .await
}

/// Ten good rows but for the fourth.
fn one_bad_among_ten() -> ScoreBatchRequest {
    let mut rows: Vec<Row> = golden()
        .into_iter()
        .take(10)
        .map(|(values, _)| Row { values })
        .collect();
    rows[3].values[0] = f64::INFINITY;
    ScoreBatchRequest {
        model: Some(boston()),
        rows,
        explain: true,
    }
}

fn check_outcomes(outcomes: &[RowOutcome]) {
    assert_eq!(outcomes.len(), 10);
    for (index, (outcome, (_, margin))) in outcomes.iter().zip(golden()).enumerate() {
        match outcome.outcome.as_ref().unwrap() {
            Outcome::Score(score) => {
                assert_ne!(index, 3);
                assert!((score.margin - margin).abs() <= 1e-12 * margin.abs());
                let sum = score.base_margin + score.contributions.iter().sum::<f64>();
                assert!((sum - score.margin).abs() <= 1e-9);
            }
            Outcome::Error(error) => {
                assert_eq!(index, 3);
                assert_eq!(error.code, i32::from(Code::InvalidArgument));
                assert_eq!(error.reason, "VALUE_NOT_FINITE");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_row_among_ten_fails_alone() {
    let mut server = server().await;
    let answer = server
        .client
        .score_batch(one_bad_among_ten())
        .await
        .unwrap();
    let answer = answer.into_inner();
    assert_eq!(answer.model.unwrap().name, "boston-hmda");
    check_outcomes(&answer.rows);

    let empty = ScoreBatchRequest {
        model: Some(boston()),
        ..ScoreBatchRequest::default()
    };
    let answer = server.client.score_batch(empty).await.unwrap();
    assert!(answer.into_inner().rows.is_empty());
    let mut many = one_bad_among_ten();
    many.rows = vec![Row::default(); 1_025];
    let refused = server.client.score_batch(many).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_answers_in_order_and_survives_what_fails() {
    let mut server = server().await;
    let mut unknown = one_bad_among_ten();
    unknown.model.as_mut().unwrap().version = "9".into();
    let requests = [
        ("a", one_bad_among_ten()),
        ("b", unknown),
        ("c", one_bad_among_ten()),
    ]
    .map(|(id, batch)| ScoreStreamRequest {
        id: id.into(),
        batch: Some(batch),
    });
    let answers = server
        .client
        .score_stream(tokio_stream::iter(requests))
        .await
        .unwrap();
    let mut answers = answers.into_inner();
    for id in ["a", "b", "c"] {
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!(answer.id, id);
        match answer.outcome.unwrap() {
            StreamOutcome::Batch(batch) => check_outcomes(&batch.rows),
            StreamOutcome::Error(error) => {
                assert_eq!(id, "b");
                assert_eq!(error.reason, "MODEL_NOT_LOADED");
            }
        }
    }
    assert!(answers.message().await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_stream_does_not_hold_the_drain() {
    let mut server = server().await;
    let (_open, requests) = tokio::sync::mpsc::channel::<ScoreStreamRequest>(1);
    let requests = tokio_stream::wrappers::ReceiverStream::new(requests);
    let answers = server.client.score_stream(requests).await.unwrap();
    server.running.stop();
    let ended = answers.into_inner().message().await.unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable);
    server.running.wait().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn unloading_is_answered_and_repeated_unloading_is_not_found() {
    let mut server = server().await;
    let request = || UnloadModelRequest {
        model: Some(boston()),
    };
    server.client.unload_model(request()).await.unwrap();
    let again = server.client.unload_model(request()).await.unwrap_err();
    assert_eq!(again.code(), Code::NotFound);
    let refused = server.client.score_batch(one_bad_among_ten()).await;
    assert_eq!(refused.unwrap_err().code(), Code::FailedPrecondition);
}

static MODEL: LazyLock<LoadedModel> = LazyLock::new(|| {
    let boston = "boston-hmda/1".parse().unwrap();
    let location = real_registry().to_str().unwrap().to_owned();
    let registry = Registry::open(&location, &S3Settings::default()).unwrap();
    block_on(load(&registry, &boston, &real_trust(), NOW)).unwrap()
});

fn outcomes(rows: Vec<Vec<f64>>) -> Vec<Outcomes> {
    let batch = Batch {
        rows,
        explain: true,
    };
    let deadline = Deadline::after(Duration::from_mins(10));
    score(&MODEL, &batch, deadline).unwrap().rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever stands beside a row, its outcome is the one that it has alone, to the bit.
    #[test]
    fn neighbours_never_change_a_result(
        rows in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(-1e3_f64..1e3, 10),
                prop::collection::vec(prop_oneof![Just(f64::NAN), Just(f64::INFINITY), -1.0_f64..1.0], 10),
                prop::collection::vec(0.0_f64..1.0, 0..16),
            ],
            1..6,
        )
    ) {
        let together = outcomes(rows.clone());
        for (index, row) in rows.into_iter().enumerate() {
            let alone = outcomes(vec![row]).remove(0);
            match (&together[index], &alone) {
                (Ok(together), Ok(alone)) => prop_assert_eq!(together, alone),
                (Err(together), Err(alone)) => prop_assert_eq!(
                    &together.violations[0].description,
                    &alone.violations[0].description
                ),
                _ => prop_assert!(false, "row {} succeeds in one and fails in the other", index),
            }
        }
    }
}
