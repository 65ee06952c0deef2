"""Writes the golden ONNX models of this folder: NAME.onnx, and NAME.csv with rows and ONNX Runtime's own answers.

    pip install --no-deps -r requirements.txt      # Python 3.11
    python generate.py

`output` is what ONNX Runtime gives as the score of class 1 (or of the one target). `margin` is ONNX Runtime's answer
for the same graph with every post_transform set to NONE, or up to its Sigmoid: the raw score. Everything runs on one
thread, so that sums are in the order of the trees. Numbers are printed by repr. A text is written as its code, the place
of the text among those that the operators of the graph name for its feature; missing texts and other codes are texts that
no operator names.
"""

import csv
import math
from pathlib import Path

import lightgbm as lgb
import numpy as np
import onnx
import onnxmltools
import onnxruntime as ort
import xgboost as xgb
from onnx import helper
from onnxmltools.convert.common.data_types import FloatTensorType as OnnxmlFloat
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (ExtraTreesClassifier, GradientBoostingClassifier, GradientBoostingRegressor,
                              RandomForestClassifier, RandomForestRegressor, VotingRegressor)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (Binarizer, MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler,
                                   TargetEncoder)
from sklearn.tree import DecisionTreeClassifier

HERE = Path(__file__).parent
ROWS = 80
OPSETS = {"": 18, "ai.onnx.ml": 3}
MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
ML = "ai.onnx.ml"


def training_data(with_nan):
    rng = np.random.default_rng(5)
    columns = rng.normal(size=(600, 3))
    columns[:, 2] = rng.integers(0, 5, 600)
    level = columns[:, 0] - np.abs(columns[:, 1]) + np.where(columns[:, 2] > 2, 1.0, -0.3)
    label = (level + rng.normal(size=600) > -0.5).astype(int)
    if with_nan:
        columns[rng.random(columns.shape) < 0.12] = np.nan
    return columns, label


def sklearn_models():
    x, y = training_data(False)
    gappy, _ = training_data(True)
    zipped = lambda model, probe, **options: to_onnx(model, probe, target_opset=OPSETS, **options)
    plain = lambda model, probe=x[:1].astype(np.float32): zipped(model, probe, options={"zipmap": False})
    yield "gradient_boosting", plain(GradientBoostingClassifier(n_estimators=12, max_depth=3, random_state=1).fit(x, y))
    yield "gradient_boosting_zipmap", zipped(
        GradientBoostingClassifier(n_estimators=3, max_depth=2, random_state=1).fit(x, y), x[:1].astype(np.float32))
    yield "gradient_boosting_regressor", zipped(
        GradientBoostingRegressor(n_estimators=8, max_depth=3, random_state=1).fit(x, y), x[:1].astype(np.float32))
    yield "random_forest", plain(RandomForestClassifier(9, max_depth=4, random_state=1).fit(x, y))
    yield "random_forest_double", plain(RandomForestClassifier(7, max_depth=4, random_state=2).fit(x, y), x[:1])
    yield "random_forest_regressor", zipped(
        RandomForestRegressor(6, max_depth=3, random_state=1).fit(x, y), x[:1].astype(np.float32))
    yield "extra_trees", plain(ExtraTreesClassifier(7, max_depth=4, random_state=1).fit(x, y))
    yield "decision_tree", plain(DecisionTreeClassifier(max_depth=4, random_state=1).fit(x, y))
    yield "logistic_regression", plain(LogisticRegression().fit(x, y))
    yield "linear_regression", zipped(LinearRegression().fit(x, y), x[:1].astype(np.float32))
    yield "min_max_binarizer", plain(make_pipeline(MinMaxScaler(), Binarizer(threshold=0.4), LogisticRegression()).fit(x, y))
    whole = np.round(x).astype(int)
    yield "ordinal", plain(make_pipeline(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                                         LogisticRegression()).fit(whole, y), whole[:1].astype(np.int64))
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    codes = OneHotEncoder(handle_unknown="ignore")
    gappy[:, 2] = x[:, 2]
    pipeline = lambda model: make_pipeline(ColumnTransformer([("n", numbers, [0, 1]), ("c", codes, [2])]), model)
    yield "pipeline", plain(pipeline(LogisticRegression()).fit(gappy, y))
    yield "pipeline_forest", plain(
        pipeline(GradientBoostingClassifier(n_estimators=6, max_depth=3, random_state=1)).fit(gappy, y))
    yield "named_inputs", named_inputs(gappy, numbers)


def double_models():
    """What skl2onnx writes for double inputs: no LinearClassifier, but products of matrices. ONNX Runtime has no Imputer
    for them."""
    x, y = training_data(False)
    plain = lambda model, probe=x[:1]: to_onnx(model, probe, target_opset=OPSETS, options={"zipmap": False})
    yield "logistic_regression_double", plain(LogisticRegression().fit(x, y))
    yield "pipeline_double", plain(make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y))
    yield "linear_regression_double", to_onnx(LinearRegression().fit(x, y), x[:1], target_opset=OPSETS)
    descent = SGDClassifier(loss="log_loss", random_state=1)
    yield "gradient_descent_double", plain(descent.fit(x, y))
    yield "gradient_descent", plain(descent, x[:1].astype(np.float32))


def sums_of_models():
    x, y = training_data(False)
    voting = VotingRegressor([("a", GradientBoostingRegressor(n_estimators=4, max_depth=2, random_state=1)),
                              ("b", RandomForestRegressor(3, max_depth=3, random_state=2)),
                              ("c", GradientBoostingRegressor(n_estimators=3, max_depth=3, random_state=3))])
    yield "voting", to_onnx(voting.fit(x, y), x[:1].astype(np.float32), target_opset=OPSETS)
    node = helper.make_node
    thresholds = [-1.0, 0.0, 0.3, 1.0, 2.0]
    forest = lambda name, mode, **more: regressor(*tree_tables(mode, 0, thresholds), "x", name, **more)
    half = helper.make_tensor("half", 1, [1], [0.5])
    shift = helper.make_tensor("shift", 1, [1, 1], [-0.375])
    nodes = [forest("a", "BRANCH_LEQ"), forest("b", "BRANCH_LT", aggregate_function="AVERAGE"),
             node("Scaler", ["x"], ["scaled"], domain=ML, offset=[0.5], scale=[2.0]),
             regressor(*tree_tables("BRANCH_GT", 0, thresholds), "scaled", "c"),
             node("Mul", ["half", "b"], ["half_b"]), node("Div", ["c", "half"], ["twice_c"]),
             node("Sum", ["a", "half_b", "twice_c"], ["abc"]), node("Add", ["abc", "shift"], ["raw"]),
             node("Sigmoid", ["raw"], ["probabilities"])]
    yield "sum_of_forests", model_of(nodes, [("x", 1, 3)], constants=[half, shift])
    linear = lambda name, weights: node("LinearRegressor", ["x"], [name], domain=ML, coefficients=weights, intercepts=[0.25])
    nodes = [linear("a", [0.5, -1.25, 2.0]), linear("b", [0.1, 0.7, -0.3]), node("Sum", ["a", "b"], ["ab"]),
             node("Add", ["shift", "ab"], ["raw"]), node("Sigmoid", ["raw"], ["probabilities"])]
    yield "sum_of_linear", model_of(nodes, [("x", 1, 3)], constants=[shift])


def regressor(table, values, targets, source, name, **more):
    return helper.make_node(
        "TreeEnsembleRegressor", [source], [name], domain=ML, nodes_values=values, n_targets=1,
        target_treeids=[t for t, _, _ in targets], target_nodeids=[n for _, n, _ in targets],
        target_ids=[0] * len(targets), target_weights=[w for _, _, w in targets], **table, **more)


# The texts of each feature in the order of their codes; the code after the last stands for a text of no operator.
TEXTS = {
    "texts": [None, ["no", "yes"], ["blue", "green", "red"]],
    "texts_one_input": [["blue", "green", "red"], ["no", "yes"]],
    "texts_ordinal": [["blue", "green", "red"], ["no", "yes"]],
    "texts_target": [["blue", "green", "red"], ["no", "yes"]],
    "texts_two_encoders": [["red", "blue", "green", "grey"]],
}


def text_models():
    x, y = training_data(False)
    texts = np.array([[["blue", "green", "red"][int(code) % 3], ["no", "yes"][int(code) // 3 % 2]] for code in x[:, 2]],
                     dtype=object)
    pair = [("x", StringTensorType([None, 2]))]
    convert = lambda model, kinds=pair: to_onnx(model, initial_types=kinds, target_opset=OPSETS, options={"zipmap": False})
    import pandas as pd
    frame = pd.DataFrame({"level": x[:, 0], "owner": texts[:, 1], "colour": texts[:, 0]})
    kinds = [("level", FloatTensorType([None, 1])), ("owner", StringTensorType([None, 1])),
             ("colour", StringTensorType([None, 1]))]
    columns = ColumnTransformer([("n", StandardScaler(), ["level"]),
                                 ("t", OneHotEncoder(handle_unknown="ignore"), ["owner", "colour"])])
    yield "texts", convert(make_pipeline(columns, LogisticRegression()).fit(frame, y), kinds)
    encoder = OneHotEncoder(handle_unknown="ignore")
    yield "texts_one_input", convert(make_pipeline(encoder, GradientBoostingClassifier(n_estimators=4, random_state=1)).fit(
        texts, y))
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    yield "texts_ordinal", convert(make_pipeline(encoder, LogisticRegression()).fit(texts, y))
    yield "texts_target", convert(make_pipeline(TargetEncoder(random_state=1), LogisticRegression()).fit(texts, y))
    node = helper.make_node
    nodes = [node("LabelEncoder", ["x"], ["rank"], domain=ML, keys_strings=["red", "blue"], values_floats=[2.0, -1.0],
                  default_float=0.5),
             node("OneHotEncoder", ["x"], ["hot"], domain=ML, cats_strings=["green", "grey", "red"], zeros=1),
             node("Flatten", ["hot"], ["flat"], axis=1), node("Concat", ["rank", "flat"], ["all"], axis=1),
             node("LinearRegressor", ["all"], ["probabilities"], domain=ML, coefficients=[0.5, 0.25, -3.0, 7.0],
                  intercepts=[0.125])]
    yield "texts_two_encoders", model_of(nodes, [("x", 8, 1)])


def version5_models():
    """TreeEnsemble of version 5, which no converter writes yet."""
    modes = {mode: number for number, mode in enumerate(MODES + ["BRANCH_MEMBER"])}
    member = modes["BRANCH_MEMBER"]
    for name, kind, tracks, aggregate, numbers in [
            ("version5", 1, None, 1, [0, 1, 2, 3, 4, 5, 0]), ("version5_average", 1, [0, 1, 0, 1, 1, 0, 1], 0, [0, 1, 2, 3, 4, 5, 0]),
            ("version5_double", 11, [1, 0, 1, 0, 0, 1, 0], 1, [1, 0, 3, 2, 5, 4, 1]),
            ("version5_member", 1, None, 1, [member, 0, 2, member, 1, member, 0]),
            ("version5_member_missing_true", 11, [1, 0, 1, 1, 0, 1, 0], 1, [member, 0, 2, member, 1, member, 0])]:
        tensor = lambda name, values: helper.make_tensor(name, kind, [len(values)], values)
        sets = {"membership_values": tensor("sets", [0.0, 2.0, 4.0, 33.0, math.nan, 5.0, 7.0, math.nan, 1.0, math.nan])}
        attributes = {
            "n_targets": 1, "aggregate_function": aggregate, "post_transform": 0,
            # Two trees, of which the second comes first in the lists, and one that is a leaf twice.
            "tree_roots": [3, 0, 6], "nodes_modes": helper.make_tensor("modes", onnx.TensorProto.UINT8, [7], numbers),
            "nodes_featureids": [2, 0, 1, 2, 0, 1, 0], "nodes_splits": tensor("splits", [2.0, -0.25, 0.5, 3.0, 0.125, 1.0, 0.0]),
            "nodes_truenodeids": [1, 0, 2, 4, 4, 6, 8], "nodes_trueleafs": [0, 1, 1, 0, 1, 1, 1],
            "nodes_falsenodeids": [2, 1, 3, 5, 5, 4, 8], "nodes_falseleafs": [0, 1, 1, 0, 1, 1, 1],
            # Leaf 4 has two places.
            "leaf_targetids": [0] * 9, "leaf_weights": tensor("weights", [0.5, -1.5, 2.25, 3.125, 4.0625, -8.5, 16.25, 0.0, 64.5]),
        }
        if tracks:
            attributes["nodes_missing_value_tracks_true"] = tracks
        if member in numbers:
            attributes |= sets
        node = helper.make_node("TreeEnsemble", ["x"], ["probabilities"], domain=ML, **attributes)
        yield name, model_of([node], [("x", kind, 3)], machine_learning=5, output_kind=kind)


def named_inputs(gappy, numbers):
    """One input per feature, of different types: converters write it for data frames, here it is put together."""
    imputed = numbers.fit(gappy[:, :2])
    weights = [0.7, -1.2, 0.4, -0.1, 0.2, 0.3, -0.6]
    node = helper.make_node
    nodes = [
        node("FeatureVectorizer", ["age", "income"], ["both"], domain=ML, inputdimensions=[1, 1]),
        node("Imputer", ["both"], ["whole"], domain=ML, replaced_value_float=math.nan,
             imputed_value_floats=imputed[0].statistics_.tolist()),
        node("Scaler", ["whole"], ["scaled"], domain=ML, offset=imputed[1].mean_.tolist(),
             scale=(1 / imputed[1].scale_).tolist()),
        node("OneHotEncoder", ["region"], ["hot"], domain=ML, cats_int64s=[0, 1, 2, 3, 7], zeros=1),
        node("Flatten", ["hot"], ["flat"], axis=1),
        node("Concat", ["scaled", "flat"], ["all"], axis=1),
        node("LinearClassifier", ["all"], ["label", "raw"], domain=ML, classlabels_ints=[0, 1], multi_class=0,
             coefficients=[-weight for weight in weights] + weights, intercepts=[-0.25, 0.25], post_transform="LOGISTIC"),
        node("Normalizer", ["raw"], ["probabilities"], domain=ML, norm="L1"),
    ]
    return model_of(nodes, [("age", 1, 1), ("income", 1, 1), ("region", 7, 1)])


def boosted_models():
    x, y = training_data(True)
    kinds = [("x", OnnxmlFloat([None, 3]))]
    for name, zipmap, settings, categories in [
            ("lightgbm", False, {}, "auto"), ("lightgbm_categories", True, {"cat_smooth": 1, "min_data_per_group": 5}, [2])]:
        model = lgb.LGBMClassifier(n_estimators=8, num_leaves=8, verbose=-1, random_state=1, n_jobs=1, **settings)
        model.fit(x, y, categorical_feature=categories)
        yield name, onnxmltools.convert_lightgbm(model, initial_types=kinds, zipmap=zipmap, target_opset=15)
    model = lgb.LGBMRegressor(n_estimators=8, num_leaves=8, verbose=-1, random_state=1, n_jobs=1).fit(x, y)
    yield "lightgbm_regressor", onnxmltools.convert_lightgbm(model, initial_types=kinds, target_opset=15)
    model = xgb.XGBClassifier(n_estimators=8, max_depth=3, random_state=1, n_jobs=1).fit(x, y)
    yield "xgboost", onnxmltools.convert_xgboost(model, initial_types=kinds, target_opset=15)
    model = xgb.XGBRegressor(n_estimators=8, max_depth=3, random_state=1, n_jobs=1).fit(x, y)
    yield "xgboost_regressor", onnxmltools.convert_xgboost(model, initial_types=kinds, target_opset=15)


def model_of(nodes, inputs, output="probabilities", properties=None, constants=(), machine_learning=3, output_kind=1):
    infos = [helper.make_tensor_value_info(name, kind, [None, width]) for name, kind, width in inputs]
    outputs = [helper.make_tensor_value_info(output, output_kind, [None, None])]
    graph = helper.make_graph(nodes, "graph", infos, outputs, list(constants))
    sets = OPSETS | {ML: machine_learning}
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid(*pair) for pair in sets.items()])
    if properties:
        helper.set_model_props(model, properties)
    return model


def tree_tables(mode, tracks, thresholds, dtype=np.float32):
    """Three trees of three nodes and four leaves each, all with one mode."""
    table = {"nodes_treeids": [], "nodes_nodeids": [], "nodes_featureids": [], "nodes_modes": [], "nodes_truenodeids": [],
             "nodes_falsenodeids": [], "nodes_missing_value_tracks_true": []}
    values, targets = [], []
    rng = np.random.default_rng(MODES.index(mode) + 10 * tracks)
    for tree in range(3):
        # Nodes are not in the order of their numbers, and leaves come between them.
        for number, true, false in [(4, 9, 2), (9, 0, 7), (0, None, None), (7, None, None), (2, 5, 1), (5, None, None),
                                    (1, None, None)]:
            leaf = true is None
            table["nodes_treeids"].append(tree * 5)
            table["nodes_nodeids"].append(number)
            table["nodes_featureids"].append(0 if leaf else (tree + number) % 3)
            table["nodes_modes"].append("LEAF" if leaf else mode)
            table["nodes_truenodeids"].append(0 if leaf else true)
            table["nodes_falsenodeids"].append(0 if leaf else false)
            table["nodes_missing_value_tracks_true"].append(0 if leaf else tracks)
            values.append(0.0 if leaf else float(dtype(thresholds[int(rng.integers(len(thresholds)))])))
            if leaf:
                targets.append((tree * 5, number, float(dtype(rng.normal()))))
    return table, values, targets


def hand_made_models():
    thresholds = [-1.0, -0.0, 0.0, 0.3, 1.0, 2.0, 3.0, 40.0]
    for mode in MODES:
        for tracks in (0, 1):
            table, values, targets = tree_tables(mode, tracks, thresholds)
            node = helper.make_node(
                "TreeEnsembleRegressor", ["x"], ["probabilities"], domain=ML, nodes_values=values, n_targets=1,
                target_treeids=[t for t, _, _ in targets], target_nodeids=[n for _, n, _ in targets],
                target_ids=[0] * len(targets), target_weights=[w for _, _, w in targets],
                aggregate_function="AVERAGE" if tracks else "SUM", **table)
            suffix = "_missing_true" if tracks else ""
            yield mode.lower() + suffix, model_of([node], [("x", 1, 3)],
                                                  properties={"feature_names": '["first", "second", "third"]'})
    table, values, targets = tree_tables("BRANCH_LT", 1, thresholds + [0.1, 1 / 3], np.float64)
    tensor = lambda name, numbers: helper.make_tensor(name, onnx.TensorProto.DOUBLE, [len(numbers)], numbers)
    node = helper.make_node(
        "TreeEnsembleClassifier", ["x"], ["label", "probabilities"], domain=ML, classlabels_int64s=[0, 1],
        nodes_values_as_tensor=tensor("v", values), class_treeids=[t for t, _, _ in targets],
        class_nodeids=[n for _, n, _ in targets], class_ids=[1] * len(targets), post_transform="LOGISTIC",
        class_weights_as_tensor=tensor("w", [w for _, _, w in targets]), **table)
    yield "double_tensors", model_of([node], [("x", 11, 3)])
    table, values, targets = tree_tables("BRANCH_LEQ", 0, thresholds)
    nodes = [
        helper.make_node("LabelEncoder", ["x"], ["encoded"], domain=ML, keys_floats=[0.0, 1.0, 2.5, math.nan],
                         values_floats=[3.0, -1.0, 0.25, 1.0], default_float=7.5),
        helper.make_node("Scaler", ["encoded"], ["scaled"], domain=ML, offset=[0.1, 0.2, 0.3], scale=[1.1, 0.7, 3.3]),
        helper.make_node("TreeEnsembleClassifier", ["scaled"], ["label", "probabilities"], domain=ML,
                         classlabels_strings=["good", "bad"], nodes_values=values,
                         class_treeids=[t for t, _, _ in targets for _ in (0, 1)],
                         class_nodeids=[n for _, n, _ in targets for _ in (0, 1)], class_ids=[0, 1] * len(targets),
                         class_weights=[w for _, _, w in targets for w in (-w, w)], post_transform="LOGISTIC", **table),
    ]
    yield "label_encoder_two_classes", model_of(nodes, [("x", 1, 3)])


def thresholds_of(model, width):
    found = [[] for _ in range(width)]
    for node in model.graph.node:
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if node.op_type == "TreeEnsemble":
            splits = onnx.numpy_helper.to_array(attributes["nodes_splits"])
            for feature, value in zip(attributes["nodes_featureids"], splits):
                found[feature].append(float(value))
            sets = attributes.get("membership_values")
            members = [] if sets is None else onnx.numpy_helper.to_array(sets)
            for values in found:
                values.extend(float(value) for value in members if not math.isnan(value))
            continue
        if "nodes_featureids" not in attributes:
            continue
        values = attributes.get("nodes_values")
        if values is None:
            values = onnx.numpy_helper.to_array(attributes["nodes_values_as_tensor"])
        for feature, value, mode in zip(attributes["nodes_featureids"], values, attributes["nodes_modes"]):
            if mode != b"LEAF" and feature < width:
                found[feature].append(float(value))
    return found


def probe_rows(model, kinds, texts):
    """Training values, thresholds and their neighbours, zeros, missing, extremes, odd categories."""
    rng = np.random.default_rng(3)
    x, _ = training_data(False)
    thresholds = thresholds_of(model, len(kinds))
    specials = [math.nan, 0.0, -0.0, 5e-324, 1e-40, -1e-40, 1e300, -1e300, math.inf, -math.inf, 16777217.0, 0.1, 1 / 3]
    codes = [-0.5, -1.0, -7.0, 0.5, 1.0, 2.0, 2.5, 4.0, 4.9, 7.0, 33.0, 1e9]
    whole = [-3, -1, 0, 1, 2, 3, 4, 7, 99, 2**31, -2**40]
    rows = np.empty((ROWS, len(kinds)))
    for row in rows:
        for column, kind in enumerate(kinds):
            pick = rng.random()
            if kind == 8:
                row[column] = rng.choice([math.nan, -1.0, len(texts[column])] + 2 * list(range(len(texts[column]))))
            elif kind == 7:
                row[column] = rng.choice(whole) if pick < 0.4 else rng.integers(0, 5)
            elif pick < 0.35:
                row[column] = x[rng.integers(len(x)), column]
            elif pick < 0.6 and thresholds[column]:
                value = thresholds[column][int(rng.integers(len(thresholds[column])))]
                step = np.float32 if kind == 1 else np.float64
                row[column] = float(rng.choice([value, np.nextafter(step(value), step(np.inf)),
                                                np.nextafter(step(value), step(-np.inf))]))
            elif pick < 0.75:
                row[column] = rng.choice(specials)
            else:
                row[column] = rng.choice(codes)
    return rows


def session(model):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(model.SerializeToString(), options)


def without_post_transform(model):
    raw = onnx.ModelProto()
    raw.CopyFrom(model)
    sigmoids = [node for node in raw.graph.node if node.op_type == "Sigmoid"]
    if sigmoids:
        kind = raw.graph.output[-1].type.tensor_type.elem_type
        del raw.graph.output[:]
        raw.graph.output.append(helper.make_tensor_value_info(sigmoids[0].input[0], kind, [None, None]))
    for node in raw.graph.node:
        for attribute in node.attribute:
            if attribute.name == "post_transform" and attribute.s:
                attribute.s = b"NONE"
        if node.op_type == "Normalizer":
            node.op_type, node.domain = "Identity", ""
            del node.attribute[:]
    return raw


def cell(value, kind, texts):
    """A value of an input; a code as its text."""
    if kind != 8:
        return np.array(value).astype({1: np.float32, 11: np.float64, 7: np.int64}[kind])
    return texts[int(value)] if not math.isnan(value) and 0 <= value < len(texts) else "some other text"


def scores(model, rows, kinds, texts):
    """ONNX Runtime's score of class 1, or of the one target, row by row: what a single request gets."""
    runtime = session(model)
    types = {1: np.float32, 11: np.float64, 7: np.int64, 8: object}
    found = []
    for row in rows:
        inputs = runtime.get_inputs()
        if len(inputs) == 1:
            cells = [cell(*parts) for parts in zip(row, kinds, texts)]
            feed = {inputs[0].name: np.array([cells], dtype=types[kinds[0]])}
        else:
            feed = {one.name: np.array([[cell(value, kind, known)]], dtype=types[kind])
                    for one, value, kind, known in zip(inputs, row, kinds, texts)}
        answer = runtime.run(None, feed)[-1]
        if isinstance(answer, list):
            answer = np.array([list(one.values()) for one in answer])
        found.append(float(np.asarray(answer).reshape(1, -1)[0, -1]))
    return found


def main():
    for models in (sklearn_models(), boosted_models(), hand_made_models(), double_models(), sums_of_models(),
                   text_models(), version5_models()):
        for name, model in models:
            inputs = model.graph.input
            width = inputs[0].type.tensor_type.shape.dim[1].dim_value
            kinds = [one.type.tensor_type.elem_type for one in inputs] if len(inputs) > 1 else (
                [inputs[0].type.tensor_type.elem_type] * width)
            texts = TEXTS.get(name, [None] * len(kinds))
            rows = probe_rows(model, kinds, texts)
            if "binarizer" in name:
                # ONNX Runtime's Binarizer fails on missing values.
                rows[np.isnan(rows)] = 0.25
            if "member" in name:
                # ONNX Runtime takes some fractions for the member that they truncate to, and others not.
                rows[:, 1:] = np.round(rows[:, 1:])
            with np.errstate(all="ignore"):
                margins = scores(without_post_transform(model), rows, kinds, texts)
                outputs = scores(model, rows, kinds, texts)
            (HERE / f"{name}.onnx").write_bytes(model.SerializeToString())
            names = [one.name for one in inputs] if len(inputs) > 1 else [f"f{column}" for column in range(width)]
            with (HERE / f"{name}.csv").open("w", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(names + ["margin", "output"])
                for row, margin, output in zip(rows, margins, outputs):
                    cells = ["" if math.isnan(value) else repr(float(value)) for value in (*row, margin, output)]
                    writer.writerow(cells)


main()
