"""Golden attribution vectors of a package, made by code that shares nothing with the scoring engine.

    python oracle.py models/taiwan-default/1 models/boston-hmda/1

For each package two files appear beside it, in `data/`:

* `shap.csv.gz`, 200 rows, interventional over the whole reference population. A package of numbers only:
  `shap.TreeExplainer` (good to about 1e-7: it compares and sums partly in single precision). A package with
  categories: `shap.ExactExplainer` over LightGBM's own predictions, because the tree explainer of shap 0.51.0 accepts
  such a model but walks a categorical split as if it were a numeric one, so that its values do not add up to the
  margin (wrong by up to 1.2 in the margin here).
* `enumeration.csv.gz`, 20 of these rows: the definition of the Shapley value summed over every coalition, with
  LightGBM's own predictions. Where all coalitions of all features would be too many, each tree is enumerated over
  the features that it uses and the results are added, which is the same sum (Shapley values are additive over
  summed games, and a feature that a tree does not use has none).
"""

import csv
import gzip
import io
import math
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy
import shap

from package import coded_rows, csv_text, write_gzip

ROWS = 200
GOLDEN_ROWS_WITH_MISSING = 24
ENUMERATED_EVERY = 10
WHOLE_MODEL_FEATURES_AT_MOST = 10


def read_csv(content: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows."""
    header, *rows = csv.reader(io.StringIO(content))
    return header, rows


def encoded(manifest: dict, rows: list[list[str]]) -> numpy.ndarray:
    """Feature values as the model sees them; accepts category names and codes, empty is missing."""
    codes = [
        {entry["name"]: entry["code"] for entry in feature.get("categories", [])} for feature in manifest["features"]
    ]
    return numpy.array(
        [
            [math.nan if text == "" else float(names.get(text, text)) for names, text in zip(codes, row, strict=True)]
            for row in rows
        ]
    )


def rows_to_explain(package: Path, manifest: dict) -> numpy.ndarray:
    """The first applications of the demo and, where a value may be missing, golden rows that have such values."""
    with gzip.open(package.parent / "data" / "applications.csv.gz", "rt") as file:
        _, applications = read_csv(file.read())
    rows = encoded(manifest, [row[1:] for row in applications[:ROWS]])
    _, golden = read_csv((package / "golden.csv").read_text())
    golden_values = encoded(manifest, [row[:-2] for row in golden])
    incomplete = golden_values[numpy.isnan(golden_values).any(axis=1)][:GOLDEN_ROWS_WITH_MISSING]
    return numpy.vstack([rows[: ROWS - len(incomplete)], incomplete])


def coalition_values(
    predict: Callable[[numpy.ndarray], numpy.ndarray], used: list[int], references: numpy.ndarray, row: numpy.ndarray
) -> numpy.ndarray:
    """Mean prediction for each coalition of `used` whose features come from the row, the others from each reference."""
    hybrids = numpy.tile(references, (2 ** len(used), 1, 1))
    for coalition in range(2 ** len(used)):
        for bit, column in enumerate(used):
            if coalition >> bit & 1:
                hybrids[coalition, :, column] = row[column]
    margins = predict(hybrids.reshape(-1, references.shape[1]))
    return margins.reshape(2 ** len(used), len(references)).mean(axis=1)


def shapley_values(values: numpy.ndarray, players: int) -> numpy.ndarray:
    """Shapley (1953): each player's marginal contributions, weighted by |S|! (n - |S| - 1)! / n!."""
    contributions = numpy.zeros(players)
    for player in range(players):
        terms = []
        for coalition in range(2**players):
            if coalition >> player & 1:
                continue
            size = coalition.bit_count()
            weight = math.factorial(size) * math.factorial(players - size - 1) / math.factorial(players)
            terms.append(weight * (values[coalition | 1 << player] - values[coalition]))
        contributions[player] = math.fsum(terms)
    return contributions


def games_of(booster: lightgbm.Booster, feature_count: int) -> list[tuple[Callable, list[int]]]:
    """The summed games to enumerate: the whole model, or its trees with the features that each uses."""
    if feature_count <= WHOLE_MODEL_FEATURES_AT_MOST:
        return [(lambda rows: booster.predict(rows, raw_score=True), list(range(feature_count)))]
    games = []
    for index, tree in enumerate(booster.dump_model()["tree_info"]):
        used: set[int] = set()
        pending = [tree["tree_structure"]]
        while pending:
            node = pending.pop()
            if "split_index" in node:
                used.add(node["split_feature"])
                pending += [node["left_child"], node["right_child"]]

        def predict(rows: numpy.ndarray, index: int = index) -> numpy.ndarray:
            return booster.predict(rows, raw_score=True, start_iteration=index, num_iteration=1)

        games.append((predict, sorted(used)))
    return games


def enumerated(booster: lightgbm.Booster, references: numpy.ndarray, rows: numpy.ndarray) -> numpy.ndarray:
    """Contributions by plain enumeration: shape (rows, features)."""
    contributions = numpy.zeros(rows.shape)
    games = games_of(booster, rows.shape[1])
    for number, row in enumerate(rows):
        for predict, used in games:
            values = coalition_values(predict, used, references, row)
            contributions[number, used] += shapley_values(values, len(used))
    return contributions


def explained_by_shap(
    booster: lightgbm.Booster, references: numpy.ndarray, rows: numpy.ndarray, has_categories: bool
) -> numpy.ndarray:
    """Contributions by shap. The masker is given explicitly: an array would silently be cut to 100 rows."""
    masker = shap.maskers.Independent(references, max_samples=len(references))
    if has_categories:
        exact = shap.ExactExplainer(lambda hybrids: booster.predict(hybrids, raw_score=True), masker)
        return exact(rows, max_evals=2 ** rows.shape[1]).values
    explainer = shap.TreeExplainer(booster, data=masker, feature_perturbation="interventional", model_output="raw")
    return explainer.shap_values(rows)


def write_vectors(
    path: Path, names: list[str], vectors: tuple[numpy.ndarray, numpy.ndarray, float, numpy.ndarray]
) -> None:
    """Rows, margins, base and contributions in one file, after checking that they add up."""
    rows, margins, base, contributions = vectors
    gap = numpy.abs(base + contributions.sum(axis=1) - margins).max()
    if gap > 1e-6:
        raise ValueError(f"{path}: base and contributions miss the margin by {gap}")
    header = [*names, "margin", "base", *(f"contribution.{name}" for name in names)]
    lines = [
        [*coded, repr(float(margin)), repr(base), *(repr(float(value)) for value in parts)]
        for coded, margin, parts in zip(coded_rows(rows), margins, contributions, strict=True)
    ]
    write_gzip(path, csv_text(header, lines))
    print(f"{path.name}: {len(rows)} rows, largest gap to the margin {gap:.3g}")


def write_oracle(package: Path) -> None:
    """Both files of one package."""
    manifest = tomllib.loads((package / "model.toml").read_text())
    names = [feature["name"] for feature in manifest["features"]]
    booster = lightgbm.Booster(model_file=package / "model.txt")
    _, reference_text = read_csv((package / "reference.csv").read_text())
    references = encoded(manifest, reference_text)
    rows = rows_to_explain(package, manifest)
    margins = booster.predict(rows, raw_score=True)
    base = math.fsum(booster.predict(references, raw_score=True)) / len(references)
    data = package.parent / "data"
    chosen = slice(0, None, ENUMERATED_EVERY)
    has_categories = any("categories" in feature for feature in manifest["features"])
    contributions = explained_by_shap(booster, references, rows, has_categories)
    few = enumerated(booster, references, rows[chosen])
    print(f"shap differs from enumeration by at most {numpy.abs(contributions[chosen] - few).max():.3g}")
    write_vectors(data / "shap.csv.gz", names, (rows, margins, base, contributions))
    write_vectors(data / "enumeration.csv.gz", names, (rows[chosen], margins[chosen], base, few))


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        write_oracle(Path(folder))
