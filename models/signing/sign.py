"""Makes a publisher's key and signs model packages with it (Ed25519, RFC 8032).

    python sign.py keygen --private-key ~/publisher.key
    python sign.py sign models/taiwan-default/1 --private-key ~/publisher.key \
        --key-id demo-publisher-2026 --trust models/trust.toml

`keygen` prints the public key for models/trust.toml; the private key never belongs into a repository.
`sign` refuses a package whose files do not match its manifest, and a key that the trust policy does not allow for
the model. A signature is over the exact bytes of model.toml, which holds the digest of every other file.
"""

import argparse
import base64
import hashlib
import json
import os
import sys
import tomllib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)


def public_key_text(key: Ed25519PrivateKey) -> str:
    """The 32 bytes of the public key in base64, as trust.toml holds them."""
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def keygen(private_key: Path) -> None:
    """Writes a new private key that only its owner can read; never replaces an existing file."""
    key = Ed25519PrivateKey.generate()
    descriptor = os.open(private_key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    print(public_key_text(key))


def read_key(path: Path) -> Ed25519PrivateKey:
    """The private key of a file made by `keygen`."""
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise SystemExit(f"{path} does not hold an Ed25519 key")
    return key


def check_files(package: Path, manifest: dict) -> None:
    """Every listed file must have the digest that the manifest gives."""
    for entry in manifest["files"]:
        digest = hashlib.sha256((package / entry["path"]).read_bytes()).hexdigest()
        if digest != entry["sha256"]:
            raise SystemExit(f"{package / entry['path']} has digest {digest}, the manifest says {entry['sha256']}")


def check_trust(trust: Path, key_id: str, public_key: str, model: str) -> None:
    """The key must be in the trust policy under this name and be allowed to sign this model."""
    keys = {entry["key_id"]: entry for entry in tomllib.loads(trust.read_text())["keys"]}
    if key_id not in keys:
        raise SystemExit(f"{trust} has no key {key_id}")
    if keys[key_id]["public_key"] != public_key:
        raise SystemExit(f"the private key does not belong to {key_id} in {trust}")
    if not {"*", model} & set(keys[key_id]["models"]):
        raise SystemExit(f"{key_id} may not sign {model}")


def sign(package: Path, options: argparse.Namespace) -> None:
    """Writes model.toml.sig after checking files and trust."""
    content = (package / "model.toml").read_bytes()
    manifest = tomllib.loads(content.decode())
    key = read_key(options.private_key)
    check_files(package, manifest)
    check_trust(options.trust, options.key_id, public_key_text(key), manifest["model"]["name"])
    signature = key.sign(content)
    key.public_key().verify(signature, content)
    document = {"key_id": options.key_id, "signature": base64.b64encode(signature).decode()}
    (package / "model.toml.sig").write_text(json.dumps(document) + "\n")
    print(f"signed {package} with {options.key_id}")


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Makes keys and signs model packages.")
    commands = parser.add_subparsers(dest="command", required=True)
    keygen_command = commands.add_parser("keygen", help="write a new private key and print its public key")
    keygen_command.add_argument("--private-key", type=Path, required=True)
    sign_command = commands.add_parser("sign", help="sign one or more packages")
    sign_command.add_argument("packages", type=Path, nargs="+", metavar="PACKAGE")
    sign_command.add_argument("--private-key", type=Path, required=True)
    sign_command.add_argument("--key-id", required=True)
    sign_command.add_argument("--trust", type=Path, required=True)
    options = parser.parse_args()
    if options.command == "keygen":
        keygen(options.private_key)
        return 0
    for package in options.packages:
        sign(package, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
