//! The way of rows through an attribution.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

use crate::classes::Classes;
use crate::model::Model;
use crate::simd::Job;

/// What attributes rows.
pub(super) trait Attribution {
    /// State that one call uses again for all its rows.
    type Scratch;

    /// As of [`Job`].
    const WIDE: bool;

    /// Rows that are attributed together.
    const ROWS_AT_ONCE: usize;

    fn model(&self) -> &Model;

    /// What tells the values of its columns apart; `None` when it looks at the values alone.
    fn classes(&self) -> Option<&Classes>;

    fn scratch(&self) -> Self::Scratch;

    /// Adds the contributions of some rows to their features' totals. The rows have their classes in `classes`, one row
    /// after the other, and none when there are none.
    fn add(&self, rows: &[f64], classes: &[u16], totals: &mut [f64], scratch: &mut Self::Scratch);
}

/// Rows to attribute.
pub(super) struct Rows<'a, A> {
    attribution: &'a A,
    rows: &'a [f64],
    contributions: &'a mut [f64],
}

impl<'a, A> Rows<'a, A> {
    /// # Panics
    /// When there is not one contribution for each number of the rows.
    pub(super) fn new(attribution: &'a A, rows: &'a [f64], contributions: &'a mut [f64]) -> Self {
        assert_eq!(
            rows.len(),
            contributions.len(),
            "there is one contribution per number"
        );
        Self {
            attribution,
            rows,
            contributions,
        }
    }
}

impl<A: Attribution> Job for Rows<'_, A> {
    type Output = ();

    const WIDE: bool = A::WIDE;

    #[inline(always)]
    fn run(self) {
        let model = self.attribution.model();
        let classes = self.attribution.classes();
        let width = model.feature_names().len().max(1);
        let column_count = classes.map_or(0, |classes| classes.columns().len());
        let mut found =
            vec![0; column_count * A::ROWS_AT_ONCE.min(self.rows.len().div_ceil(width))];
        let mut buffer = Vec::new();
        let mut scratch = self.attribution.scratch();
        let chunks = self.rows.chunks(width * A::ROWS_AT_ONCE);
        for (rows, totals) in chunks.zip(self.contributions.chunks_mut(width * A::ROWS_AT_ONCE)) {
            let found = &mut found[..column_count * rows.len().div_ceil(width)];
            if let Some(classes) = classes.filter(|_| column_count > 0) {
                for (row, found) in rows.chunks(width).zip(found.chunks_mut(column_count)) {
                    classes.find(model.columns(row, &mut buffer), found);
                }
            }
            totals.fill(0.0);
            self.attribution.add(rows, found, totals, &mut scratch);
        }
    }
}
