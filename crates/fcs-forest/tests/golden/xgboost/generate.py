"""Writes the golden models of this folder, by XGBoost itself: NAME.json, NAME.ubj, and NAME.csv with rows, margins and
outputs, leaf numbers (`pred_leaf`) and contributions (`pred_contribs`).

    python generate.py      # Python 3.11, once with each of requirements-1.7.6.txt, -2.1.4.txt and -3.2.0.txt

Each version trains and predicts its own models; see MODELS. Everything is seeded and runs on one thread. Rows, margins
and outputs are printed by repr, leaf numbers as integers, contributions as the shortest text that reads back to the
same single-precision number.

XGBoost's DMatrix refuses rows with infinities and numbers past single precision, Booster.inplace_predict takes them:
such rows have margins and outputs by the latter, and no leaf numbers and contributions. For all other rows this script
checks that both ways give the same bits. For dart they do not (inplace_predict adds the base margin to each tree and
subtracts it again), so there the margin of such a row is the one of the row with the largest finite number instead:
all thresholds are smaller. inplace_predict does not know gblinear, which has no leaves either: its rows have no such
numbers, and its tables no columns of leaves.
"""

import csv
import math
from pathlib import Path

import numpy as np
import xgboost as xgb

HERE = Path(__file__).parent
PROBE_ROWS = 70
TRAINING_ROWS = 800
CATEGORY = 2  # the column that is categorical in the models that have one
NAMES = ["first", "second", "third"]

BASE = {"verbosity": 0, "nthread": 1, "seed": 7, "max_depth": 3, "eta": 0.3, "tree_method": "hist"}

SPECIALS = [math.nan, 0.0, -0.0, 1e-40, -1e-40, 1.4e-45, 1e-46, 1e-320, -1e-320, 3.4028234e38, -3.4028234e38, 3.5e38,
            1e300, -1e300, math.inf, -math.inf]
CATEGORY_SPECIALS = [math.nan, -0.0, -1e-320, -1e-9, -0.5, -1.0, -7.0, 0.5, 1.999, 0.9999999999, 31.0, 32.0, 33.7, 64.0,
                     500.0, 16777215.0, 16777216.0, 2147483648.0, 4294967296.0, 1e300, math.inf, -math.inf]


def training_data(rng, categories, kind):
    """Three columns whose effects overlap, with missing values, and a label fit for the objective."""
    columns = rng.normal(size=(TRAINING_ROWS, 3))
    if categories:
        columns[:, CATEGORY] = rng.integers(0, categories, TRAINING_ROWS)
    columns[rng.random((TRAINING_ROWS, 3)) < 0.12] = np.nan
    level = np.nan_to_num(columns[:, 0], nan=1.2) - np.abs(np.nan_to_num(columns[:, 1], nan=-0.7))
    if categories:
        level = level + rng.normal(size=categories + 1)[np.nan_to_num(columns[:, CATEGORY], nan=categories).astype(int)]
    else:
        level = level * np.where(np.nan_to_num(columns[:, 2], nan=0.5) > 0.3, 1.5, -0.5)
    noisy = level + 0.5 * rng.normal(size=TRAINING_ROWS)
    label = {"binary": lambda: (noisy > 0).astype(float), "share": lambda: 1 / (1 + np.exp(-noisy)),
             "count": lambda: rng.poisson(np.exp(0.5 * level)).astype(float),
             "amount": lambda: np.exp(0.5 * noisy), "real": lambda: noisy}[kind]()
    return columns, label


def probe_rows(rng, columns, booster, categories):
    """Rows near everything that decides: training values, thresholds and their neighbours, zeros, missing, extremes."""
    thresholds = [[] for _ in NAMES]
    for line in "\n".join(booster.get_dump()).splitlines():
        if "<" in line:
            name, threshold = line.split("[")[1].split("]")[0].split("<")
            thresholds[int(name[1:]) if name not in NAMES else NAMES.index(name)].append(np.float32(threshold))
    rows = np.empty((PROBE_ROWS, 3))
    for row in rows:
        for column in range(3):
            kind = rng.random()
            if kind < 0.4:
                row[column] = columns[rng.integers(TRAINING_ROWS), column]
            elif categories and column == CATEGORY:
                row[column] = rng.choice(CATEGORY_SPECIALS) if kind < 0.8 else rng.integers(0, 2 * categories)
            elif kind < 0.8 and thresholds[column]:
                row[column] = near(rng, rng.choice(thresholds[column]))
            else:
                row[column] = rng.choice(SPECIALS)
    return rows


def near(rng, threshold):
    """A threshold, its neighbours in single precision, or a double that rounds to one of them."""
    up, down = (np.nextafter(threshold, np.float32(way)) for way in (math.inf, -math.inf))
    middle = (float(down) + float(threshold)) / 2
    return rng.choice([float(threshold), float(up), float(down), np.nextafter(float(threshold), -math.inf), middle,
                       np.nextafter(middle, -math.inf), np.nextafter(middle, math.inf)])


def model(objective, kind, trees=5, categories=0, named=False, rounds_without=None, **parameters):
    return {"objective": objective, "kind": kind, "trees": trees, "categories": categories, "named": named,
            "rounds_without": rounds_without, "parameters": parameters}


PARTITION = {"categories": 40, "max_cat_to_onehot": 1}
DART = {"booster": "dart", "rate_drop": 0.5, "trees": 8}
LINEAR = {"booster": "gblinear", "trees": 20}

MODELS = {
    "1.7.6": {
        "v1_logistic": model("binary:logistic", "binary", named=True),
        "v1_base_score": model("binary:logistic", "binary", base_score=0.3),
        "v1_pruned": model("binary:logistic", "binary", tree_method="exact", max_depth=5, gamma=2.0, trees=3),
        "v1_partition": model("binary:logistic", "binary", **PARTITION),
        "v1_one_hot": model("binary:logistic", "binary", categories=5, max_cat_to_onehot=10),
        "v1_dart": model("binary:logistic", "binary", **DART),
        "v1_logitraw": model("binary:logitraw", "binary"),
        "v1_poisson": model("count:poisson", "count"),
        "v1_early_stopping": model("reg:squarederror", "real", trees=30, rounds_without=2, eta=0.9),
        "v1_gblinear": model("binary:logistic", "binary", **LINEAR, named=True),
        "v1_gblinear_tweedie": model("reg:tweedie", "amount", **LINEAR, base_score=1.5),
    },
    "2.1.4": {
        "v2_logistic": model("binary:logistic", "binary", named=True),
        "v2_logitraw": model("binary:logitraw", "binary", base_score=0.2),
        "v2_gamma": model("reg:gamma", "amount"),
        "v2_tweedie": model("reg:tweedie", "amount", tweedie_variance_power=1.3),
        "v2_absoluteerror": model("reg:absoluteerror", "real"),
        "v2_partition": model("reg:squarederror", "real", **PARTITION),
        "v2_dart": model("reg:squarederror", "real", **DART, normalize_type="forest"),
        "v2_parallel": model("binary:logistic", "binary", trees=3, num_parallel_tree=3, subsample=0.6),
        "v2_pruned": model("reg:squarederror", "real", tree_method="exact", max_depth=5, gamma=8.0, trees=3),
        "v2_gblinear": model("reg:squarederror", "real", **LINEAR, updater="coord_descent"),
        "v2_gblinear_sparse": model("binary:logistic", "binary", **LINEAR, reg_alpha=0.1, base_score=0.3),
    },
    "3.2.0": {
        "v3_logistic": model("binary:logistic", "binary", named=True, trees=12),
        "v3_extreme_base_score": model("binary:logistic", "binary", base_score=1e-7, min_child_weight=0.0),
        "v3_logitraw": model("binary:logitraw", "binary"),
        "v3_reg_logistic": model("reg:logistic", "share"),
        "v3_poisson": model("count:poisson", "count"),
        "v3_gamma": model("reg:gamma", "amount", base_score=0.7),
        "v3_tweedie": model("reg:tweedie", "amount"),
        "v3_squarederror": model("reg:squarederror", "real", trees=20),
        "v3_absoluteerror": model("reg:absoluteerror", "real"),
        "v3_pseudohubererror": model("reg:pseudohubererror", "real"),
        "v3_squaredlogerror": model("reg:squaredlogerror", "amount"),
        "v3_partition": model("binary:logistic", "binary", **PARTITION, named=True),
        "v3_many_categories": model("binary:logistic", "binary", categories=200, max_cat_to_onehot=1, trees=3),
        "v3_one_hot": model("binary:logistic", "binary", categories=6, max_cat_to_onehot=10),
        "v3_category_names": model("binary:logistic", "binary", categories=12, max_cat_to_onehot=4, named=True),
        "v3_dart": model("binary:logistic", "binary", **DART),
        "v3_parallel": model("reg:squarederror", "real", trees=2, num_parallel_tree=4, subsample=0.6),
        "v3_pruned": model("reg:squarederror", "real", tree_method="exact", max_depth=5, gamma=8.0, trees=3),
        "v3_constant": model("binary:logistic", "binary", min_child_weight=1e6, trees=3),
        "v3_no_trees": model("binary:logistic", "binary", base_score=0.8, trees=0),
        "v3_early_stopping": model("binary:logistic", "binary", trees=30, rounds_without=2, eta=0.9),
        "v3_gblinear": model("binary:logistic", "binary", **LINEAR, named=True),
        "v3_gblinear_poisson": model("count:poisson", "count", **LINEAR, updater="coord_descent"),
        "v3_gblinear_sparse": model("reg:squarederror", "real", **LINEAR, reg_alpha=0.3, base_score=-0.7),
    },
}


def is_linear(options):
    return options["parameters"].get("booster") == "gblinear"


def train(rng, name, options):
    """A booster as it comes back from its file, and what it was trained on."""
    columns, label = training_data(rng, options["categories"], options["kind"])
    types = ["q", "q", "c" if options["categories"] else "q"]
    names = NAMES if options["named"] else None

    def matrix(rows, label=None):
        return xgb.DMatrix(rows, label, feature_names=names, feature_types=types, enable_categorical=True)

    if name == "v3_category_names":
        import pandas as pd
        frame = pd.DataFrame(columns, columns=NAMES)
        codes = frame["third"].fillna(-1).astype(int)
        frame["third"] = pd.Categorical.from_codes(codes, [f"branch {code}" for code in range(options["categories"])])
        data = xgb.DMatrix(frame, label, enable_categorical=True)
    else:
        data = matrix(columns, label)
    parameters = BASE | options["parameters"] | {"objective": options["objective"]}
    if is_linear(options):
        # Parameters of trees, which it warns about.
        parameters = {name: value for name, value in parameters.items() if name not in ("max_depth", "tree_method")}
    held_out = matrix(*training_data(rng, options["categories"], options["kind"]))
    stopping = {"evals": [(held_out, "held_out")], "verbose_eval": False,
                "early_stopping_rounds": options["rounds_without"]} if options["rounds_without"] else {}
    booster = xgb.train(parameters, data, num_boost_round=options["trees"], **stopping)
    for suffix in ("json", "ubj"):
        booster.save_model(HERE / f"{name}.{suffix}")
    booster = xgb.Booster({"nthread": 1}, model_file=str(HERE / f"{name}.json"))
    return booster, columns, matrix


def write(name, options):
    rng = np.random.default_rng(sum(name.encode()))
    booster, columns, matrix = train(rng, name, options)
    rows = probe_rows(rng, columns, booster, options["categories"])
    if is_linear(options):
        rows = np.clip(rows, -1e37, 1e37)
    with np.errstate(over="ignore"):
        usual = ~np.isinf(rows.astype(np.float32)).any(axis=1)
    data = matrix(rows[usual])
    answers = {"margin": booster.predict(data, output_margin=True), "value": booster.predict(data)}
    for kind, by_matrix in answers.items():
        if is_linear(options):
            continue
        if options["parameters"].get("booster") == "dart":
            largest = np.finfo(np.float32).max
            everything = booster.predict(matrix(np.clip(rows, -largest, largest)), output_margin=kind == "margin")
        else:
            everything = booster.inplace_predict(rows, predict_type=kind, validate_features=False)
        assert everything[usual].tobytes() == by_matrix.tobytes(), f"{name}: inplace_predict differs from predict"
        answers[kind] = everything
    tree_count = 0 if is_linear(options) else len(booster.get_dump())
    leaves = np.zeros((len(rows), 0)) if tree_count == 0 else booster.predict(data, pred_leaf=True).reshape(usual.sum(), -1)[:, :tree_count].astype(int)
    contributions = booster.predict(data, pred_contribs=True)
    names = booster.feature_names or ["f0", "f1", "f2"]
    with open(HERE / f"{name}.csv", "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(names + ["margin", "output"] + [f"leaf.{tree}" for tree in range(tree_count)]
                     + [f"contribution.{feature}" for feature in names] + ["base"])
        position = 0
        for row, margin, output, is_usual in zip(rows, answers["margin"], answers["value"], usual):
            line = ["" if math.isnan(value) else repr(float(value)) for value in row]
            line += [repr(float(margin)), repr(float(output))]
            if is_usual:
                line += list(leaves[position]) + [str(np.float32(value)) for value in contributions[position]]
                position += 1
            else:
                line += [""] * (tree_count + len(names) + 1)
            out.writerow(line)


if __name__ == "__main__":
    for name, options in MODELS[xgb.__version__].items():
        write(name, options)
