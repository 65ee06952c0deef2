"""Writes rules.yaml from deploy/monitoring/rules; with --check, fails when it differs from what it would write."""
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
RULES = HERE.parents[2] / "monitoring/rules"
HEAD = """# Made by rules.py from deploy/monitoring/rules: change those.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {name}
spec:
"""


def resource(file):
    body = "".join(f"  {line}".rstrip() + "\n" for line in file.read_text().splitlines())
    return HEAD.format(name=f"fair-credit-scorer-{file.stem}") + body


if __name__ == "__main__":
    text = "---\n".join(resource(file) for file in sorted(RULES.glob("*.yml")))
    if "--check" in sys.argv:
        sys.exit(0 if (HERE / "rules.yaml").read_text() == text else "rules.yaml is stale: run rules.py")
    (HERE / "rules.yaml").write_text(text)
