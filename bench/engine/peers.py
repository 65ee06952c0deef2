"""Builds the peers that need a step before they can run, from the trained models.

    python peers.py FOLDER SHAPE lleaves|tl2cgen|onnx...

Writes FOLDER/SHAPE/{lleaves.so, tl2cgen.so, onnx.onnx} and beside each a .json with the CPU seconds that it took. A product
whose .json names the same model digest and the same versions is not built again: lleaves needs half an hour for a
thousand trees. A peer that cannot take a model leaves {"refused": reason} there.
"""

import hashlib
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys

VERSIONS = {
    "lleaves": ["lleaves", "llvmlite"],
    "tl2cgen": ["tl2cgen", "treelite"],
    "onnx": ["onnxmltools", "onnx", "skl2onnx"],
}


def build_lleaves(model: pathlib.Path, product: pathlib.Path) -> None:
    import lleaves

    if model.suffix != ".txt":
        raise ValueError("lleaves reads LightGBM models only")
    compiled = product.with_suffix(".o")
    compiled.unlink(missing_ok=True)
    lleaves.Model(str(model)).compile(cache=str(compiled), raw_score=True)
    # The object refers to absolute addresses, which the loader fills in.
    subprocess.run(["gcc", "-shared", "-Wl,-z,notext", "-o", product, compiled], check=True)
    compiled.unlink()


def build_tl2cgen(model: pathlib.Path, product: pathlib.Path) -> None:
    import tl2cgen
    import treelite

    load = treelite.frontend.load_lightgbm_model if model.suffix == ".txt" else treelite.frontend.load_xgboost_model
    tl2cgen.export_lib(load(str(model)), toolchain="gcc", libpath=str(product), params={"parallel_comp": 16}, nthread=1)


def build_onnx(model: pathlib.Path, product: pathlib.Path) -> None:
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    if model.suffix == ".txt":
        import lightgbm

        booster = lightgbm.Booster(model_file=str(model))
        inputs = [("rows", FloatTensorType([None, booster.num_feature()]))]
        converted = onnxmltools.convert_lightgbm(booster, initial_types=inputs, zipmap=False)
    else:
        import xgboost

        booster = xgboost.XGBClassifier()
        booster.load_model(model)
        inputs = [("rows", FloatTensorType([None, booster.n_features_in_]))]
        converted = onnxmltools.convert_xgboost(booster, initial_types=inputs)
    onnxmltools.utils.save_model(converted, str(product))


def cpu_seconds() -> float:
    """CPU time of this process and of the compilers that it waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def build(folder: pathlib.Path, peer: str) -> None:
    model = folder / ("model.txt" if (folder / "model.txt").exists() else "model.json")
    product = folder / f"{peer}.{'onnx' if peer == 'onnx' else 'so'}"
    note = folder / f"{peer}.json"
    identity = {
        "model": hashlib.sha256(model.read_bytes()).hexdigest(),
        "versions": {name: importlib.metadata.version(name) for name in VERSIONS[peer]},
    }
    if note.exists():
        known = json.loads(note.read_text())
        if all(known.get(key) == value for key, value in identity.items()):
            return
    print(f"building {peer} for {folder.name}", file=sys.stderr, flush=True)
    product.unlink(missing_ok=True)
    start = cpu_seconds()
    outcome = {}
    try:
        {"lleaves": build_lleaves, "tl2cgen": build_tl2cgen, "onnx": build_onnx}[peer](model, product)
    except Exception as error:  # Whatever a peer raises, the others are still measured.
        outcome = {"refused": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(f"{peer} refused {folder.name}: {outcome['refused']}", file=sys.stderr, flush=True)
    note.write_text(json.dumps({**identity, "cpu_seconds": cpu_seconds() - start, **outcome}))


if __name__ == "__main__":
    for name in sys.argv[3:]:
        build(pathlib.Path(sys.argv[1]) / sys.argv[2], name)
