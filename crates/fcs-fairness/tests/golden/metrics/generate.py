"""Every metric of every group by the libraries that practice uses, for comparison with this crate.

    python generate.py
        reads the tables of rows.py beside this file and writes golden.json.

Values come from fairlearn, aif360, scikit-learn, scipy and statsmodels wherever one of them has the
metric, and from plain numpy over single rows where none has. Where two have it they must agree, or the
script stops. Fisher's p-value is summed in exact fractions: scipy's own, within 1e-9 of it, loses
digits in logarithms of factorials. Versions are pinned in requirements.txt.

A metric is a list: name, population, share asked for, value, lower, upper, p-value, and the reason if
it is undefined.
"""

import importlib.metadata
import itertools
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import pairs
import singles

HERE = Path(__file__).resolve().parent
PACKAGES = ["aif360", "fairlearn", "numpy", "pandas", "scikit-learn", "scipy", "statsmodels"]
QUANTILES = [0.1, 0.25, 0.5, 0.75]

SHEETS = [
    ("boston", ["race"], None, ["white"], 0.95),
    ("boston", ["marital_status"], None, ["not single"], 0.8),
    ("boston", ["race", "marital_status"], None, ["white", "not single"], 0.95),
    ("boston", ["race"], "credit score 1", ["white"], 0.95),
    ("german", ["sex"], None, ["male"], 0.95),
    ("german", ["sex", "age_band"], None, ["male", "25-59"], 0.95),
    ("german", ["age_band"], "new car", ["25-59"], 0.95),
    ("taiwan", ["sex"], None, ["male"], 0.95),
    ("taiwan", ["education"], None, ["university"], 0.99),
    ("taiwan", ["sex", "education"], None, ["male", "university"], 0.95),
    ("taiwan", ["sex"], "married", ["male"], 0.95),
    ("seeded", ["letter"], None, ["a"], 0.95),
    ("seeded", ["letter"], None, ["c"], 0.95),
    ("seeded", ["letter", "side"], "x", ["a", "left"], 0.95),
]
MINIMUM = 30


def read(name):
    rows = pd.read_csv(HERE / f"{name}.csv", keep_default_na=False)
    rows = rows.loc[rows.index.repeat(rows["count"])].reset_index(drop=True)
    rows["score"] = pd.to_numeric(rows.score.replace("", np.nan))
    rows["approved"] = (rows.decision == "approve").astype(int)
    rows["known"] = rows.outcome != ""
    rows["repaid"] = (rows.outcome == "repaid").astype(int)
    return rows


def overall(shown, everyone, confidence):
    """The extremes of all shown groups, and inequality among everybody."""
    metrics = pairs.extremes(shown, confidence)
    metrics += singles.inequality(everyone, confidence)
    return metrics


def sheet(name, attributes, stratum, reference, confidence):
    rows = read(name)
    combinations = itertools.product(*[sorted(set(rows[column])) for column in attributes])
    if stratum is not None:
        rows = rows[rows.stratum == stratum]
    rows = rows.assign(group=list(zip(*[rows[column] for column in attributes])))
    reference_rows = rows[rows.group == tuple(reference)]
    groups, shown = [], []
    for group in combinations:
        own = rows[rows.group == group]
        if len(own) < MINIMUM:
            groups.append({"group": list(group), "suppressed": len(own)})
            continue
        shown.append(own)
        metrics = singles.metrics(own, confidence)
        if list(group) != reference:
            metrics += pairs.metrics(own, reference_rows, confidence)
            metrics += [
                pairs.at_quantile(share, own, reference_rows, rows, confidence)
                for share in QUANTILES
            ]
            metrics.append(pairs.conditional_disparity(own, rows, confidence))
        groups.append({"group": list(group), "count": len(own), "metrics": metrics})
    return {
        "table": name,
        "attributes": attributes,
        "stratum": stratum,
        "reference": reference,
        "confidence": confidence,
        "groups": groups,
        "overall": overall(shown, rows, confidence),
    }


def main():
    warnings.simplefilter("ignore")
    golden = {
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "minimum_cell_size": MINIMUM,
        "quantiles": QUANTILES,
        "sheets": [sheet(*arguments) for arguments in SHEETS],
    }
    text = json.dumps(golden, allow_nan=False, separators=(",", ":"))
    # One metric per line, so that a change can be read.
    text = text.replace('["', '\n["').replace('{"group"', '\n{"group"')
    (HERE / "golden.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
