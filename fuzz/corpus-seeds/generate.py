"""Writes the seeds of the fuzz targets: one folder per target, with good files, and files made to do harm.

    python generate.py        # Python 3.11, nothing else

Good files are the repository's own golden models and fixtures, shortened. The others are named after what is wrong
with them: cycles, children out of range, giant counts, deep trees, lying lengths, texts cut off, flipped bits. Files
that begin with `found` were found by the fuzzer; this script leaves them alone.
"""

import hashlib
import json
import random
import struct
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
GOLDEN = ROOT / "crates/fcs-forest/tests/golden"
LIGHTGBM = GOLDEN / "lightgbm"
FIXTURE = ROOT / "crates/fcs-decision/tests/fixture"


class Seeds:
    """The folder of one target."""

    def __init__(self, target):
        self.folder = HERE / target
        self.random = random.Random(target)
        self.folder.mkdir(exist_ok=True)
        for path in self.folder.iterdir():
            if not path.name.startswith("found"):
                path.unlink()

    def add(self, name, content):
        content = content if isinstance(content, bytes) else content.encode()
        (self.folder / name).write_bytes(content)

    def replace(self, name, text, old, new):
        """A copy of a text in which something is changed once; what is changed must be there."""
        assert old in text, (name, old)
        self.add(name, text.replace(old, new, 1))

    def damage(self, name, content):
        """Copies that are cut off, and copies with a flipped bit."""
        content = content if isinstance(content, bytes) else content.encode()
        for part in (1, 3, 7):
            self.add(f"{name}-cut-{part}", content[: len(content) * part // 8])
        for number in range(4):
            copy = bytearray(content)
            copy[self.random.randrange(len(copy))] ^= 1 << self.random.randrange(8)
            self.add(f"{name}-flip-{number}", bytes(copy))


# A tree with a numeric root and a categorical node under it.
SMALL_LIGHTGBM = """tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=binary sigmoid:1
feature_names=a b
feature_infos=none none
tree_sizes=1

Tree=0
num_leaves=3
num_cat=1
split_feature=0 1
split_gain=2 1
threshold=0.5 0
decision_type=10 1
left_child=1 -1
right_child=-2 -3
leaf_value=1 2 3
leaf_count=4 5 6
internal_count=15 10
cat_boundaries=0 2
cat_threshold=5 1
is_linear=0
shrinkage=1


end of trees

parameters:
end of parameters
"""
LIGHTGBM_DEFECTS = {
    "cycle-to-root": ("left_child=1 -1", "left_child=0 -1"),
    "cycle-to-self": ("left_child=1 -1", "left_child=1 1"),
    "shared-leaf": ("right_child=-2 -3", "right_child=-2 -1"),
    "child-out-of-range": ("left_child=1 -1", "left_child=2 -1"),
    "child-lowest": ("left_child=1 -1", "left_child=1 -2147483648"),
    "leaves-none": ("num_leaves=3", "num_leaves=0"),
    "leaves-giant": ("num_leaves=3", "num_leaves=18446744073709551615"),
    "sets-giant": ("num_cat=1", "num_cat=4294967295"),
    "set-boundary-giant": ("cat_boundaries=0 2", "cat_boundaries=0 4294967295"),
    "set-boundary-back": ("cat_boundaries=0 2", "cat_boundaries=2 0"),
    "set-missing": ("threshold=0.5 0", "threshold=0.5 1"),
    "threshold-not-a-number": ("threshold=0.5 0", "threshold=nan 0"),
    "threshold-infinite": ("threshold=0.5 0", "threshold=-inf 0"),
    "threshold-denormal": ("threshold=0.5 0", "threshold=-4.9406564584124654e-324 0"),
    "leaf-overflow": ("leaf_value=1 2 3", "leaf_value=1e308 -1e308 1e999"),
    "leaf-largest": ("leaf_value=1 2 3", "leaf_value=1.7976931348623157e308 -1.7976931348623157e308 0"),
    "count-zero": ("internal_count=15 10", "internal_count=0 0"),
    "count-negative": ("leaf_count=4 5 6", "leaf_count=-4 5 6"),
    "decision-all-bits": ("decision_type=10 1", "decision_type=255 255"),
    "decision-zero-missing": ("decision_type=10 1", "decision_type=4 9"),
    "features-giant": ("max_feature_idx=1", "max_feature_idx=4294967295"),
    "feature-out-of-range": ("split_feature=0 1", "split_feature=0 2"),
    "trees-lying": ("tree_sizes=1", "tree_sizes=" + "1 " * 500),
    "average": ("feature_names=a b", "average_output\nfeature_names=a b"),
    "no-objective": ("objective=binary sigmoid:1\n", ""),
    "sigmoid-tiny": ("sigmoid:1", "sigmoid:5e-324"),
    "sigmoid-huge": ("sigmoid:1", "sigmoid:1e308"),
    "linear": ("is_linear=0", "is_linear=1\nleaf_const=1 2 3"),
    "no-line-ends": ("\n", " "),
    "carriage-returns": ("tree\n", "tree\r\n"),
    "empty-names": ("feature_names=a b", "feature_names="),
    "text-not-ascii": ("feature_names=a b", "feature_names=\u00fc \u2028"),
}


def lightgbm_chain(nodes):
    """One long path: each left child is a leaf, each right child the next node."""
    def line(name, values):
        return f"{name}={' '.join(str(value) for value in values)}\n"

    tree = (f"num_leaves={nodes + 1}\nnum_cat=0\n" + line("split_feature", [0] * nodes)
            + line("threshold", range(nodes)) + line("decision_type", [2] * nodes)
            + line("left_child", [-1 - node for node in range(nodes)])
            + line("right_child", [*range(1, nodes), -1 - nodes]) + line("leaf_value", range(nodes + 1)))
    return ("tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=0\nfeature_names=a\ntree_sizes=1\n\n"
            f"Tree=0\n{tree}\nend of trees\nend of parameters\n")


def shortened(path):
    """A model of LightGBM without its parameters."""
    text = path.read_text()
    return text[: text.index("\nfeature_importances:")] + "\nend of parameters\n"


def lightgbm(seeds):
    for name in ["categories_one_hot", "constant", "random_forest_poisson", "v3_constant", "zero_as_missing"]:
        seeds.add(f"good-{name}", shortened(LIGHTGBM / f"{name}.txt"))
    seeds.add("good-small", SMALL_LIGHTGBM)
    for name, (old, new) in LIGHTGBM_DEFECTS.items():
        seeds.replace(name, SMALL_LIGHTGBM, old, new)
    seeds.add("deep", lightgbm_chain(200))
    seeds.add("deep-at-limit", lightgbm_chain(512))
    seeds.add("deep-past-limit", lightgbm_chain(513))
    seeds.damage("small", SMALL_LIGHTGBM)


def detected(seeds):
    seeds.add("good-lightgbm-text", SMALL_LIGHTGBM)
    seeds.add("good-xgboost-json", (GOLDEN / "xgboost/v3_constant.json").read_bytes())
    seeds.add("good-xgboost-ubj", (GOLDEN / "xgboost/v3_constant.ubj").read_bytes())
    for path in PLAIN:
        seeds.add(f"good-{path.parent.name}{path.suffix}", path.read_bytes())
    for number, start in enumerate([b"", b"tree", b"tree\n", b"{", b"{}", b"\x08\x01", b"\xff\xfe"]):
        seeds.add(f"start-{number}", start)


PLAIN = [GOLDEN / "linear/logistic.toml", GOLDEN / "linear/logistic.json", GOLDEN / "scorecard/hand.toml",
         GOLDEN / "scorecard/hand.json"]


def first_tree(document):
    return document["learner"]["gradient_booster"]["model"]["trees"][0]


def xgboost_json(seeds):
    """XGBoost's own JSON, with values changed in the first tree, or in the words around the trees."""
    for name in ["v1_one_hot", "v3_many_categories", "v3_constant", "v3_no_trees", "v3_gblinear"]:
        seeds.add(f"good-{name}", (GOLDEN / f"xgboost/{name}.json").read_bytes())
    text = (GOLDEN / "xgboost/v3_many_categories.json").read_text()

    def changed(name, change):
        document = json.loads(text)
        change(document)
        seeds.add(name, json.dumps(document, separators=(",", ":")))

    def in_tree(name, key, position, value):
        def change(document):
            first_tree(document)[key][position] = value

        changed(name, change)

    in_tree("cycle-to-root", "left_children", 0, 0)
    in_tree("child-shared", "right_children", 0, 1)
    in_tree("child-out-of-range", "left_children", 0, 100_000)
    in_tree("child-lowest", "left_children", 0, -(2**31))
    in_tree("feature-out-of-range", "split_indices", 0, 2**31)
    in_tree("threshold-overflow", "split_conditions", 0, 1e300)
    in_tree("cover-negative", "sum_hessian", 0, -1)
    in_tree("missing-other", "default_left", 0, 7)
    for key in ["categories_segments", "categories_sizes", "categories", "categories_nodes"]:
        if first_tree(json.loads(text))[key]:
            in_tree(f"giant-{key}", key, 0, 2**31 - 1)
    changed("nodes-giant", lambda it: first_tree(it)["tree_param"].update(num_nodes="4294967295"))
    changed("features-giant", lambda it: it["learner"]["learner_model_param"].update(num_feature="4294967295"))
    changed("base-score-overflow", lambda it: it["learner"]["learner_model_param"].update(base_score="1E999"))
    changed("no-trees", lambda it: it["learner"]["gradient_booster"]["model"].update(trees=[]))
    changed("lists-short", lambda it: first_tree(it).update(split_conditions=[]))
    seeds.add("deep-lists", '{"learner":' + "[" * 5000)
    seeds.add("deep-objects", '{"learner":' * 2000)
    seeds.add("number-long", '{"version":[' + "9" * 5000 + "]}")
    seeds.add("surrogate-alone", '{"learner":"\\ud800"}')
    seeds.damage("constant", (GOLDEN / "xgboost/v3_constant.json").read_bytes())


def xgboost_ubj(seeds):
    """XGBoost's own UBJSON, and copies in which a length lies."""
    for name in ["v1_one_hot", "v3_many_categories", "v3_constant", "v3_no_trees", "v3_gblinear"]:
        seeds.add(f"good-{name}", (GOLDEN / f"xgboost/{name}.ubj").read_bytes())
    content = (GOLDEN / "xgboost/v3_many_categories.ubj").read_bytes()
    for marker in [b"[$d#L", b"[$l#L", b"[$U#L", b"[#L", b"SL", b"{L"]:
        at = content.index(marker) + len(marker)
        for name, length in [("giant", 2**63 - 1), ("negative", -1), ("million", 1_000_000), ("none", 0)]:
            lying = content[:at] + struct.pack(">q", length) + content[at + 8 :]
            seeds.add(f"length-{name}-of-{marker.hex()}", lying[: at + 400])
    seeds.add("deep-lists", b"{L" + struct.pack(">q", 7) + b"learner" + b"[" * 5000)
    seeds.add("deep-counted", b"{L" + struct.pack(">q", 7) + b"learner" + (b"[#L" + struct.pack(">q", 1)) * 1000)
    seeds.add("no-operations", b"{" + b"N" * 3000)
    seeds.damage("constant", (GOLDEN / "xgboost/v3_constant.ubj").read_bytes())


def onnx(seeds):
    """Small graphs of ONNX's own tools, and copies in which a length lies."""
    for name in ["branch_eq", "branch_gt", "linear_regression", "logistic_regression", "min_max_binarizer", "named_inputs",
                 "gradient_descent_double", "logistic_regression_double", "sum_of_forests", "sum_of_linear", "texts",
                 "texts_ordinal", "texts_two_encoders", "version5", "version5_member", "version5_member_missing_true"]:
        seeds.add(f"good-{name}", (GOLDEN / f"onnx/{name}.onnx").read_bytes())
    content = (GOLDEN / "onnx/branch_eq.onnx").read_bytes()
    at = content.index(b"TreeEnsemble") - 1
    for name, length in [("giant", b"\xff\xff\xff\xff\x07"), ("negative", b"\xff" * 9 + b"\x01"), ("none", b"\0")]:
        seeds.add(f"length-{name}", content[:at] + length + content[at + 1 :])
    nested = b""
    for _ in range(200):
        nested = b"\x3a" + varint(len(nested)) + nested
    seeds.add("deep-graphs", nested)
    seeds.damage("linear", (GOLDEN / "onnx/linear_regression.onnx").read_bytes())


def varint(number):
    """The base-128 integer of protobuf."""
    encoded = bytearray()
    while number > 127:
        encoded.append(number % 128 + 128)
        number //= 128
    return bytes([*encoded, number])


def plain(seeds):
    """Linear models and scorecards."""
    for path in PLAIN:
        seeds.add(f"good-{path.parent.name}{path.suffix}", path.read_bytes())
    linear, card = PLAIN[0].read_text(), (GOLDEN / "scorecard/hand.toml").read_text()
    seeds.replace("weight-not-a-number", linear, "weight = -4.2", "weight = nan # -4.2")
    seeds.replace("weight-overflow", linear, "weight = -4.2", "weight = 1e308 # -4.2")
    seeds.replace("link-unknown", linear, '"logistic"', '"softmax"')
    seeds.replace("name-twice", linear, '"utilisation"', '"income"')
    seeds.replace("bound-infinite", card, "below = ", "below = inf # ")
    seeds.replace("codes-giant", card, "codes = [", "codes = [4294967295, 9223372036854775807, ")
    seeds.add("deep-toml", "features = " + "[" * 2000)
    seeds.add("deep-json", '{"features":' + "[" * 2000)
    seeds.damage("card", card)
    seeds.damage("json", PLAIN[1].read_bytes())


def manifest(seeds):
    text = (FIXTURE / "model.toml").read_text()
    seeds.add("good", text)
    rules = (ROOT / "models/boston-hmda-rules/1/model.toml").read_text()
    seeds.add("good-rules", rules)
    condition = '"features.dir >= 0.6"'
    seeds.replace("rule-deep", rules, condition, '"' + "(" * 1900 + '"')
    seeds.replace("rule-row", rules, condition, '"score' + " + 1.0" * 300 + ' > 1.0"')
    lists = " && ".join("!(features.%s in [%s])" % (name, ", ".join(map(str, range(99)))) for name in ("dir", "hir", "lvr"))
    seeds.replace("rule-cases", rules, condition, f'"{lists}"')
    seeds.replace("format-giant", text, "manifest_format = 1", "manifest_format = 9223372036854775807")
    seeds.replace("digest-short", text, "2" * 64, "2" * 63)
    seeds.replace("path-outside", text, 'path = "model.txt"', 'path = "../model.txt"')
    seeds.add("deep-tables", "a = " + "[" * 2000 + "]" * 2000)
    seeds.add("deep-keys", ".".join(["a"] * 2000) + " = 1")
    seeds.add("numbers", "manifest_format = nan\n[score]\npoints = -inf\n")
    seeds.damage("cut", text)


def package_rows(seeds):
    manifest = tomllib.loads((FIXTURE / "model.toml").read_text())
    names = [feature["name"] for feature in manifest["features"]]

    def table(columns, rows):
        lines = [",".join(columns), *(",".join(str(number % 7) for number in range(len(columns))) for _ in range(rows))]
        return "\n".join(lines) + "\n"

    golden = table([*names, "margin", "probability"], 64)
    seeds.add("good-golden", golden)
    seeds.add("good-reference", table(names, manifest["reference_population"]["rows"]))
    seeds.add("too-few", table([*names, "margin", "probability"], 63))
    seeds.replace("missing", golden, "\n0,", "\n,")
    seeds.replace("not-finite", golden, "\n0,", "\ninf,")
    seeds.replace("overflow", golden, "\n0,", "\n1e999,")
    seeds.replace("quote-open", golden, "\n0,", '\n"0,')
    seeds.replace("row-long", golden, "\n0,", "\n0,0,")
    seeds.replace("byte-order-mark", golden, names[0], "\ufeff" + names[0])
    seeds.damage("damaged", golden)


def trust_policy(seeds):
    text = (ROOT / "models/trust.toml").read_text()
    seeds.add("good", text)
    seeds.add("twice", text + text.split("\n\n", 1)[1])
    seeds.add("no-keys", "keys = []\n")
    # A point of small order: signatures by it verify anything.
    seeds.replace("weak-key", text, "nTyqVZsTFwlTW0VbFa/HTizO5aiXR4lww4DRuEqD0eI=", "A" * 43 + "=")
    seeds.damage("damaged", text)


def detached_signature(seeds):
    text = (ROOT / "models/taiwan-default/1/model.toml.sig").read_text()
    seeds.add("good", text)
    seeds.add("deep", '{"key_id":' + "[" * 300)
    seeds.add("repeated", '{"key_id": "a", "key_id": "b", "signature": ""}')
    seeds.add("surrogate", '{"key_id": "\\ud800", "signature": ""}')
    seeds.damage("damaged", text)


def decision_record(seeds):
    text = (FIXTURE / "record.json").read_text()
    seeds.add("good", text)
    seeds.add("good-2", (FIXTURE / "record2.json").read_text())
    seeds.add("line-end", text + "\n")
    seeds.replace("number-spelling", text, '"base_margin":-3.5', '"base_margin":-35e-1')
    seeds.replace("number-overflow", text, '"base_margin":-3.5', '"base_margin":-3.5e999')
    seeds.replace("time-impossible", text, "2026-11-22T22:19:25.000001Z", "2026-13-40T99:99:99.000001Z")
    seeds.replace("time-before-years", text, "2026-11-22T22:19:25.000001Z", "-9999-01-01T00:00:00.000000Z")
    seeds.add("deep", '{"features":' * 300)
    seeds.damage("damaged", text)


NOTE = ("This is an example message.\n\n\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZ"
        "XsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n")
CHECKPOINT = "faircredit.example/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"


def proxy_tables(seeds):
    tables = ROOT / "crates/fcs-proxy/tests/golden/tables"
    surnames = (tables / "surnames.csv").read_text()
    first_names = (tables / "first_names.csv").read_text()
    places = (tables / "zctas.csv").read_text()
    seeds.add("good-surnames", surnames)
    seeds.add("good-first-names", first_names)
    seeds.add("good-places", places)
    seeds.add("total", places + "TOTAL,1e12,1e12,1e12,1e12,1e12,1e12\n")
    seeds.replace("people-giant", places, "21300", "1e308")
    seeds.replace("people-tiny", places, "21300", "1e-320")
    seeds.replace("people-none", places, "21300", "nan")
    seeds.replace("observations-zero", first_names, ",2600,", ",0,")
    seeds.replace("all-suppressed", surnames, "92.10,(S)", "(S),(S)")
    seeds.replace("percent-negative", surnames, "0.50", "-0.0")
    seeds.replace("twice", surnames, "BELLOW", "arden")
    for name, text in [("surnames", surnames), ("first-names", first_names), ("places", places)]:
        seeds.damage(f"damaged-{name}", text)


def tlog_note(seeds):
    seeds.add("good-note", NOTE)
    seeds.add("good-checkpoint", CHECKPOINT)
    seeds.add("good-extension", CHECKPOINT + "extension\n")
    seeds.add("signatures-many", NOTE + NOTE.split("\n\n")[1] * 120)
    seeds.replace("size-giant", CHECKPOINT, "\n0\n", "\n18446744073709551616\n")
    seeds.replace("size-zeros", CHECKPOINT, "\n0\n", "\n007\n")
    seeds.replace("root-of-another", CHECKPOINT, "\n47", "\n57")
    seeds.add("no-signature", "text\n\n")
    seeds.damage("damaged", NOTE)


def tlog_leaf(seeds):
    text = '{"first_index":1,"last_index":64,"root":"' + "ab" * 32 + '","type":"decision-batch"}'
    seeds.add("good", text)
    seeds.replace("indices-reversed", text, '"first_index":1', '"first_index":65')
    seeds.replace("index-zero", text, '"first_index":1', '"first_index":0')
    seeds.replace("index-plus", text, '"first_index":1', '"first_index":+1')
    seeds.replace("index-giant", text, '"last_index":64', '"last_index":18446744073709551615')
    seeds.replace("digits-upper", text, "ab", "AB")
    seeds.damage("damaged", text)


def tlog_proof(seeds):
    def leaf(number):
        return hashlib.sha256(b"\0" + bytes([number])).digest()

    def node(left, right):
        return hashlib.sha256(b"\1" + left + right).digest()

    def proof(first, second, *digests):
        return struct.pack(">QQ", first, second) + b"".join(digests)

    one, two, three = leaf(1), leaf(2), leaf(3)
    pair = node(one, two)
    seeds.add("good-inclusion", proof(0, 2, one, pair, two))
    seeds.add("good-inclusion-alone", proof(0, 1, one, one))
    seeds.add("good-consistency", proof(2, 3, pair, node(pair, three), three))
    seeds.add("good-consistency-equal", proof(3, 3, pair, pair))
    seeds.add("sizes-giant", proof(2**64 - 1, 2**64 - 1, one, one))
    seeds.add("sizes-giant-proof", proof(2**63, 2**64 - 1, *[one] * 70))
    seeds.add("sizes-zero", proof(0, 0, one, two))
    seeds.add("sizes-reversed", proof(9, 3, one, two, three))
    seeds.add("short", b"\0" * 15)


def tlog_tile(seeds):
    for path in ["tile/0/x001/x234/067", "tile/1/000.p/17", "tile/entries/273.p/112", "tile/63/999.p/1"]:
        seeds.add("good-path-" + path.replace("/", "-"), path)
    seeds.add("good-entries", b"\0\x02ab\0\0\0\x01c")
    seeds.add("good-hashes", bytes(range(64)))
    seeds.add("index-giant", "tile/0/" + "x999/" * 7 + "999")
    seeds.add("level-giant", "tile/256/000")
    seeds.add("width-none", "tile/0/000.p/0")
    seeds.add("entries-many", b"\0\0" * 257)
    seeds.damage("damaged", "tile/entries/x001/067.p/8")


# The key of the vector in C2SP signed-note.
POLICY = """# whom we believe
log example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k http://127.0.0.1:8030/v1/log
group nobody any none
quorum none
"""


def tlog_policy(seeds):
    seeds.add("good", POLICY.replace("group nobody any none\n", ""))
    seeds.add("group-unknown", POLICY)
    seeds.add("empty", "")
    seeds.add("quorum-twice", "quorum none\nquorum none\n")
    seeds.add("witness-log-key", POLICY.replace("log ", "witness w "))
    seeds.add("high-bytes", b"# \xe2\x84\xaa \xff\nquorum none\n")
    seeds.damage("damaged", POLICY)


def tlog_proof_file(seeds):
    hash_line = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    proof = "c2sp.org/tlog-proof@v1\nextra bW9yZQ==\nindex 3\n" + hash_line * 2 + "\n" + NOTE
    seeds.add("good", proof)
    seeds.add("good-alone", "c2sp.org/tlog-proof@v1\nindex 0\n\n" + NOTE)
    seeds.replace("index-zeros", proof, "index 3", "index 03")
    seeds.replace("index-giant", proof, "index 3", "index 18446744073709551616")
    seeds.replace("hashes-many", proof, "index 3\n", "index 3\n" + hash_line * 70)
    seeds.damage("damaged", proof)


def tlog_witness(seeds):
    hash_line = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    signature = NOTE.split("\n\n")[1]
    request = "old 0\n\n" + CHECKPOINT + "\n" + signature
    seeds.add("good", request)
    seeds.replace("good-proof", request, "old 0\n", "old 1\n" + hash_line * 3)
    seeds.replace("proof-from-nothing", request, "old 0\n", "old 0\n" + hash_line)
    seeds.replace("proof-long", request, "old 0\n", "old 1\n" + hash_line * 64)
    seeds.replace("old-giant", request, "old 0\n", "old 18446744073709551615\n")
    seeds.add("lines-only", signature)
    seeds.damage("damaged", request)


if __name__ == "__main__":
    lightgbm(Seeds("model_lightgbm_text"))
    detected(Seeds("model_detected"))
    onnx(Seeds("model_onnx"))
    plain(Seeds("model_plain"))
    xgboost_json(Seeds("model_xgboost_json"))
    xgboost_ubj(Seeds("model_xgboost_ubj"))
    for write in [manifest, package_rows, trust_policy, detached_signature, decision_record, proxy_tables, tlog_note,
                  tlog_leaf, tlog_policy, tlog_proof, tlog_proof_file, tlog_tile, tlog_witness]:
        write(Seeds(write.__name__))
