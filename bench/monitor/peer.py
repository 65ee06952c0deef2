"""One peer of the monitor's report: reads the rows once, then measures at each line "run".

    peer.py fairlearn | fairlearn_counts | fairlearn_bare | aif360 | evidently

Answers are lines of JSON: seconds of CPU time, and the numbers by "attribute group metric".
"""

import importlib
import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

ATTRIBUTES = ["sex", "race", "age_band"]


def read(folder):
    column = lambda name, kind: np.fromfile(Path(folder) / f"{name}.bin", dtype=kind)
    rows = pd.DataFrame({name: column(name, np.uint8) for name in ATTRIBUTES})
    rows["approved"] = column("approved", np.uint8)
    rows["repaid"] = column("repaid", np.uint8)
    rows["score"] = column("score", np.float64)
    return rows


class Fairlearn:
    """A MetricFrame, and parity and odds from it rather than by functions that make frames of their own."""

    library = "fairlearn.metrics"
    weighted = False

    def load(self, rows):
        self.rows = rows

    def run(self):
        from fairlearn.metrics import (
            MetricFrame,
            count,
            false_positive_rate,
            selection_rate,
            true_positive_rate,
        )

        rates = {
            "selection_rate": selection_rate,
            "true_positive_rate": true_positive_rate,
            "false_positive_rate": false_positive_rate,
        }
        metrics = rates if self.weighted else {"count": count, **rates}
        values = {}
        for attribute in ATTRIBUTES:
            truth, decided, groups, weight = self.arrays(attribute)
            params = {name: {"sample_weight": weight} for name in rates} if self.weighted else None
            frame = MetricFrame(
                metrics=metrics,
                y_true=truth,
                y_pred=decided,
                sensitive_features=groups,
                sample_params=params,
            )
            for group, row in frame.by_group.iterrows():
                for name, value in row.items():
                    values[f"{attribute} {group} {name}"] = float(value)
            apart, ratio = frame.difference(), frame.ratio()
            odds = ["true_positive_rate", "false_positive_rate"]
            overall = {
                "demographic_parity_difference": apart["selection_rate"],
                "demographic_parity_ratio": ratio["selection_rate"],
                "equalised_odds_difference": apart[odds].max(),
                "equalised_odds_ratio": ratio[odds].min(),
            }
            for name, value in overall.items():
                values[f"{attribute} overall {name}"] = float(value)
        return values

    def arrays(self, attribute):
        return self.rows["repaid"], self.rows["approved"], self.rows[attribute], None


class FairlearnCounts(Fairlearn):
    """The same on one weighted row for each group, decision and outcome: the counts that ours has."""

    weighted = True

    def load(self, rows):
        self.counts = {}
        for attribute in ATTRIBUTES:
            cells = rows.groupby([attribute, "approved", "repaid"]).size()
            self.counts[attribute] = cells.reset_index(name="weight")

    def arrays(self, attribute):
        cells = self.counts[attribute]
        return cells["repaid"], cells["approved"], cells[attribute], cells["weight"]


class FairlearnBare(Fairlearn):
    """One MetricFrame of one metric on rows: the least that MetricFrame does."""

    def run(self):
        from fairlearn.metrics import MetricFrame, selection_rate

        values = {}
        for attribute in ATTRIBUTES:
            truth, decided, groups, _ = self.arrays(attribute)
            frame = MetricFrame(
                metrics=selection_rate, y_true=truth, y_pred=decided, sensitive_features=groups
            )
            for group, value in frame.by_group.items():
                values[f"{attribute} {group} selection_rate"] = float(value)
        return values


class Aif360:
    """ClassificationMetric of each group against the largest."""

    library = "aif360.metrics"

    def load(self, rows):
        self.rows = rows

    def run(self):
        from aif360.datasets import BinaryLabelDataset
        from aif360.metrics import ClassificationMetric

        values = {}
        for attribute in ATTRIBUTES:
            frame = self.rows[[attribute, "repaid"]].astype(float)
            truth = BinaryLabelDataset(
                df=frame, label_names=["repaid"], protected_attribute_names=[attribute]
            )
            decided = truth.copy()
            decided.labels = self.rows["approved"].to_numpy(float).reshape(-1, 1)
            sizes = self.rows[attribute].value_counts()
            reference = sizes.index[0]
            for group in sizes.index[1:]:
                metric = ClassificationMetric(
                    truth, decided, [{attribute: float(group)}], [{attribute: float(reference)}]
                )
                found = {
                    "count": metric.num_instances(privileged=False),
                    "selection_rate": metric.selection_rate(privileged=False),
                    "true_positive_rate": metric.true_positive_rate(privileged=False),
                    "false_positive_rate": metric.false_positive_rate(privileged=False),
                    "demographic_parity_difference": metric.statistical_parity_difference(),
                    "average_odds_difference": metric.average_odds_difference(),
                }
                for name, value in found.items():
                    values[f"{attribute} {group} {name}"] = float(value)
        return values


class Evidently:
    """Recall and false positive rate of each group's rows: it has no metric of groups."""

    library = "evidently"

    def load(self, rows):
        self.rows = rows.astype({"approved": int, "repaid": int})

    def run(self):
        from evidently import BinaryClassification, DataDefinition, Dataset, Report
        from evidently.metrics import FPR, Recall, RowCount

        columns = BinaryClassification(target="repaid", prediction_labels="approved", pos_label=1)
        definition = DataDefinition(classification=[columns])
        names = ["count", "true_positive_rate", "false_positive_rate"]
        values = {}
        for attribute in ATTRIBUTES:
            for group, rows in self.rows.groupby(attribute):
                data = Dataset.from_pandas(rows[["repaid", "approved"]], data_definition=definition)
                report = Report([RowCount(), Recall(), FPR()]).run(data, None)
                for name, metric in zip(names, report.dict()["metrics"], strict=True):
                    values[f"{attribute} {group} {name}"] = float(metric["value"])
        return values


CONTENDERS = {
    "fairlearn": Fairlearn,
    "fairlearn_counts": FairlearnCounts,
    "fairlearn_bare": FairlearnBare,
    "aif360": Aif360,
    "evidently": Evidently,
}


def main():
    # What libraries print must not be taken for an answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    contender = CONTENDERS[sys.argv[1]]()
    # Importing takes seconds, and is not what is measured.
    importlib.import_module(contender.library)
    contender.load(read(sys.stdin.readline().strip()))
    print("{}", file=answers, flush=True)
    for _ in sys.stdin:
        start = time.process_time()
        values = contender.run()
        seconds = time.process_time() - start
        print(json.dumps({"seconds": seconds, "values": values}), file=answers, flush=True)


main()
