//! What is told of a panic: where it was, and its message only where the code itself spells it out. A message that was
//! put together may hold anything, for example the text that was cut within a character.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::thread;

use tracing::{error, field};

/// Stands for a message that was put together.
const REDACTED: &str = "[redacted]";

/// Logs every panic of the process from now on, instead of the standard library's print of its message.
pub(crate) fn log_panics() {
    panic::set_hook(Box::new(log));
}

fn log(info: &PanicHookInfo<'_>) {
    let current = thread::current();
    let backtrace = Backtrace::capture();
    let asked_for = backtrace.status() == BacktraceStatus::Captured;
    error!(
        thread = current.name().unwrap_or("unnamed"),
        location = info.location().map(field::display),
        panic = message(info.payload()),
        backtrace = asked_for.then(|| field::display(&backtrace)),
        "a thread panicked"
    );
}

/// The message of a panic, when it is a text of the code.
pub(crate) fn message(panic: &(dyn Any + Send)) -> &'static str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .unwrap_or(REDACTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caught(panics: impl FnOnce() + panic::UnwindSafe) -> &'static str {
        message(&*panic::catch_unwind(panics).unwrap_err())
    }

    #[test]
    fn a_message_is_told_when_the_code_spells_it_out() {
        assert_eq!(
            caught(|| panic!("no reason is adverse")),
            "no reason is adverse"
        );
        let name = "\u{e9}milie".to_owned();
        for hidden in [
            caught(|| panic!("{name} was there")),
            caught(|| drop(name[..1].to_owned())),
            caught(|| assert_eq!(name.parse(), Ok(7))),
            caught(|| panic::panic_any(name.clone())),
        ] {
            assert_eq!(hidden, REDACTED);
        }
    }
}
