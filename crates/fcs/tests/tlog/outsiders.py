"""Transparency logs as other people's code sees them: aics-tlog, aics-witness and metamorphic-log."""

import base64
import json
import sys
from pathlib import Path

import metamorphic_log
from aics_tlog import checkpoint, note, tiles
from aics_witness.feeder import WitnessClient, merge_cosignatures
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def check() -> None:
    """Verifies what is on standard input with metamorphic-log; says how many proofs held."""
    asked = json.load(sys.stdin)
    keys = [asked["vkey"]]
    decode = lambda hashes: [base64.b64decode(it) for it in hashes]
    for text in asked["notes"].values():
        metamorphic_log.checkpoint_verify(text, keys)
    for it in asked["inclusions"]:
        leaf = base64.b64decode(it["leaf"])
        newest = asked["notes"][it["note"]]
        metamorphic_log.checkpoint_verify_inclusion(newest, keys, it["index"], leaf, decode(it["proof"]))
    for it in asked["consistencies"]:
        old, new = asked["notes"][it["old"]], asked["notes"][it["new"]]
        metamorphic_log.checkpoint_verify_consistency(old, new, keys, decode(it["proof"]))
    print(json.dumps({"inclusions": len(asked["inclusions"]), "consistencies": len(asked["consistencies"])}))


def build(folder: str, origin: str, count: str) -> None:
    """Writes a log of its own with aics-tlog; prints its key."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    entries = [f"entry {index}".encode() for index in range(int(count))]
    tiles.write_tiles(entries, folder)
    root = tiles.tree_root_from_tiles(tiles.FileSystemTileReader(folder), len(entries))
    head = checkpoint.Checkpoint(origin, len(entries), root)
    signed = checkpoint.sign_checkpoint(head, key, origin)
    Path(folder, "checkpoint").write_text(signed.serialise())
    print(note.format_vkey(note.vkey_from_ed25519(origin, key.public_key())))


def feed(url: str, witness_key: str, folder: str, *sizes: str) -> None:
    """Has a witness cosign checkpoints one after the other; prints the last one."""
    client = WitnessClient(url, witness_key)
    reader = tiles.FileSystemTileReader(folder)
    for size in sizes:
        text = Path(folder, f"checkpoint.{size}").read_text()
        proof = lambda old, new: tiles.consistency_proof_from_tiles(reader, old, new, int(sizes[-1]))
        cosigned = merge_cosignatures(text, client.submit(text, proof))
    sys.stdout.write(cosigned.decode())


if __name__ == "__main__":
    {"check": check, "build": build, "feed": feed}[sys.argv[1]](*sys.argv[2:])
