"""The digest of the policy document of `src/policy/tests.rs`, by a second derivation.

    python policy_digest.py > policy_digest.txt

Needs nothing but the standard library: for these numbers `json.dumps` with sorted keys and without white
space writes what RFC 8785 asks for.
"""

import hashlib
import json

DAY_S = 86_400
EVIDENCE = {
    "alpha": 0.05,
    "multiplicity": "e_bh",
    "starts": "lifetime",
    "run_length_blocks": 10_000,
    "minimum_group_size": 30,
    "air_floor": 0.8,
    "gap_tolerance": 0.02,
    "feed_stale_after_s": 3_600,
    "side_stale_after_s": DAY_S,
    "clear_valid_for_s": 30 * DAY_S,
}
ALARM = {"raise_after_looks": 1, "clear_hold_s": 3_600, "mute_max_s": 7 * DAY_S}
DRIFT = {
    "significance": 0.01,
    "psi_watch": 0.1,
    "psi_act": 0.25,
    "ks_watch": 0.1,
    "ks_act": 0.2,
    "js_act": 0.1,
    "wasserstein_act": 0.1,
    "rate_change_act": 0.01,
    "vintage_complete_share": 0.9,
}
SEX = {
    "name": "sex",
    "reference": "male",
    "groups": [],
    "channel": "value",
    "air_floor": None,
    "gap_tolerance": None,
    "minimum_group_size": None,
}
RACE = SEX | {
    "name": "race",
    "reference": "white",
    "channel": "proxy",
    "air_floor": 0.9,
    "minimum_group_size": 100,
}
DOCUMENT = {
    "format": 1,
    "name": "us-ecoa",
    "version": 3,
    "jurisdiction": "US",
    "effective_from": "2026-07-21",
    "rationale": "four fifths as in lending practice",
    "evidence": EVIDENCE,
    "alarm": ALARM,
    "drift": DRIFT,
    "attributes": [SEX, RACE],
}

text = json.dumps(DOCUMENT, sort_keys=True, separators=(",", ":"))
print(hashlib.sha256(text.encode()).hexdigest())
