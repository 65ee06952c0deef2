"""What the checks share: expected numbers, requests and the count of failures."""

import copy
import csv
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
from tritonclient.utils import InferenceServerException

MODEL = "boston-hmda"
OUTPUTS = ["probability", "margin", "contributions", "base_margin"]


class Checks:
    """Counts checks and keeps what failed."""

    def __init__(self):
        self.count = 0
        self.failures = []

    def that(self, name, good, found=""):
        self.count += 1
        if not good:
            self.failures.append(f"{name}: found {found}")

    def equal(self, name, found, expected):
        self.that(name, found == expected, f"{found!r}, expected {expected!r}")

    def close(self, name, found, expected):
        good = np.shape(found) == np.shape(expected) and np.allclose(found, expected, rtol=1e-12, atol=1e-12)
        self.that(name, good, found)


class Golden:
    """Rows with the margins and probabilities of the training library."""

    def __init__(self, path):
        with Path(path).open(newline="") as file:
            header, *rows = csv.reader(file)
        numbers = np.array([[float(text or "nan") for text in row] for row in rows])
        self.names = header[:-2]
        self.rows = numbers[:, :-2]
        self.margins = numbers[:, -2:-1]
        self.probabilities = numbers[:, -1:]

    def complete(self):
        """The rows without a missing value: the client writes NaN into its JSON, which is none."""
        rows = copy.copy(self)
        there = ~np.isnan(self.rows).any(axis=1)
        rows.rows, rows.margins = self.rows[there], self.margins[there]
        rows.probabilities = self.probabilities[there]
        return rows


def inputs(module, golden, datatype="FP64", binary=None):
    kind = {"FP64": np.float64, "FP32": np.float32}[datatype]
    tensor = module.InferInput("features", list(golden.rows.shape), datatype)
    arguments = {} if binary is None else {"binary_data": binary}
    tensor.set_data_from_numpy(golden.rows.astype(kind), **arguments)
    return [tensor]


def verify(checks, name, result, golden, outputs=("probability", "margin")):
    if "margin" in outputs:
        checks.close(f"{name}: margin", result.as_numpy("margin"), golden.margins)
    if "probability" in outputs:
        checks.close(f"{name}: probability", result.as_numpy("probability"), golden.probabilities)
    if "contributions" in outputs:
        contributions = result.as_numpy("contributions")
        checks.equal(f"{name}: shape of contributions", contributions.shape, golden.rows.shape)
        total = result.as_numpy("base_margin") + contributions.sum(axis=1, keepdims=True)
        checks.that(f"{name}: additive", np.abs(total - golden.margins).max() < 1e-9, total)


def refuses(checks, name, call, status):
    try:
        call()
        checks.that(name, False, "an answer")
    except InferenceServerException as error:
        checks.that(name, status in str(error.status()), error)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


def request(address, method, path, body=None, headers=None):
    call = urllib.request.Request(f"http://{address}{path}", data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(call, timeout=20) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers, error.read())
