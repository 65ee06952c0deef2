"""Trains a model and writes its package: one call for both training scripts."""

import argparse
import math
import tomllib
from pathlib import Path

import lightgbm
import numpy
from sklearn.metrics import brier_score_loss, roc_auc_score

import report
from package import (
    Dataset,
    Feature,
    ModelSpec,
    coded_rows,
    csv_text,
    named_rows,
    sha256,
    toml_table,
    write_gzip,
)

DETERMINISM = {
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "seed": 20261122,
    "verbosity": -1,
}
"""The same seed, one thread and one histogram order: equal bytes on every run of the pinned versions."""

DIRECTION_SIGN = {"increasing": 1, "decreasing": -1, "none": 0}


def train(spec: ModelSpec, data: Dataset) -> lightgbm.Booster:
    """Fits the model on the training rows."""
    signs = [DIRECTION_SIGN[feature.direction] for feature in spec.features]
    parameters = {
        "objective": "binary",
        "monotone_constraints": signs,
        "monotone_constraints_method": "intermediate",
        **spec.parameters,
        **DETERMINISM,
    }
    rows = lightgbm.Dataset(
        data.training_values,
        label=data.label[data.train],
        feature_name=spec.names(),
        categorical_feature=[feature.name for feature in spec.features if feature.categories],
    )
    return lightgbm.train(parameters, rows, num_boost_round=spec.rounds)


def reference_rows(spec: ModelSpec, data: Dataset, booster: lightgbm.Booster) -> numpy.ndarray:
    """Passing training rows at or slightly above the cut-off, in seeded order (comment 9(b)(2)-5 to 12 CFR 1002.9)."""
    values = data.values[data.train]
    scores = spec.score.scale(booster.predict(values, raw_score=True))
    first = spec.policy.approve_at_least
    near = (scores >= first) & (scores < first + spec.reference.width)
    passing = near & ~spec.knock_out_mask(values).any(axis=0)
    return values[passing][: spec.reference.rows_at_most]


def thresholds_of(booster: lightgbm.Booster) -> dict[str, list[float]]:
    """The numeric split points of each feature, ascending."""
    names = booster.feature_name()
    found: dict[str, set[float]] = {}
    pending = [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]
    while pending:
        node = pending.pop()
        if "split_index" not in node:
            continue
        if node["decision_type"] == "<=":
            found.setdefault(names[node["split_feature"]], set()).add(float(node["threshold"]))
        pending += [node["left_child"], node["right_child"]]
    return {name: sorted(thresholds) for name, thresholds in found.items()}


def golden_rows(spec: ModelSpec, data: Dataset, booster: lightgbm.Booster) -> numpy.ndarray:
    """Held-out rows, knocked-out rows, both ends of every range, split points hit exactly, and missing values."""
    heldout = data.values[data.heldout]
    knocked_out = spec.knock_out_mask(heldout)
    rows = list(heldout[:64])
    for mask in knocked_out:
        rows += list(heldout[mask][:8])
    lowest = [1.0 if feature.categories else feature.minimum for feature in spec.features]
    highest = [len(feature.categories) if feature.categories else feature.maximum for feature in spec.features]
    rows += [numpy.array(lowest, dtype=float), numpy.array(highest, dtype=float)]
    thresholds = thresholds_of(booster)
    for column, feature in enumerate(spec.features):
        if feature.kind != "number":
            continue
        inside = [t for t in thresholds.get(feature.name, []) if feature.minimum <= t <= feature.maximum]
        for threshold in inside[:: max(1, len(inside) // 3)][:3]:
            row = heldout[column].copy()
            row[column] = threshold
            rows.append(row)
    allowed = [column for column, feature in enumerate(spec.features) if feature.missing == "allow"]
    for choice in range(1, 2 ** len(allowed)):
        for row in heldout[64:72].copy():
            row[[column for bit, column in enumerate(allowed) if choice >> bit & 1]] = math.nan
            rows.append(row)
    return numpy.array(rows)


def drift_bins(feature: Feature, values: numpy.ndarray) -> dict:
    """Frozen bins: a value's bin is the number of edges that are not above it; shares are of the values present."""
    present = values[~numpy.isnan(values)]
    missing_share = 1.0 - len(present) / len(values)
    if feature.categories:
        codes = [feature.code_of(name) for name in feature.categories]
        return {"bin_shares": [float(numpy.mean(present == code)) for code in codes], "missing_share": missing_share}
    deciles = numpy.quantile(present, numpy.arange(1, 10) / 10.0, method="inverted_cdf")
    edges = sorted({float(edge) for edge in deciles if edge > present.min()})
    counts = numpy.bincount(numpy.searchsorted(edges, present, side="right"), minlength=len(edges) + 1)
    return {
        "bin_edges": edges,
        "bin_shares": [float(count / len(present)) for count in counts],
        "missing_share": missing_share,
    }


def feature_table(feature: Feature, training_column: numpy.ndarray) -> str:
    """One [[features]] table of model.toml."""
    categories = [{"name": name, "code": feature.code_of(name)} for name in feature.categories]
    return toml_table(
        "[[features]]",
        {
            "name": feature.name,
            "description": feature.description,
            "type": feature.kind,
            "unit": feature.unit or None,
            "minimum": None if feature.minimum is None else float(feature.minimum),
            "maximum": None if feature.maximum is None else float(feature.maximum),
            "missing": feature.missing,
            "risk_direction": feature.direction,
            "reason": feature.reason,
            "categories": categories or None,
            **drift_bins(feature, training_column),
        },
    )


def manifest_text(spec: ModelSpec, data: Dataset, files: list[dict], facts: dict) -> str:
    """The whole of model.toml."""
    tables = [
        toml_table("", {"manifest_format": 1}),
        toml_table(
            "[model]",
            {
                "name": spec.name,
                "version": spec.version,
                "title": spec.title,
                "created": spec.created,
                "adverse_outcome": spec.adverse_outcome,
                "link": "logistic",
                "training_data_sha256": facts["training_data_sha256"],
                "git_commit": "",
            },
        ),
    ]
    tables += [toml_table("[[files]]", entry) for entry in files]
    recorded = data.values[data.train]
    tables += [feature_table(feature, recorded[:, column]) for column, feature in enumerate(spec.features)]
    tables += [toml_table("[[reasons]]", vars(reason)) for reason in spec.reasons]
    scale = {
        key: getattr(spec.score, key)
        for key in ("minimum", "maximum", "base_score", "base_odds", "points_to_double_odds")
    }
    tables.append(toml_table("[score]", scale))
    cut_offs = {"approve_at_least": spec.policy.approve_at_least, "refer_at_least": spec.policy.refer_at_least}
    tables.append(toml_table("[policy]", cut_offs))
    tables += [toml_table("[[policy.knock_outs]]", vars(rule)) for rule in spec.policy.knock_outs]
    tables.append(
        toml_table(
            "[reference_population]",
            {
                "id": spec.reference.id,
                "description": spec.reference.description,
                "rows": facts["reference_rows"],
                "score_from": spec.policy.approve_at_least,
                "score_to": spec.policy.approve_at_least + spec.reference.width,
            },
        )
    )
    tables.append(toml_table("[training]", {"rows": len(data.train)}))
    evaluation = {"rows": len(data.heldout), "auc": facts["auc"], "brier": facts["brier"]}
    tables.append(toml_table("[evaluation]", evaluation))
    return "\n".join(tables)


def write_data(folder: Path, spec: ModelSpec, data: Dataset, booster: lightgbm.Booster) -> None:
    """Writes the demo's applications, demographics and outcomes, and the margins of the whole data set."""
    demo_ids = [data.application_ids[row] for row in data.demo]
    applications = [[name, *row] for name, row in zip(demo_ids, named_rows(spec, data.values[data.demo]), strict=True)]
    write_gzip(folder / "applications.csv.gz", csv_text(["application_id", *spec.names()], applications))
    demographics = [[name, *data.demographics[row]] for name, row in zip(demo_ids, data.demo, strict=True)]
    write_gzip(folder / "demographics.csv.gz", csv_text(["application_id", *data.attributes], demographics))
    header = ["event_id", "application_id", "outcome", "occurred_at"]
    write_gzip(folder / "outcomes.csv.gz", csv_text(header, data.outcomes))
    rows = []
    for split, numbers in (("train", data.train), ("heldout", data.heldout)):
        margins = booster.predict(data.values[numbers], raw_score=True)
        coded = coded_rows(data.values[numbers])
        rows += [[split, *row, repr(float(margin))] for row, margin in zip(coded, margins, strict=True)]
    write_gzip(folder / "margins.csv.gz", csv_text(["split", *spec.names(), "margin"], rows))


def check_ranges(spec: ModelSpec, data: Dataset) -> None:
    """Every row of the data must be acceptable to the schema that is about to be published."""
    for column, feature in enumerate(spec.features):
        values = data.values[:, column]
        if feature.categories:
            codes = [feature.code_of(name) for name in feature.categories]
            inside = numpy.isin(values, codes)
        else:
            inside = (values >= feature.minimum) & (values <= feature.maximum)
        if not inside.all():
            raise ValueError(f"{feature.name}: {int((~inside).sum())} rows are outside the declared range")


def measure(spec: ModelSpec, data: Dataset, booster: lightgbm.Booster) -> dict:
    """Discrimination and calibration on the held-out rows."""
    probability = booster.predict(data.values[data.heldout])
    label = data.label[data.heldout]
    header = [*spec.names(), "label"]
    labels = [str(int(value)) for value in data.label[data.train]]
    rows = [[*row, label] for row, label in zip(coded_rows(data.training_values), labels, strict=True)]
    training_csv = csv_text(header, rows)
    return {
        "training_csv": training_csv,
        "training_data_sha256": sha256(training_csv),
        "auc": round(float(roc_auc_score(label, probability)), 6),
        "brier": round(float(brier_score_loss(label, probability)), 6),
    }


def write_package(folder: Path, spec: ModelSpec, data: Dataset, booster: lightgbm.Booster, facts: dict) -> None:
    """Writes the model, its reference and golden rows, the metrics of its card, and the manifest last."""
    folder.mkdir(parents=True, exist_ok=True)
    booster.save_model(folder / "model.txt")
    references = reference_rows(spec, data, booster)
    facts["reference_rows"] = len(references)
    (folder / "reference.csv").write_bytes(csv_text(spec.names(), coded_rows(references)))
    golden = golden_rows(spec, data, booster)
    margins = booster.predict(golden, raw_score=True)
    probabilities = booster.predict(golden)
    rows = [
        [*row, repr(float(margin)), repr(float(probability))]
        for row, margin, probability in zip(coded_rows(golden), margins, probabilities, strict=True)
    ]
    (folder / "golden.csv").write_bytes(csv_text([*spec.names(), "margin", "probability"], rows))
    report.update_model_card(folder / "MODEL_CARD.md", spec, data, booster, facts)
    files = [
        ("model", "model.txt", "lightgbm-text"),
        ("reference", "reference.csv", "csv"),
        ("golden", "golden.csv", "csv"),
        ("data_sheet", "DATASHEET.md", "markdown"),
        ("model_card", "MODEL_CARD.md", "markdown"),
    ]
    entries = [
        {"role": role, "path": path, "format": kind, "sha256": sha256((folder / path).read_bytes())}
        for role, path, kind in files
    ]
    manifest = manifest_text(spec, data, entries, facts)
    tomllib.loads(manifest)
    (folder / "model.toml").write_text(manifest)


def build_package(spec: ModelSpec, data: Dataset, model_folder: Path) -> None:
    """The whole of a training script after its data is read and recoded."""
    arguments = argparse.ArgumentParser(description=f"Trains {spec.name}/{spec.version} and writes its package.")
    arguments.add_argument("--training-csv", type=Path, help="also write the exact training rows to this file")
    options = arguments.parse_args()
    check_ranges(spec, data)
    booster = train(spec, data)
    facts = measure(spec, data, booster)
    if options.training_csv:
        options.training_csv.write_bytes(facts["training_csv"])
    write_package(model_folder / spec.version, spec, data, booster, facts)
    write_data(model_folder / "data", spec, data, booster)
    print(report.summary(spec, data, booster, facts))
