"""Asks the gateway for a decision over gRPC, again with the same key, and for its explanation.

    pip install -r examples/python/requirements.txt
    python examples/python/score.py --target localhost:8000 --application-id A-1 \
        --feature dir=0.3 --feature ccs=no_slow_payments

The bindings are generated from the contracts in proto/ at the start; a program of yours would do it once.
"""

import argparse
import json
import pathlib
import random
import sys
import tempfile
import time

import grpc
from grpc_tools import protoc

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"
CONTRACT = "faircredit/scoring/v1/scoring.proto"
ATTEMPTS_MAX = 6
DEADLINE_SECONDS = 10
# The same request may succeed later; its key keeps it from being decided twice.
MAY_PASS = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}


def bindings():
    """The modules of messages and of stubs."""
    folder = tempfile.mkdtemp(prefix="faircredit-")
    arguments = ["", f"-I{PROTO}", f"--python_out={folder}", f"--grpc_python_out={folder}", CONTRACT]
    if protoc.main(arguments) != 0:
        sys.exit("the contracts could not be compiled")
    sys.path.insert(0, folder)
    from faircredit.scoring.v1 import scoring_pb2, scoring_pb2_grpc

    return scoring_pb2, scoring_pb2_grpc


def feature_value(messages, text):
    """A number where the text is one, else the name of a category."""
    try:
        return messages.FeatureValue(number=float(text))
    except ValueError:
        return messages.FeatureValue(category=text)


def call(method, request):
    """Calls until there is an answer, an error that stays, or the time is up; waits longer each time."""
    end = time.monotonic() + DEADLINE_SECONDS
    for attempt in range(ATTEMPTS_MAX):
        try:
            return method(request, timeout=max(end - time.monotonic(), 0.001))
        except grpc.RpcError as error:
            wait = random.uniform(0, min(0.05 * 2**attempt, 2))
            last = attempt + 1 == ATTEMPTS_MAX or time.monotonic() + wait >= end
            if error.code() not in MAY_PASS or last:
                raise
            time.sleep(wait)
    raise AssertionError("the last attempt returns or raises")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", default="localhost:8000", help="host:port of the gateway")
    parser.add_argument("--application-id", required=True)
    parser.add_argument("--idempotency-key", help="by default one made of the application id")
    parser.add_argument("--feature", action="append", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    messages, services = bindings()
    features = dict(pair.split("=", 1) for pair in arguments.feature)
    request = messages.ScoreRequest(
        idempotency_key=arguments.idempotency_key or f"python-{arguments.application_id}",
        application_id=arguments.application_id,
        features={name: feature_value(messages, text) for name, text in features.items()},
    )
    with grpc.insecure_channel(arguments.target) as channel:
        gateway = services.ScoringServiceStub(channel)
        try:
            first = call(gateway.Score, request)
            again = call(gateway.Score, request)
            why = messages.ExplainDecisionRequest(decision_id=first.decision.decision_id)
            explanation = call(gateway.ExplainDecision, why)
        except grpc.RpcError as error:
            sys.exit(f"{error.code().name}: {error.details()}")
    record = json.loads(first.decision.record)
    json.dump(
        {
            "decision_id": first.decision.decision_id,
            "outcome": record["outcome"],
            "score": first.decision.score,
            "principal_reasons": [reason.text for reason in first.decision.principal_reasons],
            "strongest_feature": explanation.features[0].name,
            "same_answer_again": again.replayed and again.decision == first.decision,
        },
        sys.stdout,
        indent=2,
    )
    print()


if __name__ == "__main__":
    main()
