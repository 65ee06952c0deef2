"""Metrics of one group by itself."""

import numpy as np
from aif360.datasets import BinaryLabelDataset
from aif360.metrics import ClassificationMetric
from fairlearn import metrics as fairlearn
from scipy import optimize, stats
from sklearn.metrics import accuracy_score, brier_score_loss, precision_score, roc_auc_score

from common import (
    ALL,
    APPROVED,
    KNOWN,
    Undefined,
    absolute,
    bounded,
    check_labels,
    critical,
    divided,
    entry,
    same,
    wilson,
)

# Name: population, numerator and denominator of known rows, and the library's value.
RATES = {
    "true_positive_rate": (KNOWN, lambda r: (r.approved, r.repaid), fairlearn.true_positive_rate),
    "false_positive_rate": (
        KNOWN,
        lambda r: (r.approved, 1 - r.repaid),
        fairlearn.false_positive_rate,
    ),
    "true_negative_rate": (
        KNOWN,
        lambda r: (1 - r.approved, 1 - r.repaid),
        fairlearn.true_negative_rate,
    ),
    "false_negative_rate": (
        KNOWN,
        lambda r: (1 - r.approved, r.repaid),
        fairlearn.false_negative_rate,
    ),
    "positive_predictive_value": (APPROVED, lambda r: (r.repaid, r.approved), precision_score),
    "negative_predictive_value": (
        KNOWN,
        lambda r: (1 - r.repaid, 1 - r.approved),
        lambda y, d: precision_score(y, d, pos_label=0),
    ),
    "accuracy": (KNOWN, lambda r: (r.approved == r.repaid, r.approved >= 0), accuracy_score),
}


def pair(name, rows):
    """Numerator and denominator of a rate."""
    population, parts, library = RATES[name]
    known = check_labels(rows, population)
    part, whole = (np.asarray(values, dtype=int) for values in parts(known))
    counts = (int((part * whole).sum()), int(whole.sum()))
    if counts[1] == 0:
        raise Undefined("zero_denominator")
    same(counts[0] / counts[1], library(known.repaid, known.approved))
    return counts


def rate(name, rows, confidence):
    return wilson(*pair(name, rows), confidence)


def selection(rows, confidence):
    found = wilson(int(rows.approved.sum()), len(rows), confidence)
    same(found[0], fairlearn.selection_rate(rows.approved, rows.approved))
    return found


# ---- inequality ----------------------------------------------------------------------------------


def classification(rows, privileged=None):
    """aif360's metric object; `privileged` is the group that others are compared with."""
    codes = {group: code for code, group in enumerate(sorted(set(rows.group)))}
    table = rows.assign(code=rows.group.map(codes))[["code", "repaid", "approved"]].astype(float)

    def dataset(label):
        return BinaryLabelDataset(
            favorable_label=1,
            unfavorable_label=0,
            df=table[["code", label]].rename(columns={label: "label"}),
            label_names=["label"],
            protected_attribute_names=["code"],
        )

    groups = {}
    if privileged is not None:
        others = [{"code": code} for group, code in codes.items() if group != privileged]
        groups = {
            "privileged_groups": [{"code": codes[privileged]}],
            "unprivileged_groups": others,
        }
    return ClassificationMetric(dataset("repaid"), dataset("approved"), **groups)


def smoothed_benefits(rows):
    """The benefits and their shares; with one half more of each if one does not occur."""
    benefit = rows.approved - rows.repaid + 1
    counts = np.array([(benefit == value).sum() for value in range(3)], dtype=float)
    return counts + 0.5 if (counts == 0).any() else counts


def entropy_of(counts, alpha):
    shares, benefit = counts / counts.sum(), np.arange(3.0)
    relative = benefit / (shares * benefit).sum()
    if alpha == 1:
        return (shares[1:] * relative[1:] * np.log(relative[1:])).sum()
    return (shares * (relative**2 - 1)).sum() / 2


def entropy(rows, alpha, confidence):
    """aif360's index; limits by the delta method with a derivative from single people.

    A person's influence is taken from the formula for functions of the mean benefit and the mean of
    b ln b or b squared, over the rows themselves.
    """
    known = check_labels(rows, KNOWN)
    if (known.approved - known.repaid + 1).sum() == 0:
        raise Undefined("zero_denominator")
    value = float(classification(known).generalized_entropy_index(alpha=alpha))
    counts = smoothed_benefits(known)
    size, benefit = counts.sum(), np.arange(3.0)
    mean = (counts * benefit).sum() / size
    inner = benefit * np.log(np.where(benefit > 0, benefit, 1)) if alpha == 1 else benefit**2
    moment = (counts * inner).sum() / size
    if alpha == 1:
        gradient = [1 / mean, -moment / mean**2 - 1 / mean]
    else:
        gradient = [1 / (2 * mean**2), -moment / mean**3]
    covariance = np.cov(np.vstack([inner, benefit]), fweights=None, aweights=counts, ddof=0)
    half = critical(confidence) * np.sqrt(np.array(gradient) @ covariance @ gradient / size)
    centre = entropy_of(counts, alpha)
    return bounded(max(value, 0), max(centre - half, 0), centre + half)


def variation(rows, confidence):
    found = entropy(rows, 2, confidence)
    library = classification(check_labels(rows, KNOWN)).coefficient_of_variation()
    same(np.sqrt(2 * found[0]), library)
    return [*np.sqrt(2 * np.array(found[:3])), None]


def inequality(rows, confidence):
    return [
        entry("theil_index", KNOWN, lambda: entropy(rows, 1, confidence)),
        entry("generalised_entropy_index", KNOWN, lambda: entropy(rows, 2, confidence)),
        entry("coefficient_of_variation", KNOWN, lambda: variation(rows, confidence)),
    ]


# ---- scores and outcomes -------------------------------------------------------------------------


def scored(rows, population):
    declined = rows[rows.approved == 0]
    if population == KNOWN and len(declined) > 0 and not declined.known.any():
        raise Undefined("selective_labels")
    rows = rows[rows.known & rows.score.notna()]
    rows = rows[rows.approved == 1] if population == APPROVED else rows
    if len(rows) == 0:
        raise Undefined("no_scores")
    return rows


def both_outcomes(rows, population):
    rows = scored(rows, population)
    good, bad = (rows.score[rows.repaid == value].to_numpy() for value in (1, 0))
    if len(good) == 0 or len(bad) == 0:
        raise Undefined("one_outcome_only")
    return rows, good, bad


def area(rows, population, confidence):
    """scikit-learn's area; DeLong's variance from the placement of every single person."""
    rows, good, bad = both_outcomes(rows, population)
    value = roc_auc_score(rows.repaid, rows.score)
    wins = (good[:, None] > bad) + 0.5 * (good[:, None] == bad)
    same(value, wins.mean(), stats.mannwhitneyu(good, bad).statistic / (len(good) * len(bad)))
    parts = [wins.mean(axis=1), wins.mean(axis=0)]
    variance = sum(part.var(ddof=1) / len(part) if len(part) > 1 else 0 for part in parts)
    if variance < 1e-30:
        return newcombe(value, len(good), len(bad), confidence)
    half = critical(confidence) * np.sqrt(variance)
    return bounded(value, value - half, value + half, 0, 1)


def newcombe(value, one, other, confidence):
    """Newcombe (2006), method 5, by a root finder."""

    def excess(area):
        half = (one + other) / 2 - 1
        spread = 1 + half * (1 - area) / (2 - area) + half * area / (1 + area)
        variance = area * (1 - area) * spread / (one * other)
        return (area - value) ** 2 - critical(confidence) ** 2 * variance

    step = 1e-9
    lower = value if value == 0 else optimize.brentq(excess, 1e-15, value - step, xtol=1e-15)
    upper = value if value == 1 else optimize.brentq(excess, value + step, 1 - 1e-15, xtol=1e-15)
    return bounded(value, lower, upper)


def gini(rows, population, confidence):
    return [*(2 * np.array(area(rows, population, confidence)[:3]) - 1), None]


def band(size, confidence):
    """Half of the error for each of two distributions (Massart)."""
    return np.sqrt(np.log(2 / ((1 - confidence) / 2)) / (2 * size))


def separation(rows, population, confidence):
    _, good, bad = both_outcomes(rows, population)
    value = float(stats.ks_2samp(good, bad).statistic)
    width = band(len(good), confidence) + band(len(bad), confidence)
    return bounded(value, value - width, value + width, 0, 1)


def calibration_error(rows, population, confidence):
    rows = scored(rows, population)
    bins = np.minimum(np.floor(np.rint(rows.score * 1e6) / 1e5), 9)
    parts = [rows[bins == index] for index in sorted(set(bins))]
    level, total = divided(confidence, len(parts)), np.zeros(3)
    for part in parts:
        found = np.array(wilson(int(part.repaid.sum()), len(part), level)[:3]) - part.score.mean()
        total += len(part) / len(rows) * np.array(absolute([*found, None])[:3])
    return bounded(*total, 0, 1)


def brier(rows, population, confidence):
    """scikit-learn's score; Wilson limits of a mean of numbers within [0, 1]."""
    rows = scored(rows, population)
    value = brier_score_loss(rows.repaid, rows.score, pos_label=1)
    lower, upper = wilson(value * len(rows), len(rows), confidence)[1:3]
    return bounded(value, lower, upper)


def in_the_large(rows, population, confidence):
    rows = scored(rows, population)
    found = wilson(int(rows.repaid.sum()), len(rows), confidence)
    return [*(np.array(found[:3]) - rows.score.mean()), None]


OF_SCORES = {
    "area_under_curve": area,
    "gini": gini,
    "kolmogorov_smirnov_separation": separation,
    "expected_calibration_error": calibration_error,
    "brier_score": brier,
    "calibration_in_the_large": in_the_large,
}


def metrics(rows, confidence):
    found = [entry("selection_rate", ALL, lambda: selection(rows, confidence))]
    for name, (population, _, _) in RATES.items():
        found.append(entry(name, population, lambda name=name: rate(name, rows, confidence)))
    found += inequality(rows, confidence)
    for name, measure in OF_SCORES.items():
        for which in (APPROVED, KNOWN):
            call = lambda measure=measure, which=which: measure(rows, which, confidence)
            found.append(entry(name, which, call))
    return found
