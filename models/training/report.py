"""Figures of a model on its held-out rows: the summary that training prints and the tables of MODEL_CARD.md."""

import math
from pathlib import Path

import lightgbm
import numpy
from sklearn.metrics import log_loss, roc_auc_score

from package import Dataset, ModelSpec

BEGIN = "<!-- figures: begin (written by the training script) -->"
END = "<!-- figures: end -->"
SMALLEST_GROUP = 30


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def outcome_row(name: str, outcomes: numpy.ndarray) -> list[str]:
    """Counts and shares of one set of rows."""
    shares = [f"{numpy.mean(outcomes == kind):.3f}" for kind in ("approve", "refer", "deny")]
    return [name, str(len(outcomes)), *shares]


def ratio(part: float, whole: float) -> str:
    """A ratio with three places, or a dash where the denominator is zero."""
    return f"{part / whole:.3f}" if whole > 0 else "-"


def group_tables(data: Dataset, rows: numpy.ndarray, outcomes: numpy.ndarray, probability: numpy.ndarray) -> str:
    """Per attribute and group: outcomes, approval ratio to the best-treated group, calibration and AUC."""
    header = ["group", "rows", "approve", "refer", "deny", "approval ratio", "label rate", "mean probability", "AUC"]
    parts = []
    label = data.label[rows]
    for column, attribute in enumerate(data.attributes):
        words = numpy.array([data.demographics[row][column] for row in rows])
        groups = sorted(word for word in set(words) if (words == word).sum() >= SMALLEST_GROUP)
        best = max(float(numpy.mean(outcomes[words == group] == "approve")) for group in groups)
        lines = []
        for group in groups:
            inside = words == group
            approved = float(numpy.mean(outcomes[inside] == "approve"))
            lines.append(
                [
                    *outcome_row(group, outcomes[inside]),
                    ratio(approved, best),
                    f"{label[inside].mean():.3f}",
                    f"{probability[inside].mean():.3f}",
                    f"{roc_auc_score(label[inside], probability[inside]):.3f}",
                ]
            )
        parts.append(f"By {attribute} (groups of {SMALLEST_GROUP} rows or more):\n\n{table(header, lines)}")
    return "\n\n".join(parts)


def calibration_table(label: numpy.ndarray, probability: numpy.ndarray) -> str:
    """Ten equally filled bins: mean probability against the rate observed."""
    order = numpy.argsort(probability, kind="stable")
    rows = []
    for part in numpy.array_split(order, 10):
        rows.append([str(len(part)), f"{probability[part].mean():.3f}", f"{label[part].mean():.3f}"])
    return table(["rows", "mean probability", "label rate"], rows)


def expected_calibration_error(label: numpy.ndarray, probability: numpy.ndarray) -> float:
    """Mean distance between probability and observed rate over ten equally filled bins."""
    order = numpy.argsort(probability, kind="stable")
    parts = numpy.array_split(order, 10)
    return sum(len(part) * abs(probability[part].mean() - label[part].mean()) for part in parts) / len(label)


def figures(spec: ModelSpec, data: Dataset, booster: lightgbm.Booster, facts: dict) -> str:
    """The figures section of a model card."""
    values = data.values[data.heldout]
    label = data.label[data.heldout]
    margins = booster.predict(values, raw_score=True)
    probability = booster.predict(values)
    unclamped = spec.score.unclamped(margins)
    scores = spec.score.scale(margins)
    outcomes = spec.outcomes(values, scores)
    overall = [
        ["AUC", f"{facts['auc']:.4f}"],
        ["Brier score", f"{facts['brier']:.4f}"],
        ["Brier score of the constant label rate", f"{float(label.mean() * (1 - label.mean())):.4f}"],
        ["Log loss", f"{log_loss(label, probability):.4f}"],
        ["Expected calibration error (10 bins)", f"{expected_calibration_error(label, probability):.4f}"],
        ["Label rate", f"{label.mean():.4f}"],
        ["Scores cut at an end of the scale", f"{numpy.mean(unclamped != scores):.4f}"],
        ["Score, lowest / median / highest", f"{scores.min():.0f} / {numpy.median(scores):.0f} / {scores.max():.0f}"],
        ["Trees / leaves", f"{booster.num_trees()} / {leaf_count(booster)}"],
    ]
    outcome_lines = []
    for kind in ("approve", "refer", "deny"):
        inside = outcomes == kind
        outcome_lines.append(
            [kind, str(inside.sum()), f"{inside.mean():.3f}", ratio(label[inside].sum(), inside.sum())]
        )
    knock_outs = spec.knock_out_mask(values)
    knock_lines = [
        [rule.id, f"{rule.feature} {rule.operator} {rule.value}", str(mask.sum()), ratio(label[mask].sum(), mask.sum())]
        for rule, mask in zip(spec.policy.knock_outs, knock_outs, strict=True)
    ]
    knock_lines.append(["any rule", "", str(knock_outs.any(axis=0).sum()), ""])
    return "\n\n".join(
        [
            f"All figures are computed on the {len(label)} held-out rows.",
            table(["measure", "value"], overall),
            "Outcomes under the cut-offs and knock-out rules of this package:",
            table(["outcome", "rows", "share", "label rate"], outcome_lines),
            table(["knock-out rule", "condition", "rows", "label rate"], knock_lines),
            "Calibration:",
            calibration_table(label, probability),
            group_tables(data, data.heldout, outcomes, probability),
        ]
    )


def leaf_count(booster: lightgbm.Booster) -> int:
    """Leaves of all trees together."""
    return sum(tree["num_leaves"] for tree in booster.dump_model()["tree_info"])


def update_model_card(path: Path, spec: ModelSpec, data: Dataset, booster: lightgbm.Booster, facts: dict) -> None:
    """Replaces the figures between the two marks; the rest of the card is written by hand."""
    card = path.read_text()
    before, rest = card.split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(f"{before}{BEGIN}\n\n{figures(spec, data, booster, facts)}\n\n{END}{after}")


def summary(spec: ModelSpec, data: Dataset, booster: lightgbm.Booster, facts: dict) -> str:
    """What the person who trains wants to see."""
    lines = [
        f"{spec.name}/{spec.version}: {booster.num_trees()} trees, {leaf_count(booster)} leaves",
        f"training rows {len(data.train)}, held out {len(data.heldout)}, reference rows {facts['reference_rows']}",
        f"held out: AUC {facts['auc']}, Brier {facts['brier']}",
    ]
    for name, rows in (("held out", data.heldout), ("demo", data.demo)):
        values = data.values[rows]
        margins = booster.predict(values, raw_score=True)
        scores = spec.score.scale(margins)
        outcomes = spec.outcomes(values, scores)
        shares = ", ".join(f"{kind} {numpy.mean(outcomes == kind):.4f}" for kind in ("approve", "refer", "deny"))
        knocked = spec.knock_out_mask(values)
        rules = ", ".join(f"{rule.id} {mask.sum()}" for rule, mask in zip(spec.policy.knock_outs, knocked, strict=True))
        clamped = numpy.mean(spec.score.unclamped(margins) != scores)
        quantiles = [int(score) for score in numpy.quantile(scores, [0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1])]
        approved = data.label[rows][outcomes == "approve"]
        approved_rate = approved.mean() if len(approved) else math.nan
        lines += [
            f"{name}: {len(rows)} rows; {shares}; label rate of the approved {approved_rate:.4f}",
            f"  knock-outs: {rules}; any {knocked.any(axis=0).sum()}; clamped {clamped:.4f}",
            f"  score quantiles 0/1/10/25/50/75/90/99/100 %: {quantiles}",
        ]
    return "\n".join(lines)
