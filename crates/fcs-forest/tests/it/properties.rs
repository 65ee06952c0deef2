//! What must hold for every model, row and population.

use fcs_forest::{Attributor, Engine, Kernel, Model};
use proptest::prelude::*;

use crate::generated::{self, FEATURES, TreeSpec};
use crate::naive::NaiveModel;

fn read(forest: &[TreeSpec]) -> (Model, NaiveModel) {
    let text = generated::text(forest);
    (crate::read(&text).unwrap(), NaiveModel::new(&text))
}

fn references() -> impl Strategy<Value = Vec<Vec<f64>>> {
    prop::collection::vec(generated::row(), 1..7)
}

/// The same trees with the roles of the first two features exchanged.
fn exchanged(forest: &[TreeSpec]) -> Vec<TreeSpec> {
    let mut forest = forest.to_vec();
    for split in forest.iter_mut().flat_map(|tree| &mut tree.splits) {
        split.feature = [1, 0, 2, 3, 4, 5][split.feature];
    }
    forest
}

proptest! {
    #[test]
    fn margins_equal_the_naive_walk(forest in generated::forests(), row in generated::row()) {
        let (forest, naive) = read(&forest);
        prop_assert_eq!(forest.margin(&row), naive.margin(&row));
    }

    #[test]
    fn every_kernel_gives_the_bits_of_the_walk(
        forest in generated::forests(),
        rows in prop::collection::vec(generated::row(), 1..20),
        count in 1_usize..600,
    ) {
        let model = read(&forest).0;
        let rows: Vec<Vec<f64>> = rows.into_iter().cycle().take(count).collect();
        let flat: Vec<f64> = rows.iter().flatten().copied().collect();
        let expected: Vec<u64> = rows.iter().map(|row| model.margin(row).to_bits()).collect();
        for kernel in Kernel::ALL {
            let Some(engine) = Engine::with_kernel(&model, kernel) else { continue };
            let mut margins = vec![0.0; rows.len()];
            engine.margins(&flat, &mut margins);
            let margins: Vec<u64> = margins.into_iter().map(f64::to_bits).collect();
            prop_assert_eq!(&margins, &expected, "{}", kernel);
            prop_assert_eq!(engine.margin(&rows[0]).to_bits(), expected[0], "{}", kernel);
        }
        let has_splits = forest.iter().any(|tree| !tree.splits.is_empty());
        prop_assert_eq!(Engine::new(&model).kernel() != Kernel::Plain, has_splits);
    }

    #[test]
    fn attributions_equal_enumeration_and_add_up(
        forest in generated::forests(),
        row in generated::row(),
        references in references(),
    ) {
        let (forest, naive) = read(&forest);
        let attributor = Attributor::new(&forest, &references).unwrap();
        let contributions = attributor.contributions(&row);
        for (value, expected) in contributions.iter().zip(naive.shapley_values(&row, &references)) {
            prop_assert!((value - expected).abs() < 1e-12, "{} {}", value, expected);
        }
        let total = attributor.base_margin() + contributions.iter().sum::<f64>();
        prop_assert!((total - forest.margin(&row)).abs() < 1e-12);
    }

    #[test]
    fn an_unused_feature_has_exactly_nothing(
        forest in generated::forests(),
        row in generated::row(),
        references in references(),
    ) {
        let mut used = [false; FEATURES];
        for split in forest.iter().flat_map(|tree| &tree.splits) {
            used[split.feature] = true;
        }
        let contributions = Attributor::new(&read(&forest).0, &references).unwrap().contributions(&row);
        for (feature, value) in contributions.into_iter().enumerate() {
            prop_assert!(used[feature] || value.to_bits() == 0, "feature {}: {}", feature, value);
        }
    }

    #[test]
    fn features_in_equal_roles_have_equal_values(
        forest in generated::forests(),
        mut row in generated::row(),
        mut references in references(),
    ) {
        let both: Vec<TreeSpec> = forest.iter().cloned().chain(exchanged(&forest)).collect();
        row[1] = row[0];
        for reference in &mut references {
            reference[1] = reference[0];
        }
        let contributions = Attributor::new(&read(&both).0, &references).unwrap().contributions(&row);
        prop_assert!((contributions[0] - contributions[1]).abs() < 1e-12);
    }

    #[test]
    fn a_row_of_the_population_alone_has_nothing_to_explain(
        forest in generated::forests(),
        row in generated::row(),
    ) {
        let forest = read(&forest).0;
        let attributor = Attributor::new(&forest, std::slice::from_ref(&row)).unwrap();
        prop_assert_eq!(attributor.base_margin(), forest.margin(&row));
        prop_assert!(attributor.contributions(&row).iter().all(|&value| value == 0.0));
    }
}
