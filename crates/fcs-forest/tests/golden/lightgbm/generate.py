"""Writes the golden models of this folder: NAME.txt, and NAME.csv with what LightGBM itself says about probe rows.

    pip install -r requirements.txt    && python generate.py    # Python 3.11: the models of VARIANTS
    pip install -r requirements-v3.txt && python generate.py    # Python 3.11: the models of VARIANTS_V3

Columns of a table: the features (empty: missing), `margin`, `output`, `leaf_ids` (LightGBM's `pred_leaf`, one per
tree), `contribution.FEATURE` and `base` (LightGBM's `pred_contrib`, which add up to the margin).

Margins are raw scores. Where the file says `average_output` (random forests) LightGBM's raw score and contributions
are sums over the trees, and its output is made of their average.

Each model is there for one thing that a reader or a decision can get wrong. Everything is seeded and runs on one
thread. Numbers are printed by repr: the shortest text that reads back to the same bits.
"""

import csv
import json
import math
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import lightgbm as lgb
import numpy as np

HERE = Path(__file__).parent
FEATURES = ["first", "second", "third"]
PROBE_ROWS = 80
TRAINING_ROWS = 1500
CATEGORY = 2  # the column that is categorical in the models that have one
ZERO_BAND = float(np.float32(1e-35))
SMALLEST = math.ulp(0.0)

BASE = {"verbose": -1, "num_threads": 1, "deterministic": True, "force_row_wise": True, "seed": 7, "num_leaves": 8,
        "learning_rate": 0.3, "min_data_in_leaf": 5, "min_data_in_bin": 3, "cat_smooth": 1, "cat_l2": 1,
        "max_cat_threshold": 120, "min_data_per_group": 5, "max_cat_to_onehot": 2}


@dataclass
class Variant:
    """One model: its data, LightGBM's parameters, and what is done beside plain training."""

    parameters: dict
    trees: int = 3
    with_nan: bool = False
    with_zero: bool = False
    categories: list = field(default_factory=list)  # the ids of the categories; none: three numeric columns
    amounts: bool = False  # positive labels instead of 0 and 1
    special: str = ""


def binary(trees, special="", with_nan=False, with_zero=False, categories=(), **parameters):
    return Variant({"objective": "binary"} | parameters, trees, with_nan, with_zero, list(categories), False, special)


def amounts(objective, **parameters):
    return Variant({"objective": objective} | parameters, amounts=True)


FOREST = {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}
FORCED = {"feature": 1, "threshold": 0.25, "left": {"feature": 0, "threshold": -0.5}}
VARIANTS = {
    # missing values
    "numeric_nan": binary(6, with_nan=True),
    "numeric_none": binary(6, with_zero=True),
    "no_use_missing": binary(4, with_nan=True, use_missing=False),
    "zero_as_missing": binary(6, with_nan=True, with_zero=True, zero_as_missing=True),
    # categories
    "categories": binary(6, with_nan=True, categories=range(200)),
    "categories_one_hot": binary(4, categories=range(6), max_cat_to_onehot=10),
    "categories_wide": binary(3, categories=[0, 31, 32, 700, 4_999, 9_000, 20_000], num_leaves=5),
    "categories_zero_as_missing": binary(4, with_nan=True, with_zero=True, categories=range(12), zero_as_missing=True),
    "pandas": binary(4, "pandas", categories=range(9)),
    # objectives
    "sigmoid": binary(4, sigmoid=0.7),
    "unbalanced": binary(3, is_unbalance=True, boost_from_average=False),
    "cross_entropy": Variant({"objective": "cross_entropy"}),
    "cross_entropy_lambda": Variant({"objective": "cross_entropy_lambda"}),
    "regression": Variant({"objective": "regression"}),
    "regression_sqrt": amounts("regression", reg_sqrt=True),
    "regression_l1": amounts("regression_l1"),
    "regression_l1_sqrt": amounts("regression_l1", reg_sqrt=True),
    "huber": amounts("huber"),
    "fair": amounts("fair"),
    "fair_sqrt": amounts("fair", reg_sqrt=True),
    "quantile": amounts("quantile", alpha=0.8),
    "quantile_sqrt": amounts("quantile", alpha=0.8, reg_sqrt=True),
    "mape": amounts("mape"),
    "mape_sqrt": amounts("mape", reg_sqrt=True),
    "poisson": amounts("poisson"),
    "gamma": amounts("gamma"),
    "tweedie": amounts("tweedie"),
    "custom": binary(3, "custom"),
    # ways of boosting
    "dart": binary(8, with_nan=True, boosting="dart", drop_rate=0.5, skip_drop=0.1),
    "goss": binary(4, data_sample_strategy="goss", learning_rate=0.5),
    "extra_trees": binary(4, with_nan=True, extra_trees=True),
    "random_forest": binary(7, with_nan=True, **FOREST),
    "random_forest_poisson": Variant({"objective": "poisson"} | FOREST, 3, amounts=True),
    # shapes
    "constant": binary(3, min_data_in_leaf=100_000),
    "many_leaves": binary(2, categories=range(40), num_leaves=63),
    "few_bins": binary(4, with_nan=True, max_bin=3),
    "monotone": binary(4, monotone_constraints=[1, -1, 0]),
    "forced_splits": binary(3, "forced_splits"),
    # life of a model
    "continued": binary(3, "continued", with_nan=True),
    "refit": binary(3, "refit"),
    "early_stopped": binary(60, "early_stopped", learning_rate=0.8),
}
VARIANTS_V3 = {
    "v3": binary(4, with_nan=True, categories=range(70)),
    "v3_constant": binary(3, min_data_in_leaf=100_000),
    "v3_custom": binary(3, "custom"),
    "v3_random_forest": binary(5, with_nan=True, **FOREST),
    "v3_sqrt": amounts("regression", reg_sqrt=True),
}


def training_data(rng, variant):
    """Three columns whose effects overlap, and a label."""
    columns = rng.normal(size=(TRAINING_ROWS, 3))
    count = len(variant.categories)
    if count:
        columns[:, CATEGORY] = rng.integers(0, count, TRAINING_ROWS)
    if variant.with_zero:
        columns[rng.random(TRAINING_ROWS) < 0.3, 0] = 0.0
    if variant.with_nan:
        for column in range(3):
            columns[rng.random(TRAINING_ROWS) < 0.15, column] = np.nan
    level = np.nan_to_num(columns[:, 0], nan=1.2) - np.abs(np.nan_to_num(columns[:, 1], nan=-0.7))
    if count:
        effect = rng.normal(size=count + 1)
        positions = np.nan_to_num(columns[:, CATEGORY], nan=count).astype(int)
        level = level + effect[positions]
        columns[:, CATEGORY] = np.array([*variant.categories, np.nan])[positions]
    else:
        level = level * np.where(np.nan_to_num(columns[:, 2], nan=0.5) > 0.3, 1.5, -0.5)
    level = level + rng.normal(size=TRAINING_ROWS)
    return columns, np.exp(level / 2) if variant.amounts else (level > 0).astype(float)


def gradients(scores, data):
    """A least-squares objective that LightGBM does not know by name."""
    return scores - data.get_label(), np.ones(len(scores))


def train(variant, columns, label, folder):
    parameters = BASE | variant.parameters
    categorical = [CATEGORY] if variant.categories else []

    def dataset(rows, labels):
        return lgb.Dataset(rows, labels, feature_name=FEATURES, categorical_feature=categorical, free_raw_data=False)

    data, half = dataset(columns, label), TRAINING_ROWS // 2
    match variant.special:
        case "custom" if lgb.__version__.startswith("3."):
            return lgb.train(parameters | {"objective": "none"}, data, variant.trees, fobj=gradients)
        case "custom":
            return lgb.train(parameters | {"objective": gradients}, data, variant.trees)
        case "pandas":
            import pandas

            names = [f"level {code}" for code in variant.categories]
            frame = pandas.DataFrame(columns, columns=FEATURES)
            frame["third"] = pandas.Categorical.from_codes(columns[:, CATEGORY].astype(int), names)
            return lgb.train(parameters, lgb.Dataset(frame, label), variant.trees)
        case "forced_splits":
            path = Path(folder) / "forced.json"
            path.write_text(json.dumps(FORCED))
            return lgb.train(parameters | {"forcedsplits_filename": str(path)}, data, variant.trees)
        case "continued":
            first = lgb.train(parameters, dataset(columns[:half], label[:half]), variant.trees)
            return lgb.train(parameters | {"num_leaves": 5}, dataset(columns[half:], label[half:]), variant.trees,
                             init_model=first)
        case "refit":
            first = lgb.train(parameters, dataset(columns[:half], label[:half]), variant.trees)
            return first.refit(columns[half:], label[half:])
        case "early_stopped":
            data, valid = dataset(columns[:half], label[:half]), lgb.Dataset(columns[half:], label[half:])
            return lgb.train(parameters, data, variant.trees, valid_sets=[valid],
                             callbacks=[lgb.early_stopping(4, verbose=False)])
    return lgb.train(parameters, data, variant.trees)


def probe_rows(rng, columns, booster, variant):
    """Rows near everything that decides: training values, thresholds and their neighbours, zeros, missing, extremes."""
    thresholds = [[] for _ in range(3)]
    for tree in booster.dump_model()["tree_info"]:
        collect_thresholds(tree["tree_structure"], thresholds)
    rows = np.empty((PROBE_ROWS, 3))
    specials = [math.nan, 0.0, -0.0, SMALLEST, -SMALLEST, 2.2250738585072014e-308, 1e-36, -1e-36, ZERO_BAND, -ZERO_BAND,
                2e-35, 1e300, -1e300, math.inf, -math.inf]
    category_specials = [math.nan, -0.0, -0.5, -0.999, -1.0, -1.5, -7.0, 0.5, 31.0, 31.999, 32.0, 33.7, 63.0, 64.0, 65.0,
                         127.0, 128.0, 1e4, 1e9, 2147483647.0, 2147483648.0, 4294967296.0, 1e300, math.inf, -math.inf]
    for row in rows:
        for column in range(3):
            kind = rng.random()
            if kind < 0.4:
                row[column] = columns[rng.integers(TRAINING_ROWS), column]
            elif variant.categories and column == CATEGORY:
                row[column] = rng.choice(category_specials) if kind < 0.85 else rng.integers(0, 300)
            elif kind < 0.75 and thresholds[column]:
                at = rng.choice(thresholds[column])
                row[column] = rng.choice([at, np.nextafter(at, math.inf), np.nextafter(at, -math.inf)])
            else:
                row[column] = rng.choice(specials)
    return rows


def collect_thresholds(node, thresholds):
    if "split_feature" not in node:
        return
    if node["decision_type"] == "<=":
        thresholds[node["split_feature"]].append(node["threshold"])
    collect_thresholds(node["left_child"], thresholds)
    collect_thresholds(node["right_child"], thresholds)


def without_temporary_path(text, folder):
    """The tail repeats the parameters; a folder of this run must not be among them."""
    return text.replace(str(folder), "")


def write(name, variant):
    rng = np.random.default_rng(sum(name.encode()))
    columns, label = training_data(rng, variant)
    path = HERE / f"{name}.txt"
    with tempfile.TemporaryDirectory() as folder:
        trained = train(variant, columns, label, folder)
        trained.save_model(path)
        path.write_text(without_temporary_path(path.read_text(), folder))
    rows = probe_rows(rng, columns, trained, variant)
    # Predict from the written file: that is the model under test.
    booster = lgb.Booster(model_file=str(path))
    margins, contributions = booster.predict(rows, raw_score=True), booster.predict(rows, pred_contrib=True)
    np.testing.assert_allclose(contributions.sum(axis=1), margins, rtol=1e-9, atol=1e-12)
    outputs, leaves = booster.predict(rows), booster.predict(rows, pred_leaf=True).reshape(len(rows), -1)
    with open(HERE / f"{name}.csv", "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow([*FEATURES, "margin", "output", "leaf_ids", *(f"contribution.{name}" for name in FEATURES), "base"])
        for row, margin, output, ids, values in zip(rows, margins, outputs, leaves, contributions):
            numbers = ["" if math.isnan(value) else repr(float(value)) for value in [*row, margin, output, *values]]
            out.writerow([*numbers[:5], " ".join(str(int(id)) for id in ids), *numbers[5:]])


if __name__ == "__main__":
    chosen = {"4.6.0": VARIANTS, "3.3.5": VARIANTS_V3}[lgb.__version__]
    for name, variant in chosen.items():
        write(name, variant)
