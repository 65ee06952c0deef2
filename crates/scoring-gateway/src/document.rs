//! Adverse action notices as documents for an applicant: a page, and a file to print.

mod font;
mod html;
mod pdf;

use fcs_core::ApiError;
use fcs_service::problem::internal;

use crate::app::notice::Notice;

/// The form of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocumentFormat {
    /// A page that stands by itself.
    Html,
    /// A file to print, tagged for screen readers (PDF/UA-1).
    Pdf,
}

impl DocumentFormat {
    /// The media type.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Pdf => "application/pdf",
        }
    }
}

/// Title of the document.
const TITLE: &str = "Notice of action taken";
/// Heading of the reasons.
const REASONS: &str = "Principal reasons";
/// Heading of the notice of section 701(a).
const RIGHTS: &str = "Your rights";

/// The notice as a document.
pub(crate) fn write(notice: &Notice, format: DocumentFormat) -> Result<Vec<u8>, ApiError> {
    match format {
        DocumentFormat::Html => Ok(html::page(notice).into_bytes()),
        DocumentFormat::Pdf => {
            pdf::file(notice).map_err(|error| internal("DOCUMENT_FAILED", error))
        }
    }
}
