"""Distances and tests of scipy and scikit-learn, for comparison with `fcs_fairness::drift`.

    pip install -r drift_requirements.txt
    python drift_generate.py

writes drift_golden.json beside this file, from seeded data. The population stability index is in neither
package: it is computed from its definition where no bin is empty.
"""

import importlib.metadata
import json
from pathlib import Path

import numpy as np
from scipy import special, stats
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import roc_auc_score

HERE = Path(__file__).resolve().parent
SEED = 20261128
PACKAGES = ["numpy", "scikit-learn", "scipy"]


def sample_case(name, one, other):
    """Raw values: the two-sample statistics of scipy."""
    one, other = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    distance = float(stats.ks_2samp(one, other, method="asymp").statistic)
    size = len(one) * len(other) / (len(one) + len(other))
    return {
        "name": name,
        "one": one.tolist(),
        "other": other.tolist(),
        "kolmogorov_smirnov": distance,
        "kolmogorov_smirnov_p_value": float(special.kolmogorov(np.sqrt(size) * distance)),
        "wasserstein": float(stats.wasserstein_distance(one, other)),
    }


def binned_case(name, reference, current, edges):
    """Counts over frozen edges: each bin's mass at its middle."""
    reference, current = np.asarray(reference), np.asarray(current)
    edges = np.asarray(edges, dtype=float)
    middles = (edges[:-1] + edges[1:]) / 2
    p, q = reference / reference.sum(), current / current.sum()
    deviation = float(np.sqrt(np.cov(middles, fweights=reference, ddof=0)))
    wasserstein = float(stats.wasserstein_distance(middles, middles, p, q))
    full = bool((reference > 0).all() and (current > 0).all())
    one, other = np.repeat(middles, reference), np.repeat(middles, current)
    filled = int(((reference > 0) | (current > 0)).sum())
    scale = 1 / reference.sum() + 1 / current.sum()
    return {
        "name": name,
        "edges": edges.tolist(),
        "reference": reference.tolist(),
        "current": current.tolist(),
        "psi": float(((p - q) * np.log(p / q)).sum()) if full else None,
        "psi_limit": float(scale * stats.chi2.ppf(1 - 0.05, filled - 1)),
        "jensen_shannon": float(jensenshannon(p, q, base=2)),
        "kolmogorov_smirnov": float(stats.ks_2samp(one, other, method="asymp").statistic),
        "wasserstein": wasserstein,
        "standardised_wasserstein": wasserstein / deviation,
    }


def paired_case(only_stable, only_arm, both, neither):
    """Disagreements: McNemar's exact test is a binomial test."""
    disagreements = only_stable + only_arm
    p_value = stats.binomtest(only_arm, disagreements, 0.5).pvalue if disagreements else 1.0
    size = both + neither + disagreements + 2
    b, c = (only_arm + 0.5) / size, (only_stable + 0.5) / size
    half_width = stats.norm.ppf(0.975) * np.sqrt((b + c - (b - c) ** 2) / size)
    return {
        "only_stable_approved": only_stable,
        "only_arm_approved": only_arm,
        "both_approved": both,
        "neither_approved": neither,
        "mcnemar_p_value": float(p_value),
        "change": [
            (only_arm - only_stable) / (both + neither + disagreements),
            float(b - c - half_width),
            float(b - c + half_width),
        ],
    }


def expected_case(random, size):
    """Expected performance: every applicant counts as a defaulter with weight p and as a repayer with 1 - p."""
    default_ppm = random.integers(0, 1_000_001, size)
    approved = random.random(size) > default_ppm / 1e6
    default = default_ppm / 1e6
    repaid = 1 - default
    labels = np.concatenate([np.ones(size), np.zeros(size)])
    weights = np.concatenate([default, repaid])
    # Applicants of one hundredth are tied.
    bins = np.minimum(default_ppm // 10_000, 99)
    auc = roc_auc_score(labels, np.concatenate([bins, bins]), sample_weight=weights)
    true_positives, false_positives = repaid[approved].sum(), default[approved].sum()
    false_negatives, true_negatives = repaid[~approved].sum(), default[~approved].sum()
    return {
        "decisions": [[int(p), bool(d)] for p, d in zip(default_ppm, approved)],
        "accuracy": float((true_positives + true_negatives) / size),
        "precision": float(true_positives / (true_positives + false_positives)),
        "recall": float(true_positives / (true_positives + false_negatives)),
        "false_positive_rate": float(false_positives / (false_positives + true_negatives)),
        "auc": float(auc),
    }


def main():
    random = np.random.default_rng(SEED)
    decimals = lambda values: np.round(values, 6)
    samples = [
        sample_case("normal, shifted", decimals(random.normal(0, 1, 120)), decimals(random.normal(0.3, 1, 80))),
        sample_case("heavy tails", decimals(random.standard_t(2, 90)), decimals(random.standard_t(2, 150))),
        sample_case("repeated values", random.integers(0, 6, 100), random.integers(1, 7, 70)),
        sample_case("same", [1, 2, 3], [3, 2, 1]),
        sample_case("apart", [0, 1], [5, 6, 7]),
        sample_case("one value each", [4], [4.5]),
    ]
    scores = np.linspace(0, 1, 101)
    uneven = [-5.0, 0.0, 0.5, 2.0, 10.0, 11.0, 50.0]
    binned = [
        binned_case("even against rising", [100] * 10, list(range(10, 110, 10)), np.arange(11)),
        binned_case("uneven edges", random.integers(1, 500, 6), random.integers(1, 50, 6), uneven),
        binned_case("empty bins", [50, 0, 30, 20, 0, 10], [0, 0, 60, 10, 5, 0], uneven),
        binned_case(
            "a hundred score bins",
            np.histogram(random.beta(2, 5, 20_000), scores)[0],
            np.histogram(random.beta(2.2, 5, 3_000), scores)[0],
            scores,
        ),
    ]
    paired = [paired_case(*counts) for counts in [(30, 12, 700, 258), (5, 5, 90, 0), (0, 1, 3, 2), (0, 0, 7, 3), (400, 310, 5_000, 2_000)]]
    golden = {
        "versions": {package: importlib.metadata.version(package) for package in PACKAGES},
        "samples": samples,
        "binned": binned,
        "paired": paired,
        "expected": [expected_case(random, size) for size in (40, 300)],
    }
    (HERE / "drift_golden.json").write_text(json.dumps(golden, indent=None) + "\n")


if __name__ == "__main__":
    main()
