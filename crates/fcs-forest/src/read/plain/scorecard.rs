//! A scorecard: each feature falls into one of its bins, and the bins' weights are added up. A feature becomes a
//! small balanced tree, so that everything that works on trees works on scorecards.

use std::f64::consts::LN_2;

use serde::Deserialize;

use super::{LinkName, Refusal, check_finite, check_kind, check_names};
use crate::ensemble::{Ensemble, Summation};
use crate::format::Format;
use crate::front::Front;
use crate::limits;
use crate::model::{Body, Parts};
use crate::read::error::FieldProblem;
use crate::tree::{Child, Comparison, Node, Test, Tree, check_shape};

/// Codes are exact in a double and fit a 32-bit word.
const CODE_MAX: u32 = i32::MAX.unsigned_abs();

/// A whole number of points may differ by this much from the scaled weight: half a point, and its rounding.
const POINTS_TOLERANCE: f64 = 0.5 + 1e-9;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    kind: String,
    link: LinkName,
    intercept: f64,
    /// Needed when bins tell their points; those are checked with it.
    points_to_double_odds: Option<f64>,
    features: Vec<Feature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Feature {
    name: String,
    /// Numbers: each bin but the last has `below`. Categories: each bin has `codes`.
    bins: Vec<Bin>,
    /// Weight of a missing value.
    missing: f64,
    /// Weight of a code that is in no bin.
    other: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bin {
    below: Option<f64>,
    codes: Option<Vec<u32>>,
    weight: f64,
    points: Option<i64>,
}

/// A stretch of numbers, from where the one before it ends, with one weight.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    /// First number above it; infinite for the last.
    end: f64,
    weight: f64,
    bin: u32,
}

impl Document {
    pub(super) fn into_parts(self, format: Format) -> Result<Parts, Refusal> {
        check_kind(&self.kind, "scorecard")?;
        check_finite(self.intercept, || "intercept".to_owned())?;
        if let Some(points) = self.points_to_double_odds
            && !(points.is_finite() && points > 0.0)
        {
            return Err(Refusal::out_of_range(
                "points_to_double_odds",
                "a finite number above zero",
            ));
        }
        let names = self.features.iter().map(|feature| feature.name.as_str());
        let feature_names = check_names(names)?;
        let mut trees = Vec::with_capacity(self.features.len());
        for (column, feature) in (0_u32..).zip(&self.features) {
            let tree = feature.tree(column, self.points_to_double_odds);
            let tree = tree.map_err(|refusal| Refusal {
                field: format!("features[{column}].{}", refusal.field),
                ..refusal
            })?;
            trees.push(tree);
        }
        Ok(Parts {
            format,
            feature_names,
            category_names: Vec::new(),
            front: Front::Identity,
            body: Body::Trees(Ensemble {
                trees,
                summation: Summation {
                    start: self.intercept,
                    ..Summation::BOOSTED_DOUBLE
                },
            }),
            link: self.link.link(),
            link_divisor: 1.0,
        })
    }
}

impl Feature {
    fn tree(&self, column: u32, points_to_double_odds: Option<f64>) -> Result<Tree, Refusal> {
        check_finite(self.missing, || "missing".to_owned())?;
        check_finite(self.other.unwrap_or(0.0), || "other".to_owned())?;
        for (index, bin) in self.bins.iter().enumerate() {
            check_finite(bin.weight, || format!("bins[{index}].weight"))?;
            bin.check_points(points_to_double_odds)
                .map_err(|expected| {
                    Refusal::out_of_range(format!("bins[{index}].points"), expected)
                })?;
        }
        let has_codes = self.bins.iter().any(|bin| bin.codes.is_some());
        let pieces = if has_codes {
            self.category_pieces()?
        } else {
            self.number_pieces()?
        };
        if pieces.len() >= limits::LEAVES_PER_TREE_MAX {
            return Err(Refusal::out_of_range(
                "bins",
                "fewer than 65,536 bins or gaps",
            ));
        }
        // The bins, the one of other codes, and the one of missing values, in this order.
        let missing_bin = self.bins.len() + usize::from(has_codes);
        self.balanced(column, &pieces, missing_bin)
    }

    fn number_pieces(&self) -> Result<Vec<Piece>, Refusal> {
        if self.other.is_some() {
            return Err(Refusal::out_of_range("other", "left out without codes"));
        }
        if self.bins.is_empty() {
            return Err(Refusal::out_of_range("bins", "at least one bin"));
        }
        let last = self.bins.len() - 1;
        let mut pieces: Vec<Piece> = Vec::with_capacity(self.bins.len());
        for (index, bin) in self.bins.iter().enumerate() {
            let refuse = |expected| {
                Err(Refusal::out_of_range(
                    format!("bins[{index}].below"),
                    expected,
                ))
            };
            let end = match bin.below {
                None if index == last => f64::INFINITY,
                None => return refuse("there in every bin but the last"),
                Some(_) if index == last => return refuse("left out in the last bin"),
                Some(end) if !end.is_finite() => return refuse("a finite number"),
                Some(end) => end,
            };
            if pieces.last().is_some_and(|before| end <= before.end) {
                return refuse("above the one before it");
            }
            pieces.push(Piece {
                end,
                weight: bin.weight,
                bin: number(index),
            });
        }
        Ok(pieces)
    }

    /// The pieces between whole numbers: a fraction counts as the code that it truncates to, a negative number as
    /// another code.
    fn category_pieces(&self) -> Result<Vec<Piece>, Refusal> {
        let Some(other) = self.other else {
            return Err(Refusal {
                field: "other".to_owned(),
                problem: FieldProblem::Missing,
            });
        };
        let other = |end| Piece {
            end,
            weight: other,
            bin: number(self.bins.len()),
        };
        let mut pieces = vec![other(0.0)];
        for (code, index) in self.codes()? {
            let bin = &self.bins[index];
            let (start, end) = (f64::from(code), f64::from(code) + 1.0);
            push_merged(&mut pieces, other(start));
            let weight = bin.weight;
            let bin = number(index);
            push_merged(&mut pieces, Piece { end, weight, bin });
        }
        push_merged(&mut pieces, other(f64::INFINITY));
        Ok(pieces)
    }

    /// Each code with its bin, ascending.
    fn codes(&self) -> Result<Vec<(u32, usize)>, Refusal> {
        let mut codes = Vec::new();
        for (index, bin) in self.bins.iter().enumerate() {
            if bin.below.is_some() {
                let field = format!("bins[{index}].below");
                return Err(Refusal::out_of_range(field, "left out beside codes"));
            }
            let of_bin = bin.codes.as_deref().unwrap_or_default();
            if of_bin.is_empty() || of_bin.iter().any(|code| *code > CODE_MAX) {
                let field = format!("bins[{index}].codes");
                return Err(Refusal::out_of_range(field, "one or more codes below 2^31"));
            }
            codes.extend(of_bin.iter().map(|code| (*code, index)));
        }
        codes.sort_unstable();
        if let Some(pair) = codes.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let field = format!("bins[{}].codes", pair[1].1);
            return Err(Refusal::out_of_range(field, "codes that occur once"));
        }
        Ok(codes)
    }

    /// A tree whose root parts missing values from the rest, and below it the pieces in halves.
    fn balanced(&self, column: u32, pieces: &[Piece], missing_bin: usize) -> Result<Tree, Refusal> {
        let missing = number(pieces.len());
        let mut nodes = vec![Node {
            column,
            // Every number passes, infinity included; NaN does not.
            test: compare(Comparison::AtMost, f64::INFINITY),
            left: Child::Leaf(0),
            right: Child::Leaf(missing),
        }];
        nodes[0].left = halve(column, pieces, 0, &mut nodes);
        let leaf_values = pieces.iter().map(|piece| piece.weight);
        let leaf_ids = pieces.iter().map(|piece| piece.bin);
        let tree = Tree {
            leaf_values: leaf_values.chain([self.missing]).collect(),
            leaf_ids: leaf_ids.chain([number(missing_bin)]).collect(),
            nodes,
            category_words: Vec::new(),
            cover: None,
        };
        check_shape(&tree.nodes, tree.leaf_values.len()).map_err(|error| Refusal {
            field: "bins".to_owned(),
            problem: FieldProblem::Shape(error),
        })?;
        Ok(tree)
    }
}

impl Bin {
    /// Points rise as the odds fall: a weight w is worth -w * points_to_double_odds / ln 2.
    fn check_points(&self, points_to_double_odds: Option<f64>) -> Result<(), &'static str> {
        match (self.points, points_to_double_odds) {
            (None, _) => Ok(()),
            (Some(_), None) => Err("left out without `points_to_double_odds`"),
            (Some(points), Some(scale)) => {
                let exact = -self.weight * scale / LN_2;
                if (points as f64 - exact).abs() <= POINTS_TOLERANCE {
                    Ok(())
                } else {
                    Err("-weight * points_to_double_odds / ln 2, rounded")
                }
            }
        }
    }
}

/// Appends a piece, unless it is empty; one of the same bin makes the last piece longer.
fn push_merged(pieces: &mut Vec<Piece>, piece: Piece) {
    match pieces.last_mut() {
        Some(last) if last.end >= piece.end => {}
        Some(last) if last.bin == piece.bin => last.end = piece.end,
        _ => pieces.push(piece),
    }
}

/// Adds the nodes that find one of some pieces, the first of which is leaf `first`.
fn halve(column: u32, pieces: &[Piece], first: usize, nodes: &mut Vec<Node>) -> Child {
    if pieces.len() == 1 {
        return Child::Leaf(number(first));
    }
    let middle = pieces.len() / 2;
    let (below, above) = pieces.split_at(middle);
    let index = nodes.len();
    nodes.push(Node {
        column,
        test: compare(Comparison::Below, below[middle - 1].end),
        left: Child::Leaf(0),
        right: Child::Leaf(0),
    });
    nodes[index].left = halve(column, below, first, nodes);
    nodes[index].right = halve(column, above, first + middle, nodes);
    Child::Node(number(index))
}

fn compare(comparison: Comparison, threshold: f64) -> Test {
    Test::Compare {
        comparison,
        threshold,
        missing_left: false,
    }
}

/// An index that fits, because pieces and bins are limited by the size of the file.
fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a file of 4 MiB has fewer bins than 2^32")
}
