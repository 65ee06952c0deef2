//! Every metric of every group of one attribute, of an intersection of attributes, or within a
//! stratum.
//!
//! Cells below the minimum size are listed with the class of their size and without numbers, empty
//! intersections included: a small group must not vanish, and its noise must not be read as evidence.
//! This is not disclosure control: totals and other sheets may allow a size to be worked out.
//! Suppressed people still count among everybody (quantile cuts, strata, overall inequality).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use metric::{Metric, Name};

use member::Member;

use crate::scores::{DifferentBins, Resolution};
use crate::table::Table;
use crate::{Confidence, Evidence, Undefined};

mod member;
mod metric;
mod overall;
mod own;
mod pair;

/// The most cells that an intersection may have.
const CELLS_MAX: usize = 10_000;
/// Where the classes of suppressed sizes begin.
const CLASSES: [i64; 8] = [0, 1, 5, 10, 30, 100, 300, 1000];

/// One group: the value of each attribute of the sheet, in its order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Group(pub Vec<String>);

/// What a sheet is to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The attributes: one, or several for their intersections.
    pub attributes: Vec<String>,
    /// Only decisions of this stratum; all of them if `None`.
    pub stratum: Option<String>,
    /// The group that the others are compared with; `None` takes the one with the most decisions, the
    /// first in order among equals.
    pub reference: Option<Group>,
    /// Cells with fewer decisions are suppressed; at least 1.
    pub minimum_cell_size: u32,
    /// The confidence of every interval.
    pub confidence: Confidence,
    /// The shares of everybody for adverse impact by score quantile, each within `(0, 1]`.
    pub quantiles: Vec<f64>,
}

/// Every group of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sheet {
    /// The attributes.
    pub attributes: Vec<String>,
    /// The stratum that the sheet is limited to.
    pub stratum: Option<String>,
    /// The reference group: asked for, or else the largest. `None` without decisions.
    pub reference: Option<Group>,
    /// Why nothing is compared, if so.
    pub reference_undefined: Option<Undefined>,
    /// The confidence of every interval.
    pub confidence: Confidence,
    /// Cells with fewer decisions are suppressed.
    pub minimum_cell_size: u32,
    /// Decisions without a value of some attribute: in no cell.
    pub without_value: i64,
    /// How finely scores are known.
    pub scores: Resolution,
    /// Metrics of all shown groups together.
    pub overall: Vec<Metric>,
    /// Every combination of values that occur, ordered.
    pub cells: Vec<Cell>,
}

/// One group of a sheet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Cell {
    /// Large enough.
    Shown {
        /// The group.
        group: Group,
        /// The counts that metrics of decisions and outcomes follow from.
        tally: crate::tally::Tally,
        /// The group's own metrics, and its comparison with the reference group unless it is that.
        metrics: Vec<Metric>,
    },
    /// Below the minimum size, or empty.
    Suppressed {
        /// The group.
        group: Group,
        /// The class of its size: `from <= decisions < below`.
        from: i64,
        /// The end of the class.
        below: i64,
    },
    /// The counts are of no decisions: more was taken back than was counted, because a correction
    /// arrived before what it corrects, or a count is beyond 2^53.
    Inconsistent {
        /// The group.
        group: Group,
    },
}

/// Why there is no sheet.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SheetError {
    /// No attribute was asked for, or one twice.
    #[error("a sheet needs at least one attribute, and each once")]
    Attributes,
    /// The table has no such attribute.
    #[error("there is no attribute {attribute:?}")]
    UnknownAttribute {
        /// The attribute asked for.
        attribute: String,
    },
    /// The reference group has another number of values.
    #[error("a reference group needs {expected} values, found {found}")]
    Reference {
        /// The number of attributes.
        expected: usize,
        /// The number of values.
        found: usize,
    },
    /// A share outside `(0, 1]`.
    #[error("a quantile must be a share above 0 and at most 1, found {share}")]
    Quantile {
        /// The share.
        share: f64,
    },
    /// The values of the attributes have too many combinations.
    #[error("the attributes have {cells} combinations of values, more than {CELLS_MAX}")]
    TooManyCells {
        /// The number of combinations.
        cells: usize,
    },
    /// Parts of the table hold scores counted in different ways.
    #[error("the scores of the table cannot be added")]
    Bins(#[source] DifferentBins),
}

/// The sheet of a request. Fails if the table cannot have it; a missing or too small reference group
/// is no failure, but leaves every comparison undefined.
pub fn sheet(table: &Table, request: &Request) -> Result<Sheet, SheetError> {
    let places = places(table, request)?;
    let gathered = Gathered::new(table, request, &places)?;
    let minimum = i64::from(request.minimum_cell_size.max(1));
    let (reference, undefined) = gathered.reference(request.reference.as_ref(), minimum);
    let shown = gathered.shown(minimum);
    let everyone = Member::new(&gathered.everyone);
    let comparison = match (undefined, reference.and_then(|group| shown.get(group))) {
        (None, Some(member)) => Ok(member),
        (reason, _) => Err(reason.unwrap_or(Undefined::NoReferenceGroup)),
    };
    let mut cells = Vec::with_capacity(gathered.groups.len());
    for (group, evidence) in &gathered.groups {
        let Some(member) = shown.get(group) else {
            cells.push(not_shown(group, evidence, minimum));
            continue;
        };
        let mut metrics = own::metrics(member, request.confidence);
        if reference != Some(group) {
            let pair = pair::Pair {
                group: member,
                reference: comparison,
                everyone: &everyone,
                strata: gathered.strata_of(group),
            };
            pair.metrics(request, &mut metrics);
        }
        cells.push(Cell::Shown {
            group: group.clone(),
            tally: evidence.tally,
            metrics,
        });
    }
    let shown: Vec<&Evidence> = shown.values().map(|member| member.evidence).collect();
    Ok(Sheet {
        attributes: request.attributes.clone(),
        stratum: request.stratum.clone(),
        reference: reference.cloned(),
        reference_undefined: comparison.err(),
        overall: overall::metrics(&shown, &gathered.everyone, request.confidence),
        confidence: request.confidence,
        minimum_cell_size: request.minimum_cell_size.max(1),
        without_value: gathered.without_value,
        scores: gathered.everyone.scores.resolution(),
        cells,
    })
}

fn not_shown(group: &Group, evidence: &Evidence, minimum: i64) -> Cell {
    let group = group.clone();
    let check = evidence.tally.check();
    if check.is_err_and(|reason| reason != Undefined::NoDecisions) {
        return Cell::Inconsistent { group };
    }
    let size = evidence.tally.decisions();
    let from = CLASSES.iter().rev().find(|from| **from <= size);
    let below = CLASSES.iter().find(|below| **below > size);
    Cell::Suppressed {
        group,
        from: from.map_or(0, |from| *from),
        below: below.map_or(minimum, |below| (*below).min(minimum)),
    }
}

/// The places of the request's attributes in the table.
fn places(table: &Table, request: &Request) -> Result<Vec<usize>, SheetError> {
    let mut places = Vec::with_capacity(request.attributes.len());
    for attribute in &request.attributes {
        let place = table.attributes().iter().position(|own| own == attribute);
        let place = place.ok_or_else(|| SheetError::UnknownAttribute {
            attribute: attribute.clone(),
        })?;
        if places.contains(&place) {
            return Err(SheetError::Attributes);
        }
        places.push(place);
    }
    if places.is_empty() {
        return Err(SheetError::Attributes);
    }
    if let Some(reference) = request.reference.as_ref()
        && reference.0.len() != places.len()
    {
        return Err(SheetError::Reference {
            expected: places.len(),
            found: reference.0.len(),
        });
    }
    let fits = |share: &&f64| **share > 0.0 && **share <= 1.0;
    match request.quantiles.iter().find(|share| !fits(share)) {
        Some(share) => Err(SheetError::Quantile { share: *share }),
        None => Ok(places),
    }
}

/// The decisions of a request by group.
struct Gathered {
    groups: BTreeMap<Group, Evidence>,
    everyone: Evidence,
    /// The counts of each group, and of everybody, in each stratum.
    by_stratum: BTreeMap<String, (crate::tally::Tally, BTreeMap<Group, crate::tally::Tally>)>,
    without_value: i64,
}

impl Gathered {
    fn new(table: &Table, request: &Request, places: &[usize]) -> Result<Self, SheetError> {
        let mut gathered = Self {
            groups: combinations(table, places)?,
            everyone: Evidence::default(),
            by_stratum: BTreeMap::new(),
            without_value: 0,
        };
        for (key, evidence) in table.cells() {
            if request.stratum.is_some() && key.stratum != request.stratum {
                continue;
            }
            let values = places.iter().map(|place| key.groups[*place].clone());
            let Some(values) = values.collect::<Option<Vec<String>>>() else {
                let decisions = evidence.tally.decisions();
                gathered.without_value = gathered.without_value.wrapping_add(decisions);
                continue;
            };
            gathered.add(Group(values), key.stratum.as_deref(), evidence)?;
        }
        Ok(gathered)
    }

    fn add(
        &mut self,
        group: Group,
        stratum: Option<&str>,
        evidence: &Evidence,
    ) -> Result<(), SheetError> {
        if let Some(stratum) = stratum {
            let (everyone, groups) = self.by_stratum.entry(stratum.to_owned()).or_default();
            everyone.merge(&evidence.tally);
            groups
                .entry(group.clone())
                .or_default()
                .merge(&evidence.tally);
        }
        self.everyone.add(evidence, 1).map_err(SheetError::Bins)?;
        let own = self.groups.entry(group).or_default();
        own.add(evidence, 1).map_err(SheetError::Bins)
    }

    /// The groups that are large enough.
    fn shown(&self, minimum: i64) -> BTreeMap<&Group, Member<'_>> {
        let large = |evidence: &Evidence| {
            evidence.tally.check().is_ok() && evidence.tally.decisions() >= minimum
        };
        let groups = self.groups.iter().filter(|(_, evidence)| large(evidence));
        groups
            .map(|(group, evidence)| (group, Member::new(evidence)))
            .collect()
    }

    /// The reference group, and why nothing can be compared with it.
    fn reference<'a>(
        &'a self,
        asked: Option<&'a Group>,
        minimum: i64,
    ) -> (Option<&'a Group>, Option<Undefined>) {
        let largest = || {
            let sizes = self.groups.iter().rev();
            let largest = sizes.max_by_key(|(_, evidence)| evidence.tally.decisions());
            largest.map(|(group, _)| group)
        };
        let Some(group) = asked.or_else(largest) else {
            return (None, Some(Undefined::NoReferenceGroup));
        };
        let tally = self.groups.get(group).map(|evidence| evidence.tally);
        let tally = tally.unwrap_or_default();
        let reason = match tally.check() {
            Err(Undefined::NoDecisions) => Some(Undefined::NoReferenceGroup),
            Err(reason) => Some(reason),
            Ok(()) if tally.decisions() < minimum => Some(Undefined::ReferenceSuppressed),
            Ok(()) => None,
        };
        (Some(group), reason)
    }

    fn strata_of(&self, group: &Group) -> BTreeMap<String, crate::strata::Stratum> {
        let mut strata = BTreeMap::new();
        for (name, (everyone, groups)) in &self.by_stratum {
            let stratum = crate::strata::Stratum {
                group: groups.get(group).copied().unwrap_or_default(),
                everyone: *everyone,
            };
            strata.insert(name.clone(), stratum);
        }
        strata
    }
}

/// Every combination of the values that occur, empty.
fn combinations(table: &Table, places: &[usize]) -> Result<BTreeMap<Group, Evidence>, SheetError> {
    let mut combined = vec![Vec::new()];
    for place in places {
        let values: BTreeSet<&String> = table
            .cells()
            .filter_map(|(key, _)| key.groups[*place].as_ref())
            .collect();
        let cells = combined.len().saturating_mul(values.len());
        if cells > CELLS_MAX {
            return Err(SheetError::TooManyCells { cells });
        }
        let with = |start: &Vec<String>, value: &String| {
            let mut longer = start.clone();
            longer.push(value.clone());
            longer
        };
        let mut longer = Vec::with_capacity(cells);
        for start in &combined {
            longer.extend(values.iter().map(|value| with(start, value)));
        }
        combined = longer;
    }
    let empty = |values| (Group(values), Evidence::default());
    Ok(combined.into_iter().map(empty).collect())
}
