//! The use case of fairness sheets: gather, render, sign.

use std::sync::Arc;

use fcs_core::{ApiError, Clock, Digest, ErrorCode, ModelVersion, Violation, to_canonical_vec};
use fcs_service::problem::internal;
use fcs_tlog::note::SigningKey;
use sha2::{Digest as _, Sha256};

use super::alarms::{Alarms, NEWS_MAX};
use super::document::{Document, Parts, SheetQuery, note};
use super::drift::{DriftQuery, DriftSheet, HOURS_DEFAULT};
use super::drifts::Drifts;
use super::examinations::Examinations;
use super::monitor::Monitor;
use crate::render::{csv, html};
use crate::store::StoredNews;

/// How a sheet is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SheetFormat {
    /// Canonical JSON (RFC 8785) with everything.
    Json,
    /// A table of the groups.
    Csv,
    /// A page with plots, which fetches nothing.
    Html,
}

impl SheetFormat {
    /// The format with this name.
    pub fn parse(name: &str) -> Result<Self, ApiError> {
        let formats = [Self::Json, Self::Csv, Self::Html];
        let named = formats.into_iter().find(|format| format.as_str() == name);
        named.ok_or_else(Self::unknown)
    }

    /// What a request is told that names no format, or another one.
    pub fn unknown() -> ApiError {
        let rule = "the format must be json, csv or html";
        let violation = Violation {
            pointer: "/format".to_owned(),
            reason: "FORMAT_INVALID",
            description: rule.to_owned(),
        };
        ApiError::invalid("FORMAT_INVALID", rule, vec![violation])
    }

    /// Its name in notes and requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Html => "html",
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
        }
    }
}

/// A sheet as it is handed out.
#[derive(Debug, Clone)]
pub struct SignedSheet {
    /// The file.
    pub bytes: Vec<u8>,
    /// The note that signs it.
    pub note: String,
    /// The key that verifies the note.
    pub verifier_key: String,
}

/// The use case with what it needs. Cloning shares it.
#[derive(Clone)]
pub struct Sheets {
    monitor: Monitor,
    alarms: Alarms,
    drifts: Drifts,
    examinations: Examinations,
    key: Arc<SigningKey>,
    clock: Arc<dyn Clock>,
}

impl Sheets {
    /// The use case over the others.
    pub fn new(
        monitor: Monitor,
        alarms: Alarms,
        drifts: Drifts,
        examinations: Examinations,
        (key, clock): (SigningKey, Arc<dyn Clock>),
    ) -> Self {
        Self {
            monitor,
            alarms,
            drifts,
            examinations,
            key: Arc::new(key),
            clock,
        }
    }

    /// A sheet, signed.
    pub async fn signed(
        &self,
        query: SheetQuery,
        format: SheetFormat,
    ) -> Result<SignedSheet, ApiError> {
        let document = self.document(&query).await?;
        let bytes = match format {
            SheetFormat::Json => {
                to_canonical_vec(&document).map_err(|error| internal("SHEET_FAILED", error))?
            }
            SheetFormat::Csv => {
                csv::table(&document).map_err(|error| internal("SHEET_FAILED", error))?
            }
            SheetFormat::Html => html::page(&document).into_bytes(),
        };
        let digest = Digest::from_bytes(Sha256::digest(&bytes).into());
        let note = note(&document, format.as_str(), &digest, &self.key);
        let note = note.map_err(|error| internal("SHEET_FAILED", error))?;
        Ok(SignedSheet {
            bytes,
            note: note.to_string(),
            verifier_key: self.key.verifier_key().to_string(),
        })
    }

    /// Drift of a model; without decisions of late, or a reference, there is nothing to say of it.
    async fn drift(&self, model: &ModelVersion) -> Result<Option<DriftSheet>, ApiError> {
        let query = DriftQuery {
            model: model.clone(),
            hours: HOURS_DEFAULT,
        };
        match self.drifts.sheet(query).await {
            Ok(sheet) => Ok(Some(sheet)),
            Err(error) if error.code == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn document(&self, query: &SheetQuery) -> Result<Document, ApiError> {
        let model = query.report.model.as_ref();
        let name = model.map_or_else(String::new, ToString::to_string);
        let drift = match model {
            None => None,
            Some(model) => self.drift(model).await?,
        };
        let examination = match query.examination_input() {
            None => None,
            Some(input) => Some(self.examinations.examine(input).await?),
        };
        let (report, minutes) = (query.report.clone(), query.minutes());
        let overrides = self.examinations.overrides(model.cloned(), minutes.clone());
        let parts = Parts {
            overrides: overrides.await?,
            sheet: self.monitor.report(report, minutes).await?,
            examination,
            standing: self.alarms.verdicts(name).await?,
            news: self.news().await?,
            drift,
            policy: &self.alarms.policy().digest(),
            made_at: self.clock.now(),
        };
        Ok(Document::new(query, parts))
    }

    /// Every change of every alarm.
    async fn news(&self) -> Result<Vec<StoredNews>, ApiError> {
        let mut all: Vec<StoredNews> = Vec::new();
        loop {
            let after = all.last().map_or(0, |last| last.sequence);
            let page = self.alarms.news(after).await?;
            let is_last = page.len() < NEWS_MAX as usize;
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
    }
}
