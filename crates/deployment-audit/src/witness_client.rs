//! Asking witnesses over HTTP, behind [`Witness`].
//!
//! Source: C2SP tlog-witness, `POST <prefix>/add-checkpoint`.

use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use fcs_tlog::note::NoteSignature;
use fcs_tlog::policy::PolicyWitness;
use fcs_tlog::witness::AddCheckpoint;
use reqwest::{Client, StatusCode, Url};

use crate::app::ports::{Answer, Witness, WitnessError};

/// Longest wait for an answer. A checkpoint waits for it, so it is short.
const LIMIT: Duration = Duration::from_secs(1);
/// Longest answer in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A witness at its submission prefix.
#[derive(Debug, Clone)]
pub struct HttpWitness {
    client: Client,
    url: Url,
    witness: PolicyWitness,
}

impl HttpWitness {
    /// A witness of a policy; `None` when the policy does not say where it is.
    pub fn of(witness: &PolicyWitness) -> anyhow::Result<Option<Self>> {
        let Some(prefix) = &witness.url else {
            return Ok(None);
        };
        // Whichever call is first decides for the process, and all of them say the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("prepare the client of witnesses")?;
        let url = Url::parse(&format!("{}/add-checkpoint", prefix.trim_end_matches('/')))
            .with_context(|| format!("read the address of witness {}", witness.name))?;
        Ok(Some(Self {
            client,
            url,
            witness: witness.clone(),
        }))
    }
}

#[async_trait]
impl Witness for HttpWitness {
    fn identity(&self) -> &PolicyWitness {
        &self.witness
    }

    async fn ask(&self, request: &AddCheckpoint) -> Result<Answer, WitnessError> {
        let failed = |error: reqwest::Error| WitnessError(error.without_url().to_string());
        let request = self
            .client
            .post(self.url.clone())
            .header("content-type", "text/plain; charset=utf-8")
            .body(request.to_string());
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(WitnessError("the answer is too long".to_owned()));
            }
        }
        match status {
            StatusCode::OK => NoteSignature::parse_lines(&body)
                .map(Answer::Cosigned)
                .map_err(|error| WitnessError(error.to_string())),
            StatusCode::CONFLICT => str::from_utf8(&body)
                .ok()
                .and_then(|text| text.strip_suffix('\n')?.parse().ok())
                .map(Answer::OtherSize)
                .ok_or_else(|| WitnessError("409 without a size".to_owned())),
            StatusCode::UNPROCESSABLE_ENTITY => Ok(Answer::Inconsistent),
            _ => Err(WitnessError(format!("status {status}"))),
        }
    }
}
