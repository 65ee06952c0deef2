"""Drives a running model server with Triton's own client.

Each section is one way in; the server must hold boston-hmda/1. Expected margins come from the package's golden
rows, which the training library computed. Prints one line per failure and ends with 1 if there was any.
"""

import argparse
import asyncio
import json
import sys
import threading

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_grpc_aio
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_aio
from common import MODEL, OUTPUTS, Checks, Golden, inputs, refuses, request, verify
from errors import errors_grpc, errors_http
from google.protobuf.json_format import MessageToDict


def surface(checks, client, metadata_of):
    """What every client of the protocol asks first."""
    checks.that("live", client.is_server_live())
    checks.that("ready", client.is_server_ready())
    checks.that("model ready", client.is_model_ready(MODEL))
    checks.that("model version ready", client.is_model_ready(MODEL, "1"))
    checks.that("unknown model is not ready", client.is_model_ready("nobody") is False)
    metadata = metadata_of(client.get_model_metadata(MODEL))
    checks.equal("versions", metadata["versions"], ["1"])
    checks.equal("outputs", [tensor["name"] for tensor in metadata["outputs"]], OUTPUTS)
    checks.equal("inputs", [tensor["name"] for tensor in metadata["inputs"]], ["features"])
    checks.that("server metadata", metadata_of(client.get_server_metadata())["extensions"])
    config = metadata_of(client.get_model_config(MODEL))
    config = config.get("config", config)
    checks.equal("max batch size", config["max_batch_size"], 1024)


def grpc_sync(checks, address, golden):
    client = triton_grpc.InferenceServerClient(address)
    surface(checks, client, to_dict)
    for datatype in ["FP64", "FP32"]:
        result = client.infer(MODEL, inputs(triton_grpc, golden, datatype))
        if datatype == "FP64":
            verify(checks, f"grpc {datatype}", result, golden)
            checks.that("contributions only on request", result.as_numpy("contributions") is None)
        else:
            checks.equal("grpc FP32", result.as_numpy("margin").shape, golden.margins.shape)
    wanted = [triton_grpc.InferRequestedOutput(name) for name in OUTPUTS]
    for compression in [None, "gzip", "deflate"]:
        result = client.infer(
            MODEL,
            inputs(triton_grpc, golden),
            outputs=wanted,
            request_id="order-7",
            compression_algorithm=compression,
        )
        verify(checks, f"grpc {compression}", result, golden, OUTPUTS)
        checks.equal("id comes back", result.get_response().id, "order-7")
        checks.equal("version", result.get_response().model_version, "1")
    before = client.get_inference_statistics(MODEL).model_stats[0]
    client.infer(MODEL, inputs(triton_grpc, golden))
    after = client.get_inference_statistics(MODEL).model_stats[0]
    checks.equal("one more request", after.execution_count - before.execution_count, 1)
    checks.equal("so many more rows", after.inference_count - before.inference_count, len(golden.rows))
    index = {(model.name, model.version): model.state for model in client.get_model_repository_index().models}
    checks.equal("index", index[(MODEL, "1")], "READY")
    stream(checks, client, golden)


def to_dict(message):
    return MessageToDict(message, preserving_proto_field_name=True)


def stream(checks, client, golden):
    """Answers come in order, and a bad request ends nothing."""
    answers, done = [], threading.Event()

    def take(result, error):
        answers.append((result, error))
        if len(answers) == 3:
            done.set()

    client.start_stream(take)
    client.async_stream_infer(MODEL, inputs(triton_grpc, golden), request_id="1")
    client.async_stream_infer("nobody", inputs(triton_grpc, golden), request_id="2")
    client.async_stream_infer(MODEL, inputs(triton_grpc, golden), request_id="3")
    checks.that("three answers", done.wait(20), len(answers))
    client.stop_stream()
    checks.equal("only the second failed", [error is None for _, error in answers], [True, False, True])
    verify(checks, "stream", answers[2][0], golden)
    checks.equal("in order", answers[2][0].get_response().id, "3")


def http_sync(checks, address, golden):
    client = triton_http.InferenceServerClient(address, concurrency=2)
    surface(checks, client, lambda body: body)
    verify(checks, "http missing", client.infer(MODEL, inputs(triton_http, golden)), golden)
    golden = golden.complete()
    for binary_in in [True, False]:
        result = client.infer(MODEL, inputs(triton_http, golden, binary=binary_in))
        verify(checks, f"http binary_in={binary_in}", result, golden)
        for binary_out in [True, False]:
            wanted = [triton_http.InferRequestedOutput(name, binary_data=binary_out) for name in OUTPUTS]
            for compression in [None, "gzip", "deflate"]:
                result = client.infer(
                    MODEL,
                    inputs(triton_http, golden, binary=binary_in),
                    model_version="1",
                    outputs=wanted,
                    request_id="order-7",
                    request_compression_algorithm=compression,
                    response_compression_algorithm=compression,
                )
                verify(checks, f"http {binary_in} {binary_out} {compression}", result, golden, OUTPUTS)
                checks.equal("id comes back", result.get_response()["id"], "order-7")
    stats = client.get_inference_statistics(MODEL)["model_stats"][0]
    checks.that("statistics count", stats["inference_stats"]["success"]["count"] > 0, stats)
    checks.that("all statistics", client.get_inference_statistics()["model_stats"])
    index = {model["name"]: model["state"] for model in client.get_model_repository_index()}
    checks.equal("index", index[MODEL], "READY")
    raw = request(
        address, "POST", f"/v2/models/{MODEL}/infer", golden.rows.tobytes(), {"Inference-Header-Content-Length": "0"}
    )
    length = int(raw.headers["Inference-Header-Content-Length"])
    head, tensors = json.loads(raw.body[:length]), raw.body[length:]
    sizes = [output["parameters"]["binary_data_size"] for output in head["outputs"]]
    checks.equal("a body of nothing but rows", sum(sizes), len(tensors))
    by_name(checks, client, golden)


def by_name(checks, client, golden):
    """One input for each feature, as the metadata's property describes them."""
    metadata = client.get_model_metadata(MODEL)
    named = json.loads(metadata["properties"]["named_inputs"])
    checks.equal("named inputs", [feature["name"] for feature in named], golden.names)
    tensors = []
    for column, feature in enumerate(named):
        values = golden.rows[:, column]
        if feature["datatype"] == "BYTES":
            continue
        kind = {"FP64": np.float64, "INT64": np.int64}[feature["datatype"]]
        tensor = triton_http.InferInput(feature["name"], [len(values)], feature["datatype"])
        tensor.set_data_from_numpy(values.astype(kind))
        tensors.append(tensor)
    names = [feature["name"] for feature in named if feature["datatype"] == "BYTES"]
    for name in names:
        tensor = triton_http.InferInput(name, [len(golden.rows), 1], "BYTES")
        texts = category_names(golden, name, named)
        tensor.set_data_from_numpy(np.array(texts, dtype=np.object_).reshape(-1, 1))
        tensors.append(tensor)
    result = client.infer(MODEL, tensors)
    verify(checks, "by name", result, golden)
    refuses(checks, "a named input is missing", lambda: client.infer(MODEL, tensors[1:]), "400")


def category_names(golden, name, named):
    feature = next(feature for feature in named if feature["name"] == name)
    by_code = {category["code"]: category["name"] for category in feature["categories"]}
    column = golden.names.index(name)
    return [by_code[int(code)] for code in golden.rows[:, column]]


async def grpc_aio(checks, address, golden):
    async with triton_grpc_aio.InferenceServerClient(address) as client:
        checks.that("aio live", await client.is_server_live())
        checks.that("aio model", await client.is_model_ready(MODEL))
        results = await asyncio.gather(*(client.infer(MODEL, inputs(triton_grpc, golden)) for _ in range(8)))
        for result in results:
            verify(checks, "grpc aio", result, golden)


async def http_aio(checks, address, golden):
    async with triton_http_aio.InferenceServerClient(address) as client:
        checks.that("aio live", await client.is_server_live())
        golden = golden.complete()
        for binary in [True, False]:
            result = await client.infer(MODEL, inputs(triton_http, golden, binary=binary))
            verify(checks, f"http aio binary={binary}", result, golden)


def reload(checks, address, golden):
    """Twenty reloads under load drop no request and change no answer."""
    stop, failures, counts = threading.Event(), [], []

    def work(client, module):
        count = 0
        while not stop.is_set():
            try:
                result = client.infer(MODEL, inputs(module, golden))
                if not np.allclose(result.as_numpy("margin"), golden.margins, rtol=1e-12):
                    failures.append("another margin")
            except Exception as error:  # any failure counts
                failures.append(error)
            count += 1
        counts.append(count)

    makers = [
        (lambda: triton_grpc.InferenceServerClient(address), triton_grpc),
        (lambda: triton_http.InferenceServerClient(address), triton_http),
    ]
    threads = [
        threading.Thread(target=lambda make=make, module=module: work(make(), module)) for make, module in makers * 2
    ]
    for thread in threads:
        thread.start()
    control = triton_grpc.InferenceServerClient(address)
    for turn in range(20):
        control.load_model(MODEL)
        checks.that(f"ready after reload {turn}", control.is_model_ready(MODEL))
    stop.set()
    for thread in threads:
        thread.join()
    checks.equal("failed requests", failures, [])
    checks.that("requests were made", sum(counts) >= 20, counts)
    print(f"{sum(counts)} requests, 20 reloads, {len(failures)} failures")


def unload(checks, address, golden):
    """An unloaded model is not found, and comes back."""
    client = triton_grpc.InferenceServerClient(address)
    client.unload_model(MODEL)
    checks.that("not ready", client.is_model_ready(MODEL) is False)
    refuses(checks, "unloaded", lambda: client.infer(MODEL, inputs(triton_grpc, golden)), "NOT_FOUND")
    index = {model.name: model for model in client.get_model_repository_index().models}
    checks.equal("state", index[MODEL].state, "UNAVAILABLE")
    http = triton_http.InferenceServerClient(address)
    http.load_model(MODEL)
    verify(checks, "loaded again", client.infer(MODEL, inputs(triton_grpc, golden)), golden)
    refuses(
        checks,
        "no files of a stranger",
        lambda: client.load_model(MODEL, config="{}", files={"file:1/model.txt": b"x"}),
        "INVALID_ARGUMENT",
    )


SECTIONS = {
    "grpc": grpc_sync,
    "grpc-aio": grpc_aio,
    "http": http_sync,
    "http-aio": http_aio,
    "errors-grpc": errors_grpc,
    "errors-http": errors_http,
    "reload": reload,
    "unload": unload,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--golden", required=True)
    parser.add_argument("--section", required=True, choices=SECTIONS)
    arguments = parser.parse_args()
    checks, golden = Checks(), Golden(arguments.golden)
    outcome = SECTIONS[arguments.section](checks, arguments.address, golden)
    if asyncio.iscoroutine(outcome):
        asyncio.run(outcome)
    for failure in checks.failures:
        print(failure)
    print(f"{arguments.section}: {checks.count} checks, {len(checks.failures)} failed")
    return 1 if checks.failures or not checks.count else 0


if __name__ == "__main__":
    sys.exit(main())
