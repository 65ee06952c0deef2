"""Writes the models of this folder, and what shap says about them: NAME.txt (LightGBM) or NAME.json (XGBoost),
NAME.references.csv with a reference population, and NAME.csv with probe rows, their margins, their interventional
Shapley values (`contribution.FEATURE`) against that population, and its mean margin (`base`).

    pip install -r requirements.txt && python generate.py      # Python 3.11

Values are those of shap.TreeExplainer(model, data=references, feature_perturbation="interventional",
model_output="raw"), told to keep all references: it would draw 100 of them by itself. No model has a categorical
split, which shap takes for a numeric one, and none is XGBoost's dart, whose weights shap leaves out. All features are
single-precision numbers, for XGBoost and shap's reading of it see no others; an empty cell is missing. Everything is
seeded and runs on one thread. Margins are printed by repr, values with 12 digits.
"""

import csv
import math
from pathlib import Path

import lightgbm as lgb
import numpy as np
import shap
import xgboost as xgb

HERE = Path(__file__).parent
PROBE_ROWS = 60
TRAINING_ROWS = 2000

LIGHTGBM = {"verbose": -1, "num_threads": 1, "deterministic": True, "force_row_wise": True, "seed": 7,
            "learning_rate": 0.2, "min_data_in_leaf": 10}
XGBOOST = {"verbosity": 0, "nthread": 1, "seed": 7, "eta": 0.3, "tree_method": "hist"}

# What a model is for; its features, trees, rows of its population, part of values that are missing, and parameters.
MODELS = {
    "lightgbm_numeric": (10, 16, 100, 0.1, LIGHTGBM | {"objective": "binary", "num_leaves": 15}),
    "lightgbm_regression": (8, 12, 200, 0.0, LIGHTGBM | {"objective": "regression", "num_leaves": 15}),
    # Paths with more features than a table is made for: random splits, and leaves of a single row.
    "lightgbm_deep": (24, 2, 60, 0.05, LIGHTGBM | {"objective": "regression", "num_leaves": 127, "min_data_in_leaf": 1,
                                                   "extra_trees": True, "feature_fraction_bynode": 0.1}),
    "xgboost_depth_6": (10, 6, 100, 0.1, XGBOOST | {"objective": "binary:logistic", "max_depth": 6}),
    "xgboost_regression": (8, 10, 50, 0.05, XGBOOST | {"objective": "reg:squarederror", "max_depth": 4, "gamma": 2.0,
                                                       "tree_method": "exact"}),
    "xgboost_shallow": (6, 40, 150, 0.0, XGBOOST | {"objective": "binary:logistic", "max_depth": 2}),
}


def training_data(rng, feature_count, missing, is_binary):
    """Features that interact in pairs, with three digits so that values repeat, and a label."""
    columns = np.round(rng.normal(size=(TRAINING_ROWS, feature_count)), 3).astype(np.float32).astype(float)
    level = sum(columns[:, at] * columns[:, at - 1] - 0.5 * columns[:, at] for at in range(0, feature_count, 2))
    level = level + rng.normal(size=TRAINING_ROWS)
    columns[rng.random(columns.shape) < missing] = math.nan
    level = level + 0.7 * np.isnan(columns).sum(axis=1)
    return columns, (level > 0).astype(float) if is_binary else level


def train(name, columns, label, trees, parameters):
    """The model as it comes back from its file, and its margins."""
    if name.startswith("lightgbm"):
        path = HERE / f"{name}.txt"
        lgb.train(parameters, lgb.Dataset(columns, label), trees).save_model(path)
        booster = lgb.Booster(model_file=path)
        return booster, lambda rows: booster.predict(rows, raw_score=True)
    path = HERE / f"{name}.json"
    xgb.train(parameters, xgb.DMatrix(columns, label), trees).save_model(path)
    booster = xgb.Booster(model_file=path)
    return booster, lambda rows: booster.predict(xgb.DMatrix(rows), output_margin=True)


def write_table(path, header, rows):
    with open(path, "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(header)
        out.writerows(rows)


def cells(row):
    """The shortest texts that read back to the same single-precision numbers, or nothing where one is missing."""
    return ["" if math.isnan(value) else str(np.float32(value)) for value in row]


def write(name, feature_count, trees, reference_count, missing, parameters):
    rng = np.random.default_rng(sum(name.encode()))
    columns, label = training_data(rng, feature_count, missing, "binary" in parameters["objective"])
    booster, margins_of = train(name, columns, label, trees, parameters)
    chosen = rng.choice(TRAINING_ROWS, reference_count + PROBE_ROWS, replace=False)
    references, rows = columns[chosen[:reference_count]], columns[chosen[reference_count:]].copy()
    # Half of the rows mix two rows of the training data, so that not all lie where the model was trained.
    mixed = rng.random((PROBE_ROWS // 2, feature_count)) < 0.5
    rows[: PROBE_ROWS // 2][mixed] = columns[rng.choice(TRAINING_ROWS, PROBE_ROWS // 2)][mixed]
    population = shap.maskers.Independent(references, max_samples=reference_count)
    explainer = shap.TreeExplainer(booster, data=population, feature_perturbation="interventional", model_output="raw")
    values, margins = explainer.shap_values(rows), margins_of(rows)
    base = float(np.mean(margins_of(references), dtype=float))
    np.testing.assert_allclose(base, explainer.expected_value, rtol=1e-6, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(values.sum(axis=1) + base, margins, rtol=1e-5, atol=1e-5, err_msg=name)
    names = [f"f{feature}" for feature in range(feature_count)]
    write_table(HERE / f"{name}.references.csv", names, map(cells, references))
    header = [*names, "margin", *(f"contribution.{feature}" for feature in names), "base"]
    write_table(HERE / f"{name}.csv", header, (
        [*cells(row), repr(float(margin)), *(f"{value:.12g}" for value in values_of_row), repr(base)]
        for row, margin, values_of_row in zip(rows, margins, values)))


if __name__ == "__main__":
    for name, options in MODELS.items():
        write(name, *options)
