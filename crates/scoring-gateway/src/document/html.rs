//! The notice as a page. Every text is escaped, and nothing is fetched.

use maud::{DOCTYPE, PreEscaped, html};

use super::{REASONS, RIGHTS, TITLE};
use crate::app::notice::Notice;

const STYLE: &str = "body { font: 1rem/1.5 sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; color: #111; } \
                     h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; } address { font-style: normal; } \
                     dt { float: left; clear: left; width: 9rem; }";

pub(super) fn page(notice: &Notice) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (TITLE) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    address { strong { (notice.creditor_name) } br; (notice.creditor_address) }
                    h1 { (TITLE) }
                    dl {
                        dt { "Date" } dd { (notice.action_date) }
                        dt { "Application" } dd { (notice.application_id) }
                        dt { "Decision" } dd { (notice.decision_id) }
                    }
                    h2 { (REASONS) }
                    p { (notice.statement) }
                    ol {
                        @for reason in &notice.reasons { li { (reason.text) } }
                    }
                    h2 { (RIGHTS) }
                    p { (notice.ecoa_notice) }
                }
            }
        }
    }
    .into_string()
}
