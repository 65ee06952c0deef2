"""Trains the models that the engine is measured on, and writes their rows.

    python models.py FOLDER SHAPE...

Writes FOLDER/rows.f64 (test rows) and FOLDER/references.f64 (reference population, which are the training rows), and per
shape FOLDER/SHAPE/{model.txt|model.json, margins.f64}. A shape that is there already is not trained again. All
numbers are little-endian 64-bit floats, row by row; NaN is missing.

Rows are synthetic with a fixed seed. They resemble credit applications in what matters to an engine: skewed amounts,
counts, shares, nominal columns of up to 120 levels, 4-5 % of values missing at random, and a block of columns that is
missing together when an applicant has no history.
"""

import json
import pathlib
import sys

import lightgbm
import numpy
import xgboost

SEED = 20_260_801
TRAINING_ROWS = 100_000
TEST_ROWS = 4_096
NUMERIC = 23
LEVELS = [3, 5, 8, 12, 24, 60, 120]
FEATURES = NUMERIC + len(LEVELS)
CATEGORICAL = list(range(NUMERIC, FEATURES))
# Columns that are missing together when an applicant has no credit history.
HISTORY = [5, 6, 7, 8, 15, 16]

# Per shape: library, trees, and what the library is told of a tree's size. Trees beyond the first shapes' numbers
# belong to the growth series.
SHAPES = {
    "300x31": ("lightgbm", 300, {"num_leaves": 31}, CATEGORICAL),
    "300x31_num": ("lightgbm", 300, {"num_leaves": 31}, []),
    "1000x63": ("lightgbm", 1000, {"num_leaves": 63}, CATEGORICAL),
    "xgb_500xd6": ("xgboost", 500, {"max_depth": 6}, []),
    "trees_100": ("lightgbm", 100, {"num_leaves": 31}, CATEGORICAL),
    "trees_1000": ("lightgbm", 1000, {"num_leaves": 31}, CATEGORICAL),
    "depth_4": ("lightgbm", 100, {"num_leaves": 16, "max_depth": 4}, CATEGORICAL),
    "depth_6": ("lightgbm", 100, {"num_leaves": 64, "max_depth": 6}, CATEGORICAL),
    "depth_8": ("lightgbm", 100, {"num_leaves": 256, "max_depth": 8}, CATEGORICAL),
    "depth_10": ("lightgbm", 100, {"num_leaves": 1024, "max_depth": 10}, CATEGORICAL),
}


def applications(random: numpy.random.Generator, count: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Rows [count, FEATURES] and whether each defaulted [count]."""
    rows = numpy.empty((count, FEATURES))
    hidden = random.normal(size=(count, 4))
    for column in range(NUMERIC):
        signal = hidden @ random.normal(size=4) * 0.5 + random.normal(size=count)
        match column % 4:
            case 0:
                rows[:, column] = numpy.exp(signal * 0.8 + 8.0)
            case 1:
                rows[:, column] = random.poisson(numpy.exp(signal * 0.5 + 0.7))
            case 2:
                rows[:, column] = 1.0 / (1.0 + numpy.exp(-signal))
            case _:
                rows[:, column] = numpy.round(signal * 12.0 + 40.0, 1)
    risk = hidden @ numpy.array([0.9, -0.6, 0.5, 0.3])
    for column, levels in zip(CATEGORICAL, LEVELS, strict=True):
        # Frequencies fall off as those of occupations and regions do.
        frequency = 1.0 / numpy.arange(1, levels + 1) ** 0.8
        level = random.choice(levels, size=count, p=frequency / frequency.sum())
        rows[:, column] = level
        effect = random.normal(size=levels) * 0.35
        slope = random.normal(size=levels) * 0.1
        risk += effect[level] + slope[level] * hidden[:, column % 4]
    share, count_column, score = rows[:, 2], rows[:, 1], rows[:, 3]
    risk += numpy.where(share > 0.7, 1.2, 0.0) * (count_column > 2) + 0.02 * (40.0 - score)
    risk += 0.8 * numpy.sin(numpy.log(rows[:, 0]) * 3.0) * (rows[:, 10] > 0.4)
    defaulted = random.random(count) < 1.0 / (1.0 + numpy.exp(1.5 - risk))
    rows[random.random(rows.shape) < 0.045] = numpy.nan
    rows[numpy.ix_(random.random(count) < 0.12, HISTORY)] = numpy.nan
    return rows, defaulted.astype(numpy.float64)


def train_lightgbm(folder, trees, size, categorical, training, defaulted, test) -> numpy.ndarray:
    parameters = {
        "objective": "binary",
        "learning_rate": 0.05,
        "min_data_in_leaf": 40,
        "deterministic": True,
        "force_row_wise": True,
        "seed": SEED,
        "verbosity": -1,
        **size,
    }
    data = lightgbm.Dataset(training, defaulted, categorical_feature=categorical)
    booster = lightgbm.train(parameters, data, trees)
    booster.save_model(folder / "model.txt")
    return booster.predict(test, raw_score=True)


def train_xgboost(folder, trees, size, categorical, training, defaulted, test) -> numpy.ndarray:
    assert not categorical, "the XGBoost shapes have numeric columns only"
    parameters = {
        "objective": "binary:logistic",
        "learning_rate": 0.05,
        "tree_method": "hist",
        "seed": SEED,
        **size,
    }
    # Names of this form are what the converter to ONNX asks for.
    names = [f"f{index}" for index in range(FEATURES)]
    data = xgboost.DMatrix(training, defaulted, feature_names=names)
    booster = xgboost.train(parameters, data, trees)
    booster.save_model(folder / "model.json")
    return booster.predict(xgboost.DMatrix(test, feature_names=names), output_margin=True)


def write(path: pathlib.Path, numbers: numpy.ndarray) -> None:
    path.write_bytes(numpy.ascontiguousarray(numbers, dtype="<f8").tobytes())


def main(folder: pathlib.Path, shapes: list[str]) -> None:
    random = numpy.random.default_rng(SEED)
    rows, defaulted = applications(random, TRAINING_ROWS + TEST_ROWS)
    training, test = rows[:TRAINING_ROWS], rows[TRAINING_ROWS:]
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "rows.f64", test)
    write(folder / "references.f64", training)
    for shape in shapes:
        library, trees, size, categorical = SHAPES[shape]
        target = folder / shape
        if (target / "margins.f64").exists():
            continue
        print(f"training {shape}", file=sys.stderr, flush=True)
        target.mkdir(exist_ok=True)
        train = {"lightgbm": train_lightgbm, "xgboost": train_xgboost}[library]
        margins = train(target, trees, size, categorical, training, defaulted[:TRAINING_ROWS], test)
        (target / "shape.json").write_text(json.dumps({"library": library, "features": FEATURES, "trees": trees, "categorical": categorical, **size}))
        write(target / "margins.f64", margins)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:] or list(SHAPES))
