"""Writes a scikit-learn logistic regression as logistic.toml and logistic.json, and its own answers as logistic.csv.

    pip install --no-deps -r requirements.txt      # Python 3.11
    python generate.py

Numbers are printed by repr: the shortest text that reads back to the same bits. scikit-learn refuses missing and
infinite values, so a missing value is given to it as the number that the file puts in its place.
"""

import csv
import json
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

HERE = Path(__file__).parent
NAMES = ["income", "utilisation", "inquiries", "months_at_address"]
MISSING = [None, 0.3, 1.0, None]
ROWS = 80

rng = np.random.default_rng(11)
columns = np.column_stack([rng.lognormal(10, 0.5, 2000), rng.beta(2, 4, 2000), rng.poisson(1.5, 2000),
                           rng.exponential(40, 2000)])
level = -columns[:, 0] / 2e4 + 3 * columns[:, 1] + 0.4 * columns[:, 2] - columns[:, 3] / 90
label = rng.random(2000) < 1 / (1 + np.exp(-level))
scale = columns.std(axis=0)
model = LogisticRegression(C=10.0).fit(columns / scale, label)
# The file holds weights of the raw numbers; the answers below are of a model that was given exactly those.
model.coef_ = model.coef_ / scale
weights, intercept = [float(weight) for weight in model.coef_[0]], float(model.intercept_[0])

features = [{"name": name, "weight": weight} | ({} if missing is None else {"missing": missing})
            for name, weight, missing in zip(NAMES, weights, MISSING)]
document = {"kind": "linear", "link": "logistic", "intercept": intercept, "features": features}
(HERE / "logistic.json").write_text(json.dumps(document, indent=2) + "\n")
lines = ["# A logistic regression of scikit-learn.", 'kind = "linear"', 'link = "logistic"', f"intercept = {intercept!r}"]
for feature in features:
    lines += ["", "[[features]]"] + [f"{key} = {json.dumps(value)}" for key, value in feature.items()]
(HERE / "logistic.toml").write_text("\n".join(lines) + "\n")

rows = columns[:ROWS].copy()
rows[:4] = [[0.0, -0.0, 0.0, 0.0], [1e300, 0.5, 1, 1], [5e-324, -5e-324, 1e-310, 1.0], [-1e5, -2.0, 40.0, 1e6]]
with (HERE / "logistic.csv").open("w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(NAMES + ["margin", "output"])
    for number, row in enumerate(rows):
        cells = [repr(float(value)) for value in row]
        if number % 5 == 4:
            column = 1 + number % 2
            row[column], cells[column] = MISSING[column], ""
        margin = float(model.decision_function([row])[0])
        writer.writerow(cells + [repr(margin), repr(float(model.predict_proba([row])[0, 1]))])
