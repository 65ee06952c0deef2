"""Selection rates of groups that are known by probabilities, for comparison with `fcs_fairness::proxy`.

    pip install -r proxy_requirements.txt
    python proxy_generate.py

writes proxy_golden.json beside this file, from seeded data that is made up. The way there is another one:
weighted rates are averages with weights, linear rates come from a singular value decomposition of the rows
themselves, their limits from the weights of each person's decision (the pseudoinverse), with a search for the
ratios that chance allows, and the bounds from a linear program for each bin over the four kinds of people that it may hold
(member or not, approved or not).
"""

import importlib.metadata
import json
from pathlib import Path

import numpy as np
from scipy.linalg import lstsq
from scipy.optimize import brentq, linprog
from scipy.stats import norm

HERE = Path(__file__).resolve().parent
SEED = 20261128
BINS = 20
PACKAGES = ["numpy", "scipy"]


def bin_bounds(members, approved, people):
    """The fewest and the most approved members of one bin."""
    # Approved members, other members, approved others, other others.
    totals = [[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]]
    limits = []
    for sign in (1, -1):
        found = linprog([sign, 0, 0, 0], A_eq=totals, b_eq=[members, approved, people], bounds=(0, None))
        assert found.success, found.message
        limits.append(sign * found.fun)
    return limits


def bounds(probability, decision):
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    least = most = 0.0
    for place in np.unique(bins):
        own = bins == place
        low, high = bin_bounds(probability[own].sum(), decision[own].sum(), own.sum())
        least, most = least + low, most + high
    return least / probability.sum(), most / probability.sum()


# A decision is yes or no: its standard deviation is at most one half.
REACH = norm.ppf(0.975) / 2


def rate_limits(rates, weights):
    reach = REACH * np.linalg.norm(weights, axis=1)
    return [[float(rate - own), float(rate + own)] for rate, own in zip(rates, reach)]


def ratio_limits(rates, weights, group, reference):
    """The ratios r for which rate - r reference is no further from zero than chance brings it, or None."""
    if rates[reference] <= REACH * np.linalg.norm(weights[reference]):
        return None
    if group == reference:
        return [1.0, 1.0]

    def excess(ratio):
        distance = abs(rates[group] - ratio * rates[reference])
        return distance - REACH * np.linalg.norm(weights[group] - ratio * weights[reference])

    middle, limits = rates[group] / rates[reference], []
    for step in (-1.0, 1.0):
        while excess(middle + step) < 0:
            step *= 2
        low, high = sorted([middle, middle + step])
        limits.append(float(brentq(excess, low, high, xtol=1e-14, rtol=1e-14)))
    return limits


def cut(limits, least, most=None):
    return limits and [max(limits[0], least), limits[1] if most is None else min(limits[1], most)]


def case(name, probabilities, decision, reference, truth=None):
    """Rows with a probability for each group; `truth` is the place of the group that each row belongs to."""
    probabilities, decision = np.asarray(probabilities, dtype=float), np.asarray(decision, dtype=int)
    weighted = [float(np.average(decision, weights=column)) for column in probabilities.T]
    linear = [float(rate) for rate in lstsq(probabilities, decision.astype(float))[0]]
    frechet = [bounds(column, decision) for column in probabilities.T]
    least, most = frechet[reference]
    by_weight = (probabilities / probabilities.sum(axis=0)).T
    by_line = np.linalg.pinv(probabilities)
    groups = range(probabilities.shape[1])
    result = {
        "name": name,
        "reference": reference,
        "probabilities": probabilities.tolist(),
        "approved": decision.tolist(),
        "expected_members": probabilities.sum(axis=0).tolist(),
        "weighted": weighted,
        "linear": linear,
        "frechet": [list(pair) for pair in frechet],
        "weighted_ratio": [rate / weighted[reference] for rate in weighted],
        "linear_ratio": [rate / linear[reference] for rate in linear],
        # Solvers leave traces of 1e-12 where a bound is zero.
        "frechet_ratio": [[low / most, high / least if least > 1e-9 else None] for low, high in frechet],
    }
    result |= {
        "weighted_limits": [cut(own, 0.0, 1.0) for own in rate_limits(weighted, by_weight)],
        "linear_limits": rate_limits(linear, by_line),
        "weighted_ratio_limits": [cut(ratio_limits(weighted, by_weight, g, reference), 0.0) for g in groups],
        "linear_ratio_limits": [ratio_limits(linear, by_line, g, reference) for g in groups],
    }
    if truth is not None:
        result["true"] = [float(decision[truth == group].mean()) for group in groups]
    return result


def exact(probabilities):
    """Six decimals, the last group taking what is left."""
    rounded = np.round(probabilities, 6)
    rounded[:, -1] = 1 - rounded[:, :-1].sum(axis=1)
    return np.clip(np.round(rounded, 6), 0, 1)


def population(random, size, by_group, by_proxy):
    """Two groups; the decision depends on the group, on the probability, or on both."""
    probability = np.round(random.beta(0.35, 1.4, size), 6)
    member = random.random(size) < probability
    rate = 0.7 - by_group * member - by_proxy * probability
    decision = random.random(size) < rate
    return np.column_stack([probability, np.round(1 - probability, 6)]), decision, np.where(member, 0, 1)


def main():
    random = np.random.default_rng(SEED)
    cases = []
    for name, by_group, by_proxy in [
        ("decisions depend on the group", 0.2, 0.0),
        ("decisions depend on the probability", 0.0, 0.3),
        ("decisions depend on both", 0.15, 0.15),
    ]:
        probabilities, decision, truth = population(random, 2_000, by_group, by_proxy)
        cases.append(case(name, probabilities, decision, 1, truth))
    six = exact(random.dirichlet([1.5, 0.5, 0.2, 0.1, 0.1, 0.6], 400))
    cases.append(case("six groups", six, random.random(400) < 0.4 + 0.4 * six[:, 0], 0))
    known = np.eye(3)[random.integers(0, 3, 200)]
    cases.append(case("known groups", known, random.random(200) < known @ [0.2, 0.5, 0.8], 2))
    few = exact(random.dirichlet([1, 1, 1], 12))
    cases.append(case("few people", few, [1] * 7 + [0] * 5, 0))
    certain = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9]] * 5)
    cases.append(case("a rate beyond 1", certain, [1, 1, 0, 0] * 5, 0))
    cases.append(case("everybody approved", certain, [1] * 20, 0))
    golden = {
        "versions": {package: importlib.metadata.version(package) for package in PACKAGES},
        "cases": cases,
    }
    (HERE / "proxy_golden.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
