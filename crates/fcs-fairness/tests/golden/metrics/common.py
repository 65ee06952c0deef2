"""What both halves of the golden numbers share."""

import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import Table2x2
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

ALL, APPROVED, KNOWN = "all_decisions", "approved_with_known_outcome", "known_outcome"


class Undefined(Exception):
    """A metric without a value; the reason is its argument."""


def same(*values):
    """The first of several libraries' values; they must agree."""
    for value in values[1:]:
        assert abs(value - values[0]) <= 1e-12 * max(1, abs(values[0])), values
    return float(values[0])


def entry(name, population, measure, share=None):
    """One metric as a list; `measure` gives [value, lower, upper, p-value] or raises Undefined."""
    try:
        numbers = [None if number is None else float(number) for number in measure()]
        assert all(number is None or np.isfinite(number) for number in numbers), (name, numbers)
        return [name, population, share, *numbers, None]
    except Undefined as reason:
        return [name, population, share, None, None, None, None, str(reason)]


def bounded(value, lower, upper, least=-np.inf, most=np.inf):
    """An interval within the range of the metric that contains its value."""
    return [value, min(max(lower, least), value), max(min(upper, most), value), None]


def divided(confidence, intervals):
    return 1 - (1 - confidence) / intervals


def critical(confidence):
    return stats.norm.isf((1 - confidence) / 2)


def wilson(part, whole, confidence):
    if whole == 0:
        raise Undefined("zero_denominator")
    lower, upper = proportion_confint(part, whole, alpha=1 - confidence, method="wilson")
    return bounded(part / whole, lower, upper)


def halves(own, other):
    if any(part in (0, whole) for part, whole in (own, other)):
        return [(part + 0.5, whole + 1) for part, whole in (own, other)]
    return own, other


def difference(own, other, confidence):
    """Newcombe's interval of two (part, whole) pairs."""
    if own[1] == 0 or other[1] == 0:
        raise Undefined("zero_denominator")
    lower, upper = confint_proportions_2indep(
        *own, *other, compare="diff", method="newcomb", alpha=1 - confidence
    )
    return bounded(own[0] / own[1] - other[0] / other[1], lower, upper, -1, 1)


def ratio(own, other, confidence):
    """Katz's interval; with an all-or-nothing group, of the counts plus one half on each side."""
    if own[1] == 0 or other[1] == 0 or other[0] == 0:
        raise Undefined("zero_denominator")
    value = (own[0] / own[1]) / (other[0] / other[1])
    lower, upper = confint_proportions_2indep(
        *halves(own, other)[0],
        *halves(own, other)[1],
        compare="ratio",
        method="log",
        alpha=1 - confidence,
    )
    return bounded(value, lower, upper)


def odds_ratio(own, other, confidence):
    """Woolf's interval."""
    if (own[1] - own[0]) * other[0] == 0:
        raise Undefined("zero_denominator")
    value = own[0] * (other[1] - other[0]) / ((own[1] - own[0]) * other[0])
    cells = [[part, whole - part] for part, whole in halves(own, other)]
    table = Table2x2(np.array(cells, dtype=float), shift_zeros=False)
    return bounded(value, *table.oddsratio_confint(alpha=1 - confidence))


def smaller_over_larger(own, other, confidence):
    if own[1] == 0 or other[1] == 0:
        raise Undefined("zero_denominator")
    if own[0] / own[1] > other[0] / other[1]:
        own, other = other, own
    value, lower, upper, _ = ratio(own, other, confidence)
    return bounded(value, min(lower, 1 / upper), min(upper, 1))


def absolute(found):
    value, lower, upper, _ = found
    return [abs(value), max(lower, -upper, 0), max(upper, -lower), None]


def larger(*found):
    return [*np.max([numbers[:3] for numbers in found], axis=0), None]


def smaller(*found):
    return [*np.min([numbers[:3] for numbers in found], axis=0), None]


def mover(terms):
    """A weighted sum of independent estimates (Zou and Donner)."""
    value = sum(weight * found[0] for weight, found in terms)
    below = above = 0.0
    for weight, (middle, lower, upper, _) in terms:
        ends = sorted([weight * lower, weight * upper])
        below += (weight * middle - ends[0]) ** 2
        above += (ends[1] - weight * middle) ** 2
    return [value, value - np.sqrt(below), value + np.sqrt(above), None]


def check_labels(rows, population):
    """Known outcomes, or why they do not do."""
    if not rows.known.any():
        raise Undefined("no_outcomes")
    declined = rows[rows.approved == 0]
    if population == KNOWN and len(declined) > 0 and not declined.known.any():
        raise Undefined("selective_labels")
    known = rows[rows.known]
    return known[known.approved == 1] if population == APPROVED else known
