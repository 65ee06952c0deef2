//! Background loops.

pub(crate) mod watch;
