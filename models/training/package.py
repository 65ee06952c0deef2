"""What a model package is, in Python, and how its files are written.

The training scripts describe a model with the classes below and call `build.build_package`.
Every file is written the same way on every run: numbers as their shortest round-trip text, rows in a
seeded order, gzip without a time stamp. A second run therefore changes no byte and the signature stays valid.
"""

import csv
import gzip
import hashlib
import io
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy


@dataclass(frozen=True)
class Feature:
    """One column of the model, in the order of the model file."""

    name: str
    description: str
    reason: str
    kind: str = "number"  # number | integer | category
    unit: str = ""
    minimum: float | None = None  # inclusive; none for a category
    maximum: float | None = None
    missing: str = "refuse"  # refuse | allow
    direction: str = "none"  # how risk moves with the value: increasing | decreasing | none
    categories: tuple[str, ...] = ()  # names; the code of a category is its place, counted from 1

    def code_of(self, category: str) -> int:
        """The number that the model sees for a category name."""
        return self.categories.index(category) + 1

    def name_of(self, code: float) -> str:
        """The category name behind the number that the model sees."""
        return self.categories[int(code) - 1]


@dataclass(frozen=True)
class Reason:
    """A principal reason that an applicant may be told (12 CFR 1002.9(b)(2))."""

    code: str
    regb_ref: str
    hmda_code: int
    text: str


@dataclass(frozen=True)
class KnockOut:
    """A rule that denies before the score is looked at."""

    id: str
    feature: str
    operator: str  # at_least | at_most | equals
    value: float | int | str
    reason: str


@dataclass(frozen=True)
class Score:
    """The scale: `base_score` at good:bad odds of `base_odds`, doubling every `points_to_double_odds`."""

    base_score: int
    base_odds: float
    points_to_double_odds: int
    minimum: int = 300
    maximum: int = 850

    def unclamped(self, margins: numpy.ndarray) -> numpy.ndarray:
        """Scores before they are cut to the scale; halves round away from zero, as in the scoring core."""
        factor = self.points_to_double_odds / math.log(2.0)
        exact = self.base_score - factor * (margins + math.log(self.base_odds))
        return numpy.sign(exact) * numpy.floor(numpy.abs(exact) + 0.5)

    def scale(self, margins: numpy.ndarray) -> numpy.ndarray:
        """Scores of margins (log-odds of the adverse outcome)."""
        return numpy.clip(self.unclamped(margins), self.minimum, self.maximum)


@dataclass(frozen=True)
class Policy:
    """Cut-offs and knock-out rules."""

    approve_at_least: int
    refer_at_least: int
    knock_outs: tuple[KnockOut, ...]


@dataclass(frozen=True)
class Reference:
    """The reference population: passing training rows at or slightly above the minimum passing score."""

    id: str
    description: str
    width: int  # in score points
    rows_at_most: int = 500


@dataclass(frozen=True)
class ModelSpec:
    """Everything of model.toml that is chosen and not computed."""

    name: str
    version: str
    title: str
    created: str
    adverse_outcome: str
    features: tuple[Feature, ...]
    reasons: tuple[Reason, ...]
    score: Score
    policy: Policy
    reference: Reference
    parameters: dict
    rounds: int

    def names(self) -> list[str]:
        """Feature names in model order."""
        return [feature.name for feature in self.features]

    def knock_out_mask(self, values: numpy.ndarray) -> numpy.ndarray:
        """Which rows each knock-out rule matches: shape (rules, rows). A missing value never matches."""
        compare = {"at_least": numpy.greater_equal, "at_most": numpy.less_equal, "equals": numpy.equal}
        masks = []
        for rule in self.policy.knock_outs:
            column = self.names().index(rule.feature)
            value = self.features[column].code_of(rule.value) if isinstance(rule.value, str) else rule.value
            masks.append(compare[rule.operator](values[:, column], value))
        return numpy.array(masks)

    def outcomes(self, values: numpy.ndarray, scores: numpy.ndarray) -> numpy.ndarray:
        """approve, refer or deny for each row."""
        at_or_above_refer = numpy.where(scores >= self.policy.refer_at_least, "refer", "deny")
        by_score = numpy.where(scores >= self.policy.approve_at_least, "approve", at_or_above_refer)
        return numpy.where(self.knock_out_mask(values).any(axis=0), "deny", by_score)


@dataclass
class Dataset:
    """Rows of a data set after recoding; `values` has one column per feature, a category as its code."""

    application_ids: list[str]
    values: numpy.ndarray  # as recorded
    label: numpy.ndarray  # 1 = the adverse outcome
    train: numpy.ndarray  # row numbers, in seeded order
    heldout: numpy.ndarray
    demo: numpy.ndarray  # rows that become the applications of the demo
    attributes: list[str]
    demographics: list[list[str]]  # one word per attribute and row
    training_values: numpy.ndarray  # rows of `train` as the trainer sees them (some values may be masked)
    outcomes: list[list[str]] = field(default_factory=list)  # event_id, application_id, outcome, occurred_at


def number_text(value: float) -> str:
    """The shortest text that reads back as the same number; whole numbers without a point; missing is empty."""
    if math.isnan(value):
        return ""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return repr(float(value))


def csv_text(header: list[str], rows: list[list[str]]) -> bytes:
    """A comma-separated file with line feeds."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue().encode()


def write_gzip(path: Path, content: bytes) -> None:
    """Compresses without a time stamp or a file name, so that equal content gives equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, compresslevel=9, mtime=0))


def sha256(content: bytes) -> str:
    """Lower-case hexadecimal SHA-256."""
    return hashlib.sha256(content).hexdigest()


def coded_rows(values: numpy.ndarray) -> list[list[str]]:
    """Rows as the model sees them: category codes, empty where missing."""
    return [[number_text(value) for value in row] for row in values]


def named_rows(spec: ModelSpec, values: numpy.ndarray) -> list[list[str]]:
    """Rows as an applicant's system sends them: category names, empty where missing."""
    return [
        [
            "" if math.isnan(value) else feature.name_of(value) if feature.categories else number_text(value)
            for feature, value in zip(spec.features, row, strict=True)
        ]
        for row in values
    ]


def toml_value(value: object) -> str:
    """One TOML value; JSON strings, numbers and arrays of them are TOML too."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def toml_table(heading: str, entries: dict) -> str:
    """One table; entries that are None are left out."""
    lines = [heading] if heading else []
    lines += [f"{key} = {toml_value(value)}" for key, value in entries.items() if value is not None]
    return "\n".join(lines) + "\n"
