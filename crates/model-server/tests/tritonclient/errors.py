"""The error table of the protocol, row by row, over gRPC and over HTTP."""

import gzip
import json

import grpc
import numpy as np
from common import MODEL, request
from tritonclient.grpc import service_pb2, service_pb2_grpc


def message(golden, **changes):
    """A good request, with some of its parts replaced."""
    rows = golden.rows[:2]
    tensor = service_pb2.ModelInferRequest.InferInputTensor(
        name=changes.get("name", "features"),
        datatype=changes.get("datatype", "FP64"),
        shape=changes.get("shape", rows.shape),
    )
    call = service_pb2.ModelInferRequest(
        model_name=changes.get("model", MODEL), model_version=changes.get("version", "")
    )
    if "typed" in changes:
        tensor.contents.fp64_contents.extend(changes["typed"])
    call.inputs.extend([tensor] * changes.get("copies", 1))
    call.raw_input_contents.extend(changes.get("raw", [rows.tobytes()] * changes.get("copies", 1)))
    for name in changes.get("outputs", []):
        call.outputs.add(name=name)
    if "timeout" in changes:
        call.parameters["timeout"].int64_param = changes["timeout"]
    return call


def errors_grpc(checks, address, golden):
    """The error table over gRPC."""
    stub = service_pb2_grpc.GRPCInferenceServiceStub(grpc.insecure_channel(address))
    width = golden.rows.shape[1]
    flat = golden.rows[:2].flatten().tolist()
    many = np.zeros((1025, width))
    cases = [
        ("unknown model", {"model": "nobody"}, "NOT_FOUND"),
        ("unknown version", {"version": "9"}, "NOT_FOUND"),
        ("strange name", {"model": "../x"}, "NOT_FOUND"),
        ("wrong input name", {"name": "other"}, "INVALID_ARGUMENT"),
        ("wrong shape", {"shape": [2, width - 1]}, "INVALID_ARGUMENT"),
        ("wrong dtype", {"datatype": "INT32"}, "INVALID_ARGUMENT"),
        ("no such dtype", {"datatype": "FP65"}, "INVALID_ARGUMENT"),
        ("no inputs", {"copies": 0}, "INVALID_ARGUMENT"),
        ("unknown output", {"outputs": ["other"]}, "INVALID_ARGUMENT"),
        ("output twice", {"outputs": ["margin", "margin"]}, "INVALID_ARGUMENT"),
        ("typed and raw", {"typed": flat}, "INVALID_ARGUMENT"),
        ("raw too short", {"raw": [b"1234567"]}, "INVALID_ARGUMENT"),
        ("more raw than inputs", {"raw": [golden.rows[:2].tobytes(), b""]}, "INVALID_ARGUMENT"),
        ("negative dimension", {"shape": [-1, width]}, "INVALID_ARGUMENT"),
        ("overflow", {"shape": [2**62, width]}, "INVALID_ARGUMENT"),
        ("overflow to zero", {"shape": [2**62, 4]}, "INVALID_ARGUMENT"),
        ("duplicate input", {"copies": 2}, "INVALID_ARGUMENT"),
        ("over max batch", {"shape": many.shape, "raw": [many.tobytes()]}, "INVALID_ARGUMENT"),
        ("infinite", {"raw": [np.full((2, width), np.inf).tobytes()]}, "INVALID_ARGUMENT"),
        ("deadline", {"timeout": 1}, "DEADLINE_EXCEEDED"),
    ]
    for name, changes, code in cases:
        try:
            stub.ModelInfer(message(golden, **changes))
            checks.that(name, False, "an answer")
        except grpc.RpcError as error:
            checks.equal(name, error.code().name, code)
    ready = stub.ModelReady(service_pb2.ModelReadyRequest(name="nobody"))
    checks.equal("unknown model is not ready", ready.ready, False)
    filtered = stub.ModelInfer(message(golden, outputs=["margin"]))
    checks.equal("only what was asked for", [output.name for output in filtered.outputs], ["margin"])
    typed = stub.ModelInfer(message(golden, typed=flat, raw=[]))
    checks.equal("typed in, raw back", len(typed.raw_output_contents), len(typed.outputs))
    found = np.frombuffer(typed.raw_output_contents[1], dtype="<f8").reshape(-1, 1)
    checks.close("typed in, same margins", found, golden.margins[:2])
    empty = stub.ModelInfer(message(golden, shape=[0, width], raw=[b""]))
    checks.equal("empty batch", list(empty.outputs[0].shape), [0, 1])
    for call, argument in [
        (stub.RepositoryModelLoad, service_pb2.RepositoryModelLoadRequest(model_name="nobody")),
        (stub.RepositoryModelUnload, service_pb2.RepositoryModelUnloadRequest(model_name="nobody")),
        (stub.ModelMetadata, service_pb2.ModelMetadataRequest(name="nobody")),
        (stub.ModelConfig, service_pb2.ModelConfigRequest(name="nobody")),
        (stub.ModelStatistics, service_pb2.ModelStatisticsRequest(name="nobody")),
    ]:
        try:
            call(argument)
            checks.that(f"{argument}", False, "an answer")
        except grpc.RpcError as error:
            checks.equal(f"{type(argument).__name__}", error.code().name, "NOT_FOUND")
    try:
        stub.SystemSharedMemoryStatus(service_pb2.SystemSharedMemoryStatusRequest())
        checks.that("shared memory", False, "an answer")
    except grpc.RpcError as error:
        checks.equal("shared memory", error.code().name, "UNIMPLEMENTED")


def errors_http(checks, address, golden):
    """The error table over HTTP; every error is JSON with a text named error."""
    width = golden.rows.shape[1]
    path = f"/v2/models/{MODEL}/infer"
    rows = golden.rows[:2].tolist()

    def body(outputs=None, parameters=None, **changes):
        tensor = {"name": "features", "shape": [2, width], "datatype": "FP64", "data": rows} | changes
        call = {"inputs": [tensor]}
        if outputs:
            call["outputs"] = [{"name": name} for name in outputs]
        if parameters:
            call["parameters"] = parameters
        return json.dumps(call).encode()

    good = json.loads(body())
    twice = json.dumps({"inputs": good["inputs"] * 2}).encode()
    cases = [
        ("unknown model", "POST", "/v2/models/nobody/infer", body(), 404),
        ("unknown version", "POST", f"/v2/models/{MODEL}/versions/9/infer", body(), 404),
        ("model not ready", "GET", "/v2/models/nobody/ready", None, 404),
        ("unknown metadata", "GET", "/v2/models/nobody", None, 404),
        ("no route", "GET", "/v2/nowhere", None, 404),
        ("method", "DELETE", path, None, 405),
        ("wrong input name", "POST", path, body(name="other"), 400),
        ("wrong shape", "POST", path, body(shape=[2, width - 1]), 400),
        ("transposed", "POST", path, body(data=np.array(rows).T.tolist()), 400),
        ("wrong dtype", "POST", path, body(datatype="INT32"), 400),
        ("no inputs", "POST", path, b'{"inputs": []}', 400),
        ("missing inputs", "POST", path, b"{}", 400),
        ("malformed", "POST", path, b'{"inputs": [', 400),
        ("no body", "POST", path, b"", 400),
        ("text for number", "POST", path, body(data=["x"] * (2 * width)), 400),
        ("NaN is no JSON", "POST", path, body().replace(b"[[", b"[[NaN, ", 1), 400),
        ("unknown output", "POST", path, body(outputs=["other"]), 400),
        ("negative dimension", "POST", path, body(shape=[-1, width]), 400),
        ("overflow", "POST", path, body(shape=[2**62, 4]), 400),
        ("duplicate input", "POST", path, twice, 400),
        ("over max batch", "POST", path, body(shape=[1025, width], data=[0.0] * (1025 * width)), 400),
        ("deadline", "POST", path, body(parameters={"timeout": 1}), 504),
        ("too large", "POST", path, b" " * ((8 << 20) + 1), 413),
        ("load unknown", "POST", "/v2/repository/models/nobody/load", b"{}", 404),
        ("unload unknown", "POST", "/v2/repository/models/nobody/unload", b"{}", 404),
    ]
    for name, method, where, content, status in cases:
        answer = request(address, method, where, content)
        checks.equal(f"http {name}", answer.status, status)
        has_error(checks, name, answer)
    length = {"Inference-Header-Content-Length": "999999"}
    answer = request(address, "POST", path, body(), length)
    checks.equal("length beyond the body", answer.status, 400)
    tensor = good["inputs"][0] | {"parameters": {"binary_data_size": 8}}
    del tensor["data"]
    short = json.dumps({"inputs": [tensor]}).encode()
    answer = request(address, "POST", path, short + b"12345678", {"Inference-Header-Content-Length": str(len(short))})
    checks.equal("raw too short", answer.status, 400)
    answer = request(address, "POST", path, b"x", {"Content-Encoding": "br"})
    checks.equal("unknown encoding", answer.status, 415)
    has_error(checks, "unknown encoding", answer)
    bomb = gzip.compress(b" " * (64 << 20))
    answer = request(address, "POST", path, bomb, {"Content-Encoding": "gzip"})
    checks.equal("a bomb", answer.status, 413)
    has_error(checks, "a bomb", answer)
    empty = request(address, "POST", path, body(shape=[0, width], data=[]))
    checks.equal("empty batch", json.loads(empty.body)["outputs"][0]["shape"], [0, 1])
    for data in [rows, np.array(rows).flatten().tolist()]:
        answer = request(address, "POST", path, body(data=data, outputs=None))
        outputs = {output["name"]: output for output in json.loads(answer.body)["outputs"]}
        checks.close("nested or flat", np.array(outputs["margin"]["data"]).reshape(-1, 1), golden.margins[:2])
    missing = [[None] * width]
    answer = request(address, "POST", path, body(shape=[1, width], data=missing))
    checks.equal("null is missing", answer.status, 200)
    checks.that("never NaN", b"NaN" not in answer.body, answer.body)


def has_error(checks, name, answer):
    try:
        text = json.loads(answer.body)["error"]
        checks.that(f"http {name}: a text", isinstance(text, str) and text, answer.body)
    except (ValueError, KeyError, TypeError):
        checks.that(f"http {name}: an error in JSON", False, answer.body)
