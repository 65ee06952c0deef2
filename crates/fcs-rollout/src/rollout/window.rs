use fcs_core::UnixMicros;
use serde::{Deserialize, Serialize};

/// What a window does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// Candidates may get more traffic only in such windows, if there are any.
    Allow,
    /// A freeze: they may not, whatever is allowed.
    Deny,
}

/// A time in which candidates may or may not get more traffic. A rollback asks no window.
///
/// Calendars and time zones are for whoever makes these out of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// What it does.
    pub kind: WindowKind,
    /// First moment.
    pub from: UnixMicros,
    /// First moment after it.
    pub until: UnixMicros,
}

impl Window {
    fn contains(&self, at: UnixMicros) -> bool {
        self.from <= at && at < self.until
    }
}

/// Whether candidates may get more traffic at a moment.
pub fn is_open(windows: &[Window], at: UnixMicros) -> bool {
    let of = |kind| windows.iter().filter(move |window| window.kind == kind);
    let is_denied = of(WindowKind::Deny).any(|window| window.contains(at));
    let mut allowing = of(WindowKind::Allow).peekable();
    !is_denied && (allowing.peek().is_none() || allowing.any(|window| window.contains(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freeze_wins_over_whatever_is_allowed() {
        let window = |kind, from, until| Window {
            kind,
            from: UnixMicros(from),
            until: UnixMicros(until),
        };
        let allow = window(WindowKind::Allow, 10, 20);
        let later = window(WindowKind::Allow, 30, 40);
        let deny = window(WindowKind::Deny, 15, 35);
        let open = |windows: &[Window]| -> Vec<i64> {
            (0..50)
                .filter(|at| is_open(windows, UnixMicros(*at)))
                .collect()
        };
        assert_eq!(open(&[]).len(), 50);
        assert_eq!(open(&[allow]), (10..20).collect::<Vec<_>>());
        assert_eq!(open(&[later, allow]).len(), 20);
        assert_eq!(
            open(&[allow, deny, later]),
            [10, 11, 12, 13, 14, 35, 36, 37, 38, 39]
        );
        assert_eq!(open(&[deny]).len(), 30);
    }
}
