"""Metrics of a group beside its reference group, and of all groups at once."""

import itertools
from fractions import Fraction
from math import comb

import numpy as np
import pandas as pd
from fairlearn import metrics as fairlearn
from scipy import special, stats
from statsmodels.stats.proportion import proportions_ztest

from common import (
    ALL,
    APPROVED,
    KNOWN,
    Undefined,
    absolute,
    bounded,
    check_labels,
    critical,
    difference,
    divided,
    entry,
    larger,
    mover,
    odds_ratio,
    ratio,
    same,
    smaller,
    smaller_over_larger,
)
from singles import RATES, band, classification, pair


def selected(rows):
    return int(rows.approved.sum()), len(rows)


def table(own, other):
    return [[part, whole - part] for part, whole in (selected(own), selected(other))]


def aif(own, other):
    """aif360's metric object of two groups whose outcomes need not be known."""
    return classification(pd.concat([own, other]), privileged=other.group.iloc[0])


# ---- decisions -----------------------------------------------------------------------------------


def impact(own, other, confidence):
    found = ratio(selected(own), selected(other), confidence)
    same(found[0], aif(own, other).disparate_impact())
    return found


def parity(own, other, confidence):
    found = difference(selected(own), selected(other), confidence)
    same(found[0], aif(own, other).statistical_parity_difference())
    return found


def parity_ratio(own, other, confidence):
    found = smaller_over_larger(selected(own), selected(other), confidence)
    both = pd.concat([own, other])
    library = fairlearn.demographic_parity_ratio(
        both.approved, both.approved, sensitive_features=both.group
    )
    same(found[0], library)
    return found


def shortfall(own, other, confidence):
    value, lower, upper, _ = parity(own, other, confidence)
    exact = len(own) * other.approved.mean() - own.approved.sum()
    return [same(exact, -len(own) * value), -len(own) * upper, -len(own) * lower, None]


def denial_odds(own, other, confidence):
    denied = [(whole - part, whole) for part, whole in (selected(own), selected(other))]
    found = odds_ratio(*denied, confidence)
    same(found[0], 1 / stats.contingency.odds_ratio(table(own, other), kind="sample").statistic)
    return found


def fisher(own, other):
    """Every table at most as probable as the observed one, in exact fractions."""
    (a, b), (c, d) = table(own, other)
    drawn, approved, whole = a + b, a + c, a + b + c + d
    ways = {
        k: comb(approved, k) * comb(whole - approved, drawn - k)
        for k in range(max(0, drawn - b - d), min(drawn, approved) + 1)
    }
    exact = Fraction(sum(way for way in ways.values() if way <= ways[a]), comb(whole, drawn))
    assert abs(float(exact) - stats.fisher_exact([[a, b], [c, d]]).pvalue) < 1e-9
    return [None, None, None, float(exact)]


def someone_of_each(own, other):
    both = pd.concat([own, other]).approved
    if both.min() == both.max():
        raise Undefined("zero_denominator")


def chi_square(own, other):
    someone_of_each(own, other)
    found = stats.chi2_contingency(table(own, other), correction=False)
    return [found.statistic, None, None, found.pvalue]


def z_test(own, other):
    someone_of_each(own, other)
    counts = np.array([selected(own), selected(other)])
    z, p = proportions_ztest(counts[:, 0], counts[:, 1])
    return [z, None, None, p]


def two_deviations(own, other):
    """Castaneda's distance, by scipy's hypergeometric distribution."""
    someone_of_each(own, other)
    (a, b), (c, d) = table(own, other)
    law = stats.hypergeom(a + b + c + d, a + c, a + b)
    z = (a - law.mean()) / law.std()
    return [z, None, None, 2 * stats.norm.sf(abs(z))]


def conditional_disparity(own, everyone, confidence):
    terms, compared = [], 0
    for _, rows in everyone.groupby("stratum"):
        if rows.approved.min() == rows.approved.max():
            continue
        inside = own[own.stratum == rows.stratum.iloc[0]]
        shares = []
        for approved in (0, 1):
            part = int((inside.approved == approved).sum())
            shares.append((part, int((rows.approved == approved).sum())))
        terms.append((len(rows), difference(*shares, confidence)))
        compared += len(rows)
    if compared == 0:
        return entry("conditional_demographic_disparity", ALL, _no_contrast)
    terms = [(size / compared, found) for size, found in terms]
    return entry(
        "conditional_demographic_disparity", ALL, lambda: bounded(*mover(terms)[:3], -1, 1)
    )


def _no_contrast():
    raise Undefined("no_contrast")


# ---- scores --------------------------------------------------------------------------------------


def scores(*groups):
    found = [rows.score.dropna().to_numpy() for rows in groups]
    if any(len(values) == 0 for values in found):
        raise Undefined("no_scores")
    return found


def mean_difference(own, other, confidence):
    """Over the deviation of both together; the limits go through the point-biserial correlation."""
    own, other = scores(own, other)
    size = len(own) + len(other)
    shares = len(own) * len(other) / size**2
    within_sd = np.sqrt((len(own) * own.var() + len(other) * other.var()) / size)
    if within_sd == 0:
        raise Undefined("no_spread")
    within = (own.mean() - other.mean()) / within_sd
    variance = 1 / len(own) + 1 / len(other) + within**2 / (2 * size)
    half = critical(confidence) * np.sqrt(variance)
    limits = []
    for limit in (within - half, within + half):
        correlation = limit / np.sqrt(limit**2 + 1 / shares)
        limits.append(correlation / np.sqrt(shares))
    return [(own.mean() - other.mean()) / np.concatenate([own, other]).std(), *limits, None]


def distance(own, other, confidence):
    own, other = scores(own, other)
    value = float(stats.ks_2samp(own, other).statistic)
    width = band(len(own), confidence) + band(len(other), confidence)
    return bounded(value, value - width, value + width, 0, 1)


def distance_test(own, other):
    own, other = scores(own, other)
    value = float(stats.ks_2samp(own, other).statistic)
    size = len(own) * len(other) / (len(own) + len(other))
    return [value, None, None, special.kolmogorov(value * np.sqrt(size))]


def at_quantile(share, own, other, everyone, confidence):
    def measure():
        own_scores, other_scores, all_scores = scores(own, other, everyone)
        best = np.sort(all_scores)[::-1]
        cut = best[int(np.ceil(share * len(best) - 1e-9)) - 1]
        above = [(int((values >= cut).sum()), len(values)) for values in (own_scores, other_scores)]
        return ratio(*above, confidence)

    return entry("adverse_impact_ratio_at_quantile", ALL, measure, share)


# ---- outcomes ------------------------------------------------------------------------------------

DIFFERENCES = {
    "equal_opportunity_difference": ("true_positive_rate", "equal_opportunity_difference"),
    "false_positive_rate_difference": ("false_positive_rate", "false_positive_rate_difference"),
    "predictive_parity_difference": ("positive_predictive_value", None),
    "negative_predictive_value_difference": ("negative_predictive_value", None),
    "accuracy_difference": ("accuracy", None),
}
RATIOS = {
    "equal_opportunity_ratio": ("true_positive_rate", None),
    "false_positive_rate_ratio": ("false_positive_rate", "false_positive_rate_ratio"),
    "predictive_parity_ratio": ("positive_predictive_value", None),
}


def known_aif(own, other):
    return aif(check_labels(own, KNOWN), check_labels(other, KNOWN))


def of_rate(compare, rate, library, own, other, confidence):
    found = compare(pair(rate, own), pair(rate, other), confidence)
    if library is not None:
        same(found[0], getattr(known_aif(own, other), library)())
    return found


def two_rates(compare, own, other, confidence):
    return [
        compare(pair(rate, own), pair(rate, other), confidence)
        for rate in ("true_positive_rate", "false_positive_rate")
    ]


def odds_difference(own, other, confidence):
    found = two_rates(difference, own, other, divided(confidence, 2))
    found = larger(*[absolute(one) for one in found])
    same(found[0], known_aif(own, other).equalized_odds_difference())
    both = pd.concat([own, other])
    both = both[both.known]
    same(
        found[0],
        fairlearn.equalized_odds_difference(
            both.repaid, both.approved, sensitive_features=both.group
        ),
    )
    return found


def odds_ratios(own, other, confidence):
    found = smaller(*two_rates(smaller_over_larger, own, other, divided(confidence, 2)))
    both = pd.concat([own, other])
    both = both[both.known]
    same(
        found[0],
        fairlearn.equalized_odds_ratio(both.repaid, both.approved, sensitive_features=both.group),
    )
    return found


def average_odds(own, other, confidence):
    found = two_rates(difference, own, other, confidence)
    found = bounded(*mover([(0.5, one) for one in found])[:3], -1, 1)
    same(found[0], known_aif(own, other).average_odds_difference())
    return found


def average_absolute_odds(own, other, confidence):
    found = two_rates(difference, own, other, divided(confidence, 2))
    found = np.mean([absolute(one)[:3] for one in found], axis=0)
    same(found[0], known_aif(own, other).average_abs_odds_difference())
    return [*found, None]


OF_DECISIONS = {
    "adverse_impact_ratio": impact,
    "demographic_parity_difference": parity,
    "demographic_parity_ratio": parity_ratio,
    "shortfall": shortfall,
    "denial_odds_ratio": denial_odds,
    "standardised_mean_difference": mean_difference,
    "kolmogorov_smirnov_distance": distance,
}
TESTS = {
    "fisher_exact": fisher,
    "chi_square": chi_square,
    "z_test": z_test,
    "two_standard_deviations": two_deviations,
    "kolmogorov_smirnov_test": distance_test,
}
OF_ODDS = {
    "equalised_odds_difference": odds_difference,
    "equalised_odds_ratio": odds_ratios,
    "average_odds_difference": average_odds,
    "average_absolute_odds_difference": average_absolute_odds,
}


def metrics(own, other, confidence):
    found = []

    def add(name, population, measure, *arguments):
        found.append(entry(name, population, lambda: measure(*arguments)))

    for name, measure in OF_DECISIONS.items():
        add(name, ALL, measure, own, other, confidence)
    for name, test in TESTS.items():
        add(name, ALL, test, own, other)
    for compare, names in ((difference, DIFFERENCES), (ratio, RATIOS)):
        for name, (rate, library) in names.items():
            population = APPROVED if rate == "positive_predictive_value" else KNOWN
            add(name, population, of_rate, compare, rate, library, own, other, confidence)
    for name, measure in OF_ODDS.items():
        add(name, KNOWN, measure, own, other, confidence)
    return found


# ---- all groups at once --------------------------------------------------------------------------


def every_pair(compare, best, counts, confidence):
    """The extreme pair; the error is divided among all pairs."""
    pairs = list(itertools.combinations(counts, 2))
    if not pairs:
        raise Undefined("no_reference_group")
    level = divided(confidence, len(pairs))
    found = []
    for one, other in pairs:
        if compare is smaller_over_larger and one[0] == other[0] == 0:
            continue
        pair_found = compare(one, other, level)
        found.append(absolute(pair_found) if compare is difference else pair_found)
    if not found:
        raise Undefined("zero_denominator")
    return best(*found)


def fairlearn_value(metric, groups):
    rows = pd.concat(groups)
    rows = rows[rows.known] if "parity" not in metric else rows
    call = getattr(fairlearn, metric)
    return call(rows.repaid, rows.approved, sensitive_features=rows.group)


def extremes(groups, confidence):
    found = []

    def add(name, population, compare, best, rates, level, library):
        def measure():
            parts = []
            for rate in rates:
                counts = [selected(rows) if rate is None else pair(rate, rows) for rows in groups]
                parts.append(every_pair(compare, best, counts, level))
            numbers = best(*parts)
            if library is not None:
                same(numbers[0], fairlearn_value(library, groups))
            return numbers

        found.append(entry(name, population, measure))

    tpr, fpr, half = "true_positive_rate", "false_positive_rate", divided(confidence, 2)
    for kind, compare, best in (
        ("difference", difference, larger),
        ("ratio", smaller_over_larger, smaller),
    ):
        both = [tpr, fpr]
        parity = f"demographic_parity_{kind}"
        opportunity = f"equal_opportunity_{kind}"
        add(parity, ALL, compare, best, [None], confidence, parity)
        add(opportunity, KNOWN, compare, best, [tpr], confidence, opportunity)
        add(f"false_positive_rate_{kind}", KNOWN, compare, best, [fpr], confidence, None)
        odds = f"equalized_odds_{kind}"
        add(f"equalised_odds_{kind}", KNOWN, compare, best, both, half, odds)
    found.append(entry("chi_square", ALL, lambda: chi_square_of_all(groups)))
    found.append(entry("between_group_theil_index", KNOWN, lambda: between(groups, 1)))
    found.append(
        entry("between_group_generalised_entropy_index", KNOWN, lambda: between(groups, 2))
    )
    return found


def chi_square_of_all(groups):
    if len(groups) < 2:
        raise Undefined("no_reference_group")
    counts = [[part, whole - part] for part, whole in map(selected, groups)]
    found = stats.chi2_contingency(counts, correction=False)
    return [found.statistic, None, None, found.pvalue]


def between(groups, alpha):
    known = pd.concat([check_labels(rows, KNOWN) for rows in groups])
    value = classification(known).between_all_groups_generalized_entropy_index(alpha=alpha)
    return [value, None, None, None]
