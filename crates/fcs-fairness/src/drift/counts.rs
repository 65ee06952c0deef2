//! Additive counters of one feature or score.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most bins of a feature, and the most categories.
pub const BINS_MAX: usize = 1_000;

/// Why edges or categories cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBins {
    /// Edges must be 2 to 1001 finite numbers, each above the one before.
    #[error("take edges: they must be 2 to 1001 finite numbers, each above the one before")]
    Edges,
    /// Categories must be 1 to 1000 different texts.
    #[error("take categories: they must be 1 to 1000 different texts")]
    Categories,
    /// Counters are of a feature with other bins.
    #[error("merge counters of different bins: {left} and {right}")]
    Different {
        /// The number of bins on one side.
        left: usize,
        /// The number of bins on the other side.
        right: usize,
    },
}

/// The limits of the bins of a number, frozen with the model: `n + 1` edges make `n` bins.
///
/// A bin holds its lower edge and not its upper one; the last holds both. Bins that move with each window,
/// as some tools have them, give distances that cannot be compared or added up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
pub struct Edges(Vec<f64>);

/// Where a number falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Inside(usize),
    Below,
    Above,
}

impl Edges {
    /// The numbers.
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// The number of bins.
    pub fn bins(&self) -> usize {
        self.0.len() - 1
    }

    /// The middles of the bins.
    pub fn middles(&self) -> Vec<f64> {
        self.0
            .iter()
            .zip(&self.0[1..])
            .map(|(low, high)| f64::midpoint(*low, *high))
            .collect()
    }

    /// Edges at quantiles of reference values, so that each bin holds about as many of them. Fewer bins than
    /// asked for where values repeat. Values that are not finite are left out.
    pub fn at_quantiles(reference: &[f64], bins: usize) -> Result<Self, InvalidBins> {
        let mut sorted: Vec<f64> = reference
            .iter()
            .copied()
            .filter(|value| value.is_finite())
            .collect();
        sorted.sort_by(f64::total_cmp);
        let bins = bins.clamp(1, BINS_MAX);
        let Some(last) = sorted.len().checked_sub(1) else {
            return Err(InvalidBins::Edges);
        };
        let mut edges: Vec<f64> = (0..=bins).map(|bin| sorted[last * bin / bins]).collect();
        edges.dedup();
        Self::try_from(edges)
    }

    fn place(&self, value: f64) -> Place {
        let last = self.bins();
        // The number of edges at or below the value.
        let passed = self.0.partition_point(|edge| *edge <= value);
        if passed == 0 {
            Place::Below
        } else if passed <= last {
            Place::Inside(passed - 1)
        } else if value <= self.0[last] {
            Place::Inside(last - 1)
        } else {
            Place::Above
        }
    }
}

impl TryFrom<Vec<f64>> for Edges {
    type Error = InvalidBins;

    fn try_from(edges: Vec<f64>) -> Result<Self, InvalidBins> {
        let rising = edges.windows(2).all(|pair| pair[0] < pair[1]);
        let finite = edges.iter().all(|edge| edge.is_finite());
        let counted = (2..=BINS_MAX + 1).contains(&edges.len());
        (rising && finite && counted)
            .then_some(Self(edges))
            .ok_or(InvalidBins::Edges)
    }
}

impl From<Edges> for Vec<f64> {
    fn from(edges: Edges) -> Self {
        edges.0
    }
}

/// The categories of a text that the model knows, frozen with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Categories {
    names: Vec<String>,
    places: BTreeMap<String, usize>,
}

impl TryFrom<Vec<String>> for Categories {
    type Error = InvalidBins;

    fn try_from(names: Vec<String>) -> Result<Self, InvalidBins> {
        let places: BTreeMap<String, usize> = names
            .iter()
            .cloned()
            .enumerate()
            .map(|(place, name)| (name, place))
            .collect();
        let usable = (1..=BINS_MAX).contains(&names.len()) && places.len() == names.len();
        usable
            .then_some(Self { names, places })
            .ok_or(InvalidBins::Categories)
    }
}

impl From<Categories> for Vec<String> {
    fn from(categories: Categories) -> Self {
        categories.names
    }
}

impl Categories {
    /// The categories in their order.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

/// Counters of one feature; additive.
///
/// Bins hold what the model knows: numbers by their edges (those beyond the edges in the end bins), or known
/// categories. What was odd about the values is counted beside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureCounts {
    bins: Vec<u64>,
    /// No value.
    missing: u64,
    /// A number that is not finite, or of the wrong type.
    unreadable: u64,
    /// A category that the model does not know.
    unseen: u64,
    /// A number below the first or above the last edge.
    out_of_range: u64,
}

impl FeatureCounts {
    /// Nothing was counted in this many bins.
    pub fn empty(bins: usize) -> Self {
        Self {
            bins: vec![0; bins],
            missing: 0,
            unreadable: 0,
            unseen: 0,
            out_of_range: 0,
        }
    }

    /// From bins that were counted elsewhere, for example a histogram of scores.
    pub fn of_bins(bins: &[u64]) -> Self {
        Self {
            bins: bins.to_vec(),
            ..Self::empty(0)
        }
    }

    /// The same, with so many applicants without a value.
    #[must_use]
    pub fn with_missing(mut self, missing: u64) -> Self {
        self.missing = missing;
        self
    }

    /// Counts a number, or that there is none.
    pub fn record_number(&mut self, edges: &Edges, value: Option<f64>) {
        let Some(value) = value else {
            self.missing = self.missing.saturating_add(1);
            return;
        };
        if !value.is_finite() {
            self.unreadable = self.unreadable.saturating_add(1);
            return;
        }
        let place = edges.place(value);
        let bin = match place {
            Place::Inside(bin) => bin,
            Place::Below => 0,
            Place::Above => edges.bins() - 1,
        };
        if matches!(place, Place::Below | Place::Above) {
            self.out_of_range = self.out_of_range.saturating_add(1);
        }
        self.add_to(bin);
    }

    /// Counts a category, or that there is none.
    pub fn record_category(&mut self, categories: &Categories, value: Option<&str>) {
        match value {
            None => self.missing = self.missing.saturating_add(1),
            Some(name) => match categories.places.get(name) {
                Some(place) => self.add_to(*place),
                None => self.unseen = self.unseen.saturating_add(1),
            },
        }
    }

    /// Counters of other bins than the edges or categories have ignore what does not fit.
    fn add_to(&mut self, bin: usize) {
        if let Some(count) = self.bins.get_mut(bin) {
            *count = count.saturating_add(1);
        }
    }

    /// Adds the counters of other applicants.
    pub fn merge(&mut self, other: &Self) -> Result<(), InvalidBins> {
        let (left, right) = (self.bins.len(), other.bins.len());
        if left != right {
            return Err(InvalidBins::Different { left, right });
        }
        for (count, other) in self.bins.iter_mut().zip(&other.bins) {
            *count = count.saturating_add(*other);
        }
        self.missing = self.missing.saturating_add(other.missing);
        self.unreadable = self.unreadable.saturating_add(other.unreadable);
        self.unseen = self.unseen.saturating_add(other.unseen);
        self.out_of_range = self.out_of_range.saturating_add(other.out_of_range);
        Ok(())
    }

    /// What was counted in the bins.
    pub fn bins(&self) -> &[u64] {
        &self.bins
    }

    /// The values in the bins.
    pub fn binned(&self) -> u64 {
        self.bins
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// All applicants.
    pub fn applicants(&self) -> u64 {
        [self.missing, self.unreadable, self.unseen]
            .iter()
            .fold(self.binned(), |sum, count| sum.saturating_add(*count))
    }

    /// Those without a value.
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// Those with a value that is no finite number.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Those with a category that the model does not know.
    pub fn unseen(&self) -> u64 {
        self.unseen
    }

    /// Those with a number beyond the edges.
    pub fn out_of_range(&self) -> u64 {
        self.out_of_range
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edges() -> Edges {
        Edges::try_from(vec![0.0, 1.0, 2.5, 10.0]).unwrap()
    }

    #[test]
    fn a_bin_holds_its_lower_edge_and_the_last_both() {
        let mut counts = FeatureCounts::empty(3);
        for value in [0.0, 0.5, 1.0, 2.5, 10.0, -1.0, 11.0, f64::NAN] {
            counts.record_number(&edges(), Some(value));
        }
        counts.record_number(&edges(), None);
        assert_eq!(counts.bins(), [3, 1, 3]);
        assert_eq!(
            (counts.out_of_range(), counts.unreadable(), counts.missing()),
            (2, 1, 1)
        );
        assert_eq!((counts.binned(), counts.applicants()), (7, 9));
    }

    #[test]
    fn categories_that_are_not_known_are_counted_apart() {
        let categories = Categories::try_from(vec!["rent".to_owned(), "own".to_owned()]).unwrap();
        let mut counts = FeatureCounts::empty(2);
        for value in [Some("own"), Some("own"), Some("castle"), None] {
            counts.record_category(&categories, value);
        }
        assert_eq!(counts.bins(), [0, 2]);
        assert_eq!(
            (counts.unseen(), counts.missing(), counts.applicants()),
            (1, 1, 4)
        );
    }

    #[test]
    fn edges_and_categories_are_checked() {
        for bad in [
            vec![],
            vec![1.0],
            vec![1.0, 1.0],
            vec![2.0, 1.0],
            vec![0.0, f64::NAN],
        ] {
            assert_eq!(Edges::try_from(bad), Err(InvalidBins::Edges));
        }
        assert!(serde_json::from_str::<Edges>("[1,0]").is_err());
        let twice = vec!["a".to_owned(), "a".to_owned()];
        assert_eq!(Categories::try_from(twice), Err(InvalidBins::Categories));
    }

    #[test]
    fn quantile_edges_share_the_reference_out() {
        let reference: Vec<f64> = (0..=1_000).map(f64::from).collect();
        let edges = Edges::at_quantiles(&reference, 10).unwrap();
        let expected: Vec<f64> = (0..=10).map(|edge| f64::from(edge) * 100.0).collect();
        assert_eq!(edges.values(), expected);
        let repeated = [vec![0.0; 90], vec![1.0; 10]].concat();
        assert_eq!(
            Edges::at_quantiles(&repeated, 10).unwrap().values(),
            [0.0, 1.0]
        );
        assert_eq!(Edges::at_quantiles(&[3.0; 5], 10), Err(InvalidBins::Edges));
        assert_eq!(
            Edges::at_quantiles(&[f64::NAN], 10),
            Err(InvalidBins::Edges)
        );
    }

    proptest! {
        #[test]
        fn merging_equals_counting_the_whole(values in prop::collection::vec(prop::option::of(-5.0..15.0_f64), 0..60), cut in 0..60_usize) {
            let count = |values: &[Option<f64>]| {
                let mut counts = FeatureCounts::empty(3);
                for value in values {
                    counts.record_number(&edges(), *value);
                }
                counts
            };
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut merged = count(right);
            merged.merge(&count(left)).unwrap();
            prop_assert_eq!(merged.applicants(), values.len() as u64);
            prop_assert_eq!(merged, count(&values));
        }
    }
}
