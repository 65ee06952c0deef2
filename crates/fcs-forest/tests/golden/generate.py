"""Writes the golden models of this folder: NAME.txt, and NAME.csv with rows, margins and outputs by LightGBM itself.

    python generate.py        # Python 3.11, lightgbm 4.6.0, numpy 2.4.6, scipy 1.17.1
    python generate.py        # Python 3.11, lightgbm 3.3.5, numpy 1.26.4, scipy 1.13.1: only the v3 models

Each model is there for one thing that a reader or a decision can get wrong; see MODELS. Everything is seeded and
runs on one thread. Numbers are printed by repr: the shortest text that reads back to the same bits.
"""

import csv
import math
from pathlib import Path

import lightgbm as lgb
import numpy as np

HERE = Path(__file__).parent
PROBE_ROWS = 120
TRAINING_ROWS = 1500
CATEGORY = 2  # the column that is categorical in the models that have one
ZERO_BAND = float(np.float32(1e-35))

BASE = {"verbose": -1, "num_threads": 1, "deterministic": True, "force_row_wise": True, "seed": 7, "num_leaves": 8,
        "learning_rate": 0.3, "min_data_in_leaf": 5, "min_data_in_bin": 3, "cat_smooth": 1, "cat_l2": 1,
        "max_cat_threshold": 120, "min_data_per_group": 5, "max_cat_to_onehot": 2}


def training_data(rng, with_nan, with_zero, categories):
    """Three columns whose effects overlap, and a 0/1 label."""
    columns = rng.normal(size=(TRAINING_ROWS, 3))
    if categories:
        columns[:, CATEGORY] = rng.integers(0, categories, TRAINING_ROWS)
    if with_zero:
        columns[rng.random(TRAINING_ROWS) < 0.3, 0] = 0.0
    if with_nan:
        for column in range(3):
            columns[rng.random(TRAINING_ROWS) < 0.15, column] = np.nan
    level = np.nan_to_num(columns[:, 0], nan=1.2) - np.abs(np.nan_to_num(columns[:, 1], nan=-0.7))
    if categories:
        effect = rng.normal(size=categories + 1)
        level = level + effect[np.nan_to_num(columns[:, CATEGORY], nan=categories).astype(int)]
    else:
        level = level * np.where(np.nan_to_num(columns[:, 2], nan=0.5) > 0.3, 1.5, -0.5)
    label = (level + rng.normal(size=TRAINING_ROWS) > 0).astype(float)
    return columns, label


def probe_rows(rng, columns, booster, categorical):
    """Rows near everything that decides: training values, thresholds and their neighbours, zeros, missing, extremes."""
    thresholds = [[] for _ in range(3)]
    for tree in booster.dump_model()["tree_info"]:
        collect_thresholds(tree["tree_structure"], thresholds)
    rows = np.empty((PROBE_ROWS, 3))
    specials = [math.nan, 0.0, -0.0, 1e-36, -1e-36, ZERO_BAND, -ZERO_BAND, 2e-35, 1e300, -1e300, math.inf, -math.inf]
    category_specials = [math.nan, -0.0, -0.5, -0.999, -1.0, -1.5, -7.0, 0.5, 31.0, 31.999, 32.0, 33.7, 63.0, 64.0, 65.0,
                         127.0, 128.0, 1e4, 1e9, 2147483647.0, 2147483648.0, 4294967296.0, 1e300, math.inf, -math.inf]
    for row in rows:
        for column in range(3):
            kind = rng.random()
            if kind < 0.45:
                row[column] = columns[rng.integers(TRAINING_ROWS), column]
            elif categorical and column == CATEGORY:
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


# name: (data options, parameters, trees)
NUMBERS = {"with_nan": False, "with_zero": False, "categories": 0}
MODELS = {
    "numeric_nan": (NUMBERS | {"with_nan": True}, {"objective": "binary"}, 6),
    "numeric_none": (NUMBERS | {"with_zero": True}, {"objective": "binary"}, 6),
    "no_use_missing": (NUMBERS | {"with_nan": True}, {"objective": "binary", "use_missing": False}, 4),
    "zero_as_missing": (NUMBERS | {"with_nan": True, "with_zero": True}, {"objective": "binary", "zero_as_missing": True}, 6),
    "categories": (NUMBERS | {"with_nan": True, "categories": 200}, {"objective": "binary"}, 6),
    "categories_one_hot": (NUMBERS | {"categories": 6}, {"objective": "binary", "max_cat_to_onehot": 10}, 4),
    "sigmoid": (NUMBERS, {"objective": "binary", "sigmoid": 0.7}, 4),
    "dart": (NUMBERS | {"with_nan": True}, {"objective": "binary", "boosting": "dart", "drop_rate": 0.5, "skip_drop": 0.1}, 8),
    "constant": (NUMBERS, {"objective": "binary", "min_data_in_leaf": 100_000}, 3),
    "many_leaves": (NUMBERS | {"categories": 40}, {"objective": "binary", "num_leaves": 63}, 2),
    "cross_entropy": (NUMBERS, {"objective": "cross_entropy"}, 3),
    "regression": (NUMBERS, {"objective": "regression"}, 3),
}
MODELS_V3 = {
    "v3": (NUMBERS | {"with_nan": True, "categories": 70}, {"objective": "binary"}, 4),
}


def write(name, options, parameters, trees):
    rng = np.random.default_rng(sum(name.encode()))
    columns, label = training_data(rng, **options)
    categorical = options["categories"] > 0
    data = lgb.Dataset(columns, label, feature_name=["first", "second", "third"],
                       categorical_feature=[CATEGORY] if categorical else [])
    booster = lgb.train(BASE | parameters, data, num_boost_round=trees)
    rows = probe_rows(rng, columns, booster, categorical)
    booster.save_model(HERE / f"{name}.txt")
    # Predict from the written file: that is the model under test.
    booster = lgb.Booster(model_file=str(HERE / f"{name}.txt"))
    margins, outputs = booster.predict(rows, raw_score=True), booster.predict(rows)
    with open(HERE / f"{name}.csv", "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["first", "second", "third", "margin", "output"])
        for row, margin, output in zip(rows, margins, outputs):
            out.writerow(["" if math.isnan(v) else repr(float(v)) for v in row] + [repr(float(margin)), repr(float(output))])


if __name__ == "__main__":
    chosen = {"4.6.0": MODELS, "3.3.5": MODELS_V3}[lgb.__version__]
    for name, arguments in chosen.items():
        write(name, *arguments)
