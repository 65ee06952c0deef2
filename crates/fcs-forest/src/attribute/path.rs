//! Path-dependent Shapley values: what LightGBM calls `pred_contrib` and XGBoost `pred_contribs`.
//!
//! In this game a coalition of features is worth the margin that a tree gives when it follows the row at splits on
//! the coalition's features, and at the others goes both ways in proportion to the training data there (Lundberg,
//! Erion and Lee, "Consistent individualized feature attribution for tree ensembles", arXiv 1802.03888, 2018).
//!
//! A leaf's part in it is a product with one factor per feature of its path. When each feature joins with the same
//! probability x, the factor is `x a + (1 - x) c`, with a = 1 or 0 for whether the row meets all the path's
//! conditions on that feature and c the share of the training data that does. A Shapley value is the integral over x
//! of the derivative in one factor (Owen, "Multilinear extensions of games", Management Science 18(5), 1972): a
//! polynomial of a degree below the number of the path's features, which Gauss-Legendre integrates exactly with half
//! as many points (Wettenstein, Mitchell and Yu, arXiv 2605.04497, 2026). So no subset is ever enumerated. Small trees
//! are solved beforehand for every pattern of a row instead ([`game`](super::game)).
//!
//! Factors are divided by c and leaf values multiplied by it, which leaves `1 + e x`, where e = 1/c - 1 for a met
//! factor and -1 for one that is not. One pass down multiplies the factors above each node, one pass up collects the
//! leaves below it, and at each node the two meet as that node's part of its feature's value. A feature that was
//! asked before on the path has a factor already: it is divided out, and only the difference counts.

#![expect(
    clippy::inline_always,
    reason = "only code that is inlined into `simd::run` is compiled for better processors"
)]

mod draft;
mod group;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use super::error::AttributionError;
use super::grouping::{GroupPlan, Grouping};
use super::quadrature::{GaussLegendre, Rule};
use super::tables::{Indices, LeafOfGroup, Member, Tables};
use crate::answers::Answers;
use crate::class_table::ClassTable;
use crate::classes::Classes;
use crate::limits::PATH_FEATURES_MAX;
use crate::model::Model;
use crate::simd::{self, Job};
use crate::tree::{Child, Tree};
use group::{FAR_PLACES, Group, NEAR_PLACES, NODES_PER_BLOCK, Scratch};

/// Features of a path in a tree that is solved beforehand.
const TABLE_FEATURES_MAX: usize = 10;
/// Bytes of all tables together: about what stays in a core's second cache.
const TABLE_BYTES_MAX: usize = 2 << 20;

/// Attributes margins of one model to its features by the paths of its trees, without a reference population.
pub struct PathAttributor {
    model: Model,
    classes: Classes,
    /// Trees whose games are solved beforehand.
    tables: Tables,
    /// The others.
    plans: Plans,
    /// What the sum of the trees is divided by.
    divisor: f64,
    base_margin: f64,
}

/// The trees by how many points their integrals need.
#[derive(Debug)]
struct Plans {
    four: Plan<4>,
    eight: Plan<8>,
    sixteen: Plan<16>,
    thirty_two: Plan<32>,
}

/// Trees that are integrated with N points.
#[derive(Debug)]
struct Plan<const N: usize> {
    groups: Vec<Group<N>>,
    /// A bit per node: whether a row goes left there.
    table: ClassTable<u32, u16>,
}

impl PathAttributor {
    /// Prepares the attributions of a model. Takes time and memory in proportion to its nodes.
    ///
    /// # Errors
    /// [`AttributionError`] when the model file does not tell the cover of its nodes, when a path has more features
    /// than [`PATH_FEATURES_MAX`], or when the model is too large to compile.
    pub fn new(model: &Model) -> Result<Self, AttributionError> {
        Self::with_table_bytes(model, TABLE_BYTES_MAX)
    }

    /// Prepares with tables of at most some bytes. Trees without a table are integrated.
    fn with_table_bytes(model: &Model, table_bytes_max: usize) -> Result<Self, AttributionError> {
        let ensemble = model.ensemble().ok_or(AttributionError::NoTrees)?;
        let classes =
            Classes::new(ensemble, model.column_count()).ok_or(AttributionError::NotCompiled)?;
        let answers = Answers::new(ensemble, &classes).ok_or(AttributionError::NotCompiled)?;
        let members = choose_trees(model, &ensemble.trees, &classes, &answers, table_bytes_max);
        let tabled: BTreeSet<usize> = members.iter().map(|member| member.tree).collect();
        let indices = Indices::new(&classes, &members).ok_or(AttributionError::NotCompiled)?;
        let mut by_points: [Vec<usize>; 4] = Default::default();
        let mut base_margin = ensemble.summation.start;
        for (index, tree) in ensemble.trees.iter().enumerate() {
            base_margin += mean_value(tree, index)?;
            let features = path_features_max(model, tree, index)?;
            match features {
                0 => {}
                _ if tabled.contains(&index) => {}
                1..=8 => by_points[0].push(index),
                9..=16 => by_points[1].push(index),
                17..=32 => by_points[2].push(index),
                _ => by_points[3].push(index),
            }
        }
        let build = Build {
            model,
            trees: &ensemble.trees,
            classes: &classes,
            answers: &answers,
        };
        let [four, eight, sixteen, thirty_two] = by_points;
        let plans = Plans {
            four: build.plan(&four).ok_or(AttributionError::NotCompiled)?,
            eight: build.plan(&eight).ok_or(AttributionError::NotCompiled)?,
            sixteen: build.plan(&sixteen).ok_or(AttributionError::NotCompiled)?,
            thirty_two: build
                .plan(&thirty_two)
                .ok_or(AttributionError::NotCompiled)?,
        };
        Ok(Self {
            tables: Tables::new(
                &model.parts().front,
                ensemble,
                indices,
                &members,
                |_, leaf| shares_that_meet(model, &ensemble.trees, leaf),
            ),
            divisor: ensemble.summation.divisor,
            model: model.clone(),
            classes,
            plans,
            base_margin: base_margin / ensemble.summation.divisor,
        })
    }

    /// The margin of the empty coalition: the mean margin of the training data as the trees remember them.
    pub fn base_margin(&self) -> f64 {
        self.base_margin
    }

    /// The Shapley value of each feature, in the order of the row and in units of the margin. Added to
    /// [`Self::base_margin`] they give the row's margin, but for rounding.
    ///
    /// # Panics
    /// When the row does not have one number per feature: rows are checked against the schema before they get here.
    pub fn contributions(&self, row: &[f64]) -> Vec<f64> {
        let mut contributions = vec![0.0; row.len()];
        self.contributions_of(row, &mut contributions);
        contributions
    }

    /// The values of several rows, one row after the other in both.
    ///
    /// # Panics
    /// When `rows` does not hold whole rows, or `contributions` not one number for each of `rows`.
    pub fn contributions_of(&self, rows: &[f64], contributions: &mut [f64]) {
        assert_eq!(
            rows.len(),
            contributions.len(),
            "there is one contribution per number"
        );
        simd::run(Contributions {
            attributor: self,
            rows,
            contributions,
        });
    }
}

/// Rows to attribute.
struct Contributions<'a> {
    attributor: &'a PathAttributor,
    rows: &'a [f64],
    contributions: &'a mut [f64],
}

impl Job for Contributions<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let model = &self.attributor.model;
        let width = model.feature_names().len();
        let plans = &self.attributor.plans;
        let mut found = vec![0; self.attributor.classes.columns().len()];
        let mut buffer = Vec::new();
        let mut scratch = (
            plans.four.scratch(width),
            plans.eight.scratch(width),
            plans.sixteen.scratch(width),
            plans.thirty_two.scratch(width),
        );
        let rows = self.rows.chunks(width.max(1));
        for (row, totals) in rows.zip(self.contributions.chunks_mut(width.max(1))) {
            let columns = model.columns(row, &mut buffer);
            self.attributor.classes.find(columns, &mut found);
            totals.fill(0.0);
            plans.four.add(&found, &mut scratch.0, totals);
            plans.eight.add(&found, &mut scratch.1, totals);
            plans.sixteen.add(&found, &mut scratch.2, totals);
            plans.thirty_two.add(&found, &mut scratch.3, totals);
            for total in totals.iter_mut() {
                *total /= self.attributor.divisor;
            }
            // The tables hold divided values already.
            self.attributor.tables.add(&found, totals);
        }
    }
}

/// State of a plan's groups.
enum PlanScratch<const N: usize> {
    /// No group has more nodes than a block.
    Near(Scratch<N, NEAR_PLACES>),
    Far(Scratch<N, FAR_PLACES>),
}

impl<const N: usize> Plan<N>
where
    GaussLegendre: Rule<N>,
{
    /// `None` when there is nothing to do.
    fn scratch(&self, feature_count: usize) -> Option<PlanScratch<N>> {
        let places = self.groups.iter().map(Group::place_count).max()?;
        Some(if places <= NEAR_PLACES {
            PlanScratch::Near(Scratch::new(feature_count))
        } else {
            PlanScratch::Far(Scratch::new(feature_count))
        })
    }

    /// Adds the values of a row of classes to the features' totals.
    #[inline(always)]
    fn add(&self, classes: &[u16], scratch: &mut Option<PlanScratch<N>>, totals: &mut [f64]) {
        match scratch {
            None => {}
            Some(PlanScratch::Near(scratch)) => self.add_with(classes, scratch, totals),
            Some(PlanScratch::Far(scratch)) => self.add_with(classes, scratch, totals),
        }
    }

    #[inline(always)]
    fn add_with<const PLACES: usize>(
        &self,
        classes: &[u16],
        scratch: &mut Scratch<N, PLACES>,
        totals: &mut [f64],
    ) {
        scratch.values.fill([0.0; N]);
        let mut block = 0;
        for group in &self.groups {
            scratch.goes_left.clear();
            scratch.goes_left.resize(group.block_count(), [u32::MAX; 8]);
            self.table.intersect(classes, block, &mut scratch.goes_left);
            group.add(scratch);
            block += group.block_count();
        }
        for (total, values) in totals.iter_mut().zip(&scratch.values) {
            *total += values.iter().sum::<f64>();
        }
    }
}

/// What a plan is made from.
struct Build<'a> {
    model: &'a Model,
    trees: &'a [Tree],
    classes: &'a Classes,
    answers: &'a Answers,
}

impl Build<'_> {
    /// Groups the trees with these indices; `None` when they do not suit a [`ClassTable`].
    fn plan<const N: usize>(&self, indices: &[usize]) -> Option<Plan<N>>
    where
        GaussLegendre: Rule<N>,
    {
        let mut groups = Vec::new();
        // Of each bit of the table, the tree and node that it stands for.
        let mut bits: Vec<Option<(usize, u32)>> = Vec::new();
        let mut rest = indices;
        while !rest.is_empty() {
            let mut node_count = 0;
            let fits = |index: &&usize| {
                node_count += self.trees[**index].nodes.len();
                node_count <= NODES_PER_BLOCK
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let (members, others) = rest.split_at(count);
            let (group, order) = Group::new(self.model, self.trees, members);
            bits.extend(order.into_iter().map(Some));
            bits.resize(bits.len().next_multiple_of(NODES_PER_BLOCK), None);
            groups.push(group);
            rest = others;
        }
        let lanes: Vec<&[Option<(usize, u32)>]> = bits.chunks(32).collect();
        let table = ClassTable::new(
            self.classes,
            lanes.len(),
            |lane| {
                let nodes = lanes[lane].iter().flatten();
                let column =
                    |(tree, node): &(usize, u32)| self.trees[*tree].nodes[*node as usize].column;
                nodes.map(|node| self.classes.slot(column(node))).collect()
            },
            |slot, lane, words: &mut [u32]| {
                let column = self.classes.columns()[slot].column();
                for (bit, node) in lanes[lane].iter().enumerate() {
                    let Some((tree, node)) = *node else { continue };
                    if self.trees[tree].nodes[node as usize].column != column {
                        continue;
                    }
                    let answers = self.answers.of(tree, node as usize, words.len());
                    for (word, goes_left) in words.iter_mut().zip(answers) {
                        *word &= !(u32::from(!*goes_left) << bit);
                    }
                }
            },
        )?;
        Some(Plan { groups, table })
    }
}

/// The trees whose tables are smallest, as far as they stay in a near cache together: there a look is cheaper than
/// an integral.
fn choose_trees(
    model: &Model,
    trees: &[Tree],
    classes: &Classes,
    answers: &Answers,
    table_bytes_max: usize,
) -> Vec<Member> {
    let mut by_tree: Vec<(usize, Vec<Member>)> = Vec::new();
    for (index, tree) in trees.iter().enumerate() {
        let grouping = Grouping {
            front: &model.parts().front,
            classes,
            answers,
            tree,
            index,
            features_max: TABLE_FEATURES_MAX,
        };
        let groups = grouping.groups();
        if groups.deep.is_empty() {
            let numbers = groups.tabled.iter().map(GroupPlan::table_len).sum();
            let members = groups
                .tabled
                .into_iter()
                .map(|plan| Member { tree: index, plan });
            by_tree.push((numbers, members.collect()));
        }
    }
    by_tree.sort_by_key(|(numbers, _)| *numbers);
    let mut room = table_bytes_max / size_of::<f64>();
    let fits = |(numbers, _): &(usize, Vec<Member>)| {
        let fits = *numbers <= room;
        room = room.saturating_sub(*numbers);
        fits
    };
    by_tree
        .into_iter()
        .take_while(fits)
        .flat_map(|(_, members)| members)
        .collect()
}

/// The share of the training data that meets a leaf's conditions on each set of its features, taken as independent.
fn shares_that_meet(model: &Model, trees: &[Tree], leaf: &LeafOfGroup<'_>) -> Vec<f64> {
    let plan = &leaf.member.plan;
    let tree = &trees[leaf.member.tree];
    let mut shares = vec![1.0; leaf.features.len()];
    for (node, child) in tree.path_to(plan.leaves[leaf.place]) {
        let feature = model
            .parts()
            .front
            .feature_of(tree.nodes[node as usize].column);
        let is_feature = |place: &usize| plan.players[*place] == feature;
        if let Some(position) = leaf.features.iter().position(is_feature) {
            shares[position] *= share(tree, node, child);
        }
    }
    let mut meets = vec![1.0];
    for share in shares {
        // The sets with this feature follow on those without.
        let with: Vec<f64> = meets.iter().map(|meets| meets * share).collect();
        meets.extend(with);
    }
    meets
}

/// The mean of a tree's leaves by their cover, which is checked on the way.
fn mean_value(tree: &Tree, index: usize) -> Result<f64, AttributionError> {
    let Some(cover) = &tree.cover else {
        return if tree.nodes.is_empty() {
            Ok(tree.leaf_values[0])
        } else {
            Err(AttributionError::NoCover { tree: index })
        };
    };
    let is_usable = |cover: &f64| cover.is_finite() && *cover > 0.0;
    if !tree.nodes.is_empty() && !cover.nodes.iter().chain(&cover.leaves).all(is_usable) {
        return Err(AttributionError::EmptyCover { tree: index });
    }
    let mut means = vec![0.0; tree.nodes.len()];
    for node in tree.children_first() {
        let branches = &tree.nodes[node as usize];
        let part = |child| {
            let value = match child {
                Child::Leaf(leaf) => tree.leaf_values[leaf as usize],
                Child::Node(node) => means[node as usize],
            };
            value * share(tree, node, child)
        };
        means[node as usize] = part(branches.left) + part(branches.right);
    }
    Ok(means.first().copied().unwrap_or(tree.leaf_values[0]))
}

/// The part of a node's training data that went on to a child; 1 without cover.
fn share(tree: &Tree, node: u32, child: Child) -> f64 {
    let Some(cover) = &tree.cover else { return 1.0 };
    let below = match child {
        Child::Leaf(leaf) => cover.leaves[leaf as usize],
        Child::Node(node) => cover.nodes[node as usize],
    };
    below / cover.nodes[node as usize]
}

/// The most distinct features on a path of the tree.
fn path_features_max(model: &Model, tree: &Tree, index: usize) -> Result<usize, AttributionError> {
    let mut most = 0;
    let mut pending: Vec<(Child, Vec<u32>)> = vec![(tree.root(), Vec::new())];
    while let Some((child, features)) = pending.pop() {
        match child {
            Child::Leaf(leaf) if features.len() > PATH_FEATURES_MAX => {
                return Err(AttributionError::PathFeatures {
                    tree: index,
                    leaf,
                    features: features.len(),
                });
            }
            Child::Leaf(_) => most = most.max(features.len()),
            Child::Node(node) => {
                let branches = &tree.nodes[node as usize];
                let feature = model.parts().front.feature_of(branches.column);
                let mut features = features;
                if !features.contains(&feature) {
                    features.push(feature);
                }
                pending.push((branches.left, features.clone()));
                pending.push((branches.right, features));
            }
        }
    }
    Ok(most)
}

impl fmt::Debug for PathAttributor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PathAttributor")
            .field("base_margin", &self.base_margin)
            .finish_non_exhaustive()
    }
}
