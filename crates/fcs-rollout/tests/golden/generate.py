"""Expected numbers for the statistics of rollouts, from mpmath (40 digits) and scipy.

    pip install -r requirements.txt
    python generate.py          writes statistics.json beside this file

Nothing here follows the closed forms of the crate: likelihoods are binomial probabilities, mixtures are
integrated or summed term by term, ends of intervals are roots. scipy repeats what it can in double precision
and must agree to 1e-6, which guards this file against its own slips.
"""

import json
import random
from pathlib import Path

import mpmath as mp
from scipy import stats

mp.mp.dps = 40

FAILURE = [1.5, 2, 3, 5, 10, 20, 50, 100]
LATENCY = [1.1, 1.25, 1.5, 2, 3, 5, 10, 20, 50, 100]
SIGNS = [0.52, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9]


def exact(x):
    """The decimal number that is written, not the nearest of 64 bits."""
    return mp.mpf(repr(x)) if isinstance(x, float) else mp.mpf(x)


def text(x):
    return None if x is None else mp.nstr(x, 25)


def agree(ours, theirs, what):
    ours, theirs = float(ours), float(theirs)
    assert abs(ours - theirs) <= 1e-6 * max(1.0, abs(theirs)), (what, ours, theirs)


def theta(share, ratio):
    candidate, stable = share * ratio, (1 - share)
    return candidate / (candidate + stable)


def binomial(k, n, p):
    return mp.binomial(n, k) * p**k * (1 - p) ** (n - k)


def likelihood(cells, ratio):
    product = mp.mpf(1)
    for weight, k, m in cells:
        product *= binomial(k, m, theta(exact(weight) / 10000, ratio))
    return product


def worse(cells, tolerated, factors):
    base = likelihood(cells, exact(tolerated))
    terms = [likelihood(cells, exact(f) * exact(tolerated)) / base for f in factors]
    value = mp.fsum(terms) / len(terms)
    log = sum(
        stats.binom.logpmf(k, m, float(theta(exact(w) / 10000, exact(tolerated)))) for w, k, m in cells
    )
    agree(mp.log(base), log, "likelihood")
    return value


def root(f, inside, outside):
    """The change of sign between two points, by bisection in 40 digits."""
    inside, outside = mp.mpf(inside), mp.mpf(outside)
    for _ in range(130):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if f(middle) >= 0 else (inside, middle)
    return inside


def ratio_interval(cells, alpha):
    k, m = sum(c[1] for c in cells), sum(c[2] for c in cells)
    if m == 0:
        return None, mp.mpf(0), None
    prior = [mp.mpf(2) ** (mp.mpf(i) / 2) for i in range(-12, 13)]
    bar = exact(alpha) * mp.fsum(likelihood(cells, g) for g in prior) / len(prior)
    at = lambda x: likelihood(cells, mp.e**x)
    if k == 0:
        estimate, best = mp.mpf(0), mp.mpf(-50)
    elif k == m:
        estimate, best = None, mp.mpf(50)
    else:
        slope = lambda x: mp.fsum(
            c[1] - c[2] * theta(exact(c[0]) / 10000, mp.e**x) for c in cells
        )
        best = root(slope, -50, 50)
        estimate = mp.e**best
    lower = mp.mpf(0) if k == 0 else mp.e ** root(lambda x: at(x) - bar, best, -50)
    upper = None if k == m else mp.e ** root(lambda x: at(x) - bar, best, 50)
    return estimate, lower, upper


def mixture(bad, requests, p):
    """Average of the binomial probability over a uniform share, over that of p."""
    average = mp.mpf(1) / (requests + 1)
    agree(average, stats.betabinom.pmf(bad, requests, 1, 1), "beta-binomial")
    return average / binomial(bad, requests, exact(p))


def rate_interval(bad, requests, alpha):
    inside = lambda p: 1 / exact(alpha) - mixture_at(bad, requests, p)
    best = mp.mpf(bad) / requests
    lower = mp.mpf(0) if bad == 0 else root(inside, best, mp.mpf(10) ** -30)
    upper = mp.mpf(1) if bad == requests else root(inside, best, 1 - mp.mpf(10) ** -30)
    return lower, upper


def mixture_at(bad, requests, p):
    return 1 / ((requests + 1) * binomial(bad, requests, p))


def mismatch(cells):
    product = mp.mpf(1)
    for weight, k, n in cells:
        product *= mixture(k, n, exact(weight) / 10000)
    return product


def signs(slower, faster):
    terms = [(2 * exact(t)) ** slower * (2 * (1 - exact(t))) ** faster for t in SIGNS]
    return mp.fsum(terms) / len(terms)


def means(case):
    """The normal likelihood ratio, integrated over the normal prior instead of its closed form."""
    n, distance = case["values"], exact(case["difference"]) - exact(case["null"])
    noise, prior = 2 * exact(case["variance"]) / n, exact(case["prior_variance"])
    density = lambda x, v: mp.e ** (-(x**2) / (2 * v)) / mp.sqrt(2 * mp.pi * v)
    total = density(distance, noise + prior)
    value = total / density(distance, noise)
    log = stats.norm.logpdf(float(distance), 0, float(mp.sqrt(noise + prior))) - stats.norm.logpdf(
        float(distance), 0, float(mp.sqrt(noise))
    )
    agree(mp.log(value), log, "normal")
    return value


def blocks(rows):
    """Every request by itself, in the order of the blocks."""
    seen, value, prior = [[0, 0], [0, 0]], mp.mpf(1), exact(0.18)
    for block in rows:
        shares = [(bad + prior) / (n + 2 * prior) for n, bad in seen]
        sizes = [n for n, _ in block]
        both = (sizes[0] * shares[0] + sizes[1] * shares[1]) / sum(sizes)
        for (n, bad), share in zip(block, shares):
            for request in range(n):
                value *= share / both if request < bad else (1 - share) / (1 - both)
        seen = [[n + m, b + c] for (n, b), (m, c) in zip(seen, block)]
    return value


def slower(weight, bounds, candidate, stable, tolerated):
    values = []
    for position in range(bounds):
        k, others = sum(candidate[position + 1 :]), sum(stable[position + 1 :])
        values.append(worse([(weight, k, k + others)], tolerated, LATENCY))
    return mp.fsum(values) / bounds


def comparison(cells, tolerated, alpha):
    estimate, lower, upper = ratio_interval(cells, alpha)
    return {
        "cells": cells,
        "tolerated": tolerated,
        "alpha": alpha,
        "ln_worse": text(mp.log(worse(cells, tolerated, FAILURE))),
        "ln_worse_latency": text(mp.log(worse(cells, tolerated, LATENCY))),
        "estimate": text(estimate),
        "lower": text(lower),
        "upper": text(upper),
    }


def comparisons(dice):
    known = [
        [(500, 1, 1)],
        [(500, 2, 2)],
        [(500, 3, 3)],
        [(500, 5, 12)],
        [(2500, 40, 100)],
        [(5000, 66, 100)],
        [(500, 6, 40), (2500, 30, 60)],
        [(500, 0, 50)],
        [(5000, 500, 1000)],
        [(2500, 25, 100)],
        [(2500, 100, 400)],
    ]
    cases = [comparison(cells, t, 0.05) for cells in known for t in (1.0, 1.25)]
    for _ in range(24):
        cells = []
        for weight in sorted(dice.sample([1, 100, 500, 1000, 2500, 5000, 9000, 9999], dice.randint(1, 4))):
            m = dice.randint(0, 10 ** dice.randint(1, 4))
            centre = weight / 10000 * dice.choice([0.3, 1, 1, 2, 6])
            k = min(m, int(m * min(1.0, centre * dice.uniform(0.7, 1.3))))
            cells.append((weight, k, m))
        if sum(c[2] for c in cells) > 0:
            cases.append(comparison(cells, dice.choice([0.8, 1.0, 1.25, 2.0]), dice.choice([0.001, 0.01, 0.05])))
    return cases


def rates(dice):
    cases = [(0, 100, 0.05), (0, 1000, 0.05), (5, 1000, 0.05), (10, 10000, 0.05), (700, 1000, 0.05), (7, 7, 0.05)]
    for _ in range(20):
        n = dice.randint(1, 10 ** dice.randint(1, 5))
        cases.append((int(n * dice.choice([0, 0.001, 0.02, 0.3, 0.9])), n, dice.choice([0.001, 0.01, 0.05])))
    rows = []
    for bad, n, alpha in cases:
        lower, upper = rate_interval(bad, n, alpha)
        rows.append({"bad": bad, "requests": n, "alpha": alpha, "lower": text(lower), "upper": text(upper)})
    return rows


def mismatches():
    cases = [
        [(500, 3, 3)],
        [(2500, 40, 100)],
        [(5000, 66, 100)],
        [(500, 5, 50)],
        [(500, 1802, 36000)],
        [(500, 1802, 36000), (2500, 5000, 25000), (5000, 4000, 8100)],
    ]
    return [{"cells": cells, "ln": text(mp.log(mismatch(cells)))} for cells in cases]


def others(dice):
    pairs = [(0, 0), (10, 0), (60, 40), (520, 480), (5200, 4800), (30, 70)]
    numbers = [
        {"values": 1000, "difference": 0.1, "null": 0.0, "variance": 1.0, "prior_variance": 0.01},
        {"values": 50, "difference": -3.0, "null": 0.5, "variance": 4.0, "prior_variance": 2.0},
        {"values": 100000, "difference": 0.001, "null": 0.0, "variance": 0.25, "prior_variance": 0.0001},
    ]
    rows = [[[dice.randint(1, 40), 0], [dice.randint(1, 400), 0]] for _ in range(30)]
    for candidate, stable in rows:
        candidate[1] = min(candidate[0], dice.randint(0, 4))
        stable[1] = min(stable[0], dice.randint(0, 8))
    latencies = {
        "weight": 2500,
        "bounds_s": [0.1, 0.5, 2.0],
        "candidate": [700, 250, 30, 20],
        "stable": [2400, 520, 60, 20],
    }
    value = slower(2500, 3, latencies["candidate"], latencies["stable"], 1.0)
    return {
        "signs": [{"slower": s, "faster": f, "ln": text(mp.log(signs(s, f)))} for s, f in pairs],
        "means": [{**case, "ln": text(mp.log(means(case)))} for case in numbers],
        "blocks": {"rows": rows, "ln": text(mp.log(blocks(rows)))},
        "latencies": {**latencies, "ln": text(mp.log(value))},
    }


def main():
    dice = random.Random(20261128)
    document = {
        "comparisons": comparisons(dice),
        "rates": rates(dice),
        "mismatches": mismatches(),
        **others(dice),
    }
    target = Path(__file__).with_name("statistics.json")
    lines = []
    for name, value in document.items():
        rows = value if isinstance(value, list) else [value]
        body = ",\n".join(json.dumps(row) for row in rows)
        lines.append(f'"{name}": ' + (f"[\n{body}\n]" if rows is value else body))
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
