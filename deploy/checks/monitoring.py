"""What every alert must have: a runbook, three tests, a severity that is routed, and no counter as a latch."""
import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).parents[2]
MONITORING = ROOT / "deploy/monitoring"
# Alerts that also fire without any data: that is what they are for.
WITHOUT_DATA = {"Watchdog", "ServiceAbsent", "BackupUnknown"}
RANGES = r"(rate|irate|increase|delta|resets|changes)\("


def latch(query):
    """A counter that is looked at by itself, not by how it grows. It never comes down, so an alert on it never ends."""
    for match in re.finditer(r"\b[a-z_:]+_total\b", query):
        before = query[: match.start()]
        if not re.search(RANGES + r"\s*$", before):
            return match.group()
    return None


def problems():
    documents = [yaml.safe_load(file.read_text()) for file in sorted((MONITORING / "rules").glob("*.yml"))]
    tests = [test for file in (MONITORING / "tests").glob("*.yml") for test in yaml.safe_load(file.read_text())["tests"]]
    pages = {page.stem for page in (ROOT / "docs/runbooks").glob("*.md")} - {"README"}
    alerts = {}
    for document in documents:
        for rule in (rule for group in document["groups"] for rule in group["rules"]):
            name = rule.get("alert") or rule["record"]
            if counter := latch(rule["expr"]):
                yield f"{name}: {counter} is a counter; ask how it grows"
            if "alert" in rule:
                alerts[name] = rule
                yield from of_alert(name, rule, tests)
    yield from (f"{page}: a runbook without an alert" for page in pages - set(alerts))


def of_alert(name, rule, tests):
    annotations = rule.get("annotations", {})
    if annotations.get("runbook") != f"docs/runbooks/{name}.md" or not (ROOT / annotations["runbook"]).is_file():
        yield f"{name}: no runbook"
    if not annotations.get("summary"):
        yield f"{name}: no summary"
    if rule["labels"]["severity"] not in ("critical", "warning", "none"):
        yield f"{name}: severity"
    own = {test["name"].removeprefix(f"{name} "): test for test in tests if test["name"].split()[0] == name}
    fires, quiet = own.get("fires"), own.get("does not fire")
    absent = [test for kind, test in own.items() if "without data" in kind]
    if not fires or not absent or (not quiet and name != "Watchdog"):
        yield f"{name}: tests are {sorted(own)}"
        return
    if not expected(fires) or (quiet and expected(quiet)):
        yield f"{name}: a test that expects the wrong thing"
    if bool(expected(absent[0])) != (name in WITHOUT_DATA) or absent[0].get("input_series"):
        yield f"{name}: the test without data"


def expected(test):
    return test["promql_expr_test"][0]["exp_samples"]


if __name__ == "__main__":
    assert latch("bias_detection_alerts_total > 0") and not latch("increase(a_total[5m]) > 0")
    found = list(problems())
    print("\n".join(found) or "monitoring: every alert has its runbook and tests", file=sys.stderr if found else sys.stdout)
    sys.exit(bool(found))
