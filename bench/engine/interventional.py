"""Times shap's interventional explainer, which can only be called from Python.

    python interventional.py MODEL ROWS.f64 REFERENCES.f64 ROW_COUNT REFERENCE_COUNT REPETITIONS VALUES.f64

Explains the first rows against the first references. Writes the values [ROW_COUNT, features] and prints one line of
JSON: the thread CPU time of each repetition in microseconds per row and by how much the values fail to add up to the
model's margins, or {"refused": reason}.
"""

import json
import sys
import time

import numpy
import shap


def load(path: str):
    if path.endswith(".txt"):
        import lightgbm

        return lightgbm.Booster(model_file=path)
    import xgboost

    return xgboost.Booster(model_file=path)


def margins(booster, rows: numpy.ndarray) -> numpy.ndarray:
    if hasattr(booster, "inplace_predict"):
        return booster.inplace_predict(rows, predict_type="margin").astype(numpy.float64)
    return booster.predict(rows, raw_score=True)


def main(model, rows, references, row_count, reference_count, repetitions, values) -> dict:
    booster = load(model)
    features = booster.num_feature() if hasattr(booster, "num_feature") else booster.num_features()
    taken = numpy.fromfile(rows).reshape(-1, features)[: int(row_count)]
    population = numpy.fromfile(references).reshape(-1, features)[: int(reference_count)]
    masker = shap.maskers.Independent(population, max_samples=len(population))
    explainer = shap.TreeExplainer(booster, masker, feature_perturbation="interventional", model_output="raw")
    times = []
    for _ in range(int(repetitions)):
        start = time.thread_time_ns()
        found = explainer.shap_values(taken, check_additivity=False)
        times.append((time.thread_time_ns() - start) / 1e3 / len(taken))
    found = numpy.asarray(found, dtype="<f8")
    found.tofile(values)
    missed = numpy.abs(found.sum(axis=1) + margins(booster, population).mean() - margins(booster, taken)).max()
    return {"microseconds_per_row": times, "missed": float(missed)}


if __name__ == "__main__":
    try:
        outcome = main(*sys.argv[1:])
    except Exception as error:  # shap refuses some models; the reason belongs into the table.
        outcome = {"refused": f"{type(error).__name__}: {error}".splitlines()[0]}
    print(json.dumps(outcome))
