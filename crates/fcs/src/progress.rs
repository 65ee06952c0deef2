//! Progress on standard error; silent when that is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar with a rate and the time that is left.
pub(crate) fn bar(what: &'static str, length: u64) -> ProgressBar {
    let style = "{prefix:>14} {bar:40} {pos}/{len} {per_sec} {eta}";
    let style = ProgressStyle::with_template(style).expect("the template is valid");
    ProgressBar::new(length).with_style(style).with_prefix(what)
}

/// A turning sign with a message, for work whose length is not known.
pub(crate) fn spinner(message: String) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(message);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}
