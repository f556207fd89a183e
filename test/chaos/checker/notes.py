"""C2SP: verifier keys, signed notes, checkpoints and tlog-proofs."""

import base64
import functools
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519 = 1


class BadNote(Exception):
    pass


@functools.lru_cache(maxsize=None)
def verifier_key(text):
    """Name, key id and public key of `<name>+<8 hex>+<base64>`."""
    name, key_id, body = text.strip().split("+", 2)
    raw = base64.b64decode(body, validate=True)
    if len(raw) != 33 or raw[0] != ED25519:
        raise BadNote(f"{text} is no Ed25519 key")
    if hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4].hex() != key_id:
        raise BadNote(f"{text} has the id of another key")
    return name, bytes.fromhex(key_id), Ed25519PublicKey.from_public_bytes(raw[1:])


@functools.lru_cache(maxsize=None)
def open_checkpoint(note, key_text):
    """Size and root of a checkpoint that this key has signed."""
    name, key_id, public_key = verifier_key(key_text)
    text, separator, signatures = note.rpartition("\n\n")
    if not separator:
        raise BadNote("it is no signed note")
    text += "\n"
    if not any(is_signed(text, line, name, key_id, public_key) for line in signatures.splitlines()):
        raise BadNote(f"it is not signed by {name}")
    lines = text.split("\n")
    if lines[0] != name or not lines[1].isdecimal() or str(int(lines[1])) != lines[1]:
        raise BadNote("it is no checkpoint of this ledger")
    root = base64.b64decode(lines[2], validate=True)
    if len(root) != 32:
        raise BadNote("its root is no hash")
    return int(lines[1]), root


def is_signed(text, line, name, key_id, public_key):
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or parts[1] != name:
        return False
    signature = base64.b64decode(parts[2], validate=True)
    if signature[:4] != key_id:
        return False
    try:
        public_key.verify(signature[4:], text.encode())
    except InvalidSignature:
        return False
    return True


def open_tlog_proof(text):
    """Index, hashes, salt and checkpoint of a tlog-proof."""
    head, separator, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not separator or lines.pop(0) != "c2sp.org/tlog-proof@v1":
        raise BadNote("it is no tlog-proof")
    salt = base64.b64decode(lines.pop(0)[6:], validate=True) if lines and lines[0].startswith("extra ") else None
    if not lines or not lines[0].startswith("index "):
        raise BadNote("it has no index")
    index = int(lines.pop(0)[6:])
    return index, [base64.b64decode(line, validate=True) for line in lines], salt, checkpoint
