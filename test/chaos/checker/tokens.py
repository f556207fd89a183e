"""JWS with ES256 (RFC 7515, RFC 7518) and thumbprints of keys (RFC 7638)."""

import base64
import hashlib
import json

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

ES256 = ec.ECDSA(SHA256())


class BadToken(Exception):
    pass


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def split(token):
    """Header, claims, signing input and signature."""
    parts = token.split(".")
    if len(parts) != 3:
        raise BadToken("it has not three parts")
    try:
        header, claims = (json.loads(decode(part)) for part in parts[:2])
        return header, claims, f"{parts[0]}.{parts[1]}".encode(), decode(parts[2])
    except ValueError as error:
        raise BadToken(f"it cannot be read: {error}") from error


def public_key(jwk):
    if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256":
        raise BadToken("its key is not on P-256")
    x, y = (int.from_bytes(decode(jwk[name]), "big") for name in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def thumbprint(jwk):
    canonical = json.dumps({name: jwk[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()


def check(token, key, typ):
    """Answers header and claims of a token under this key. BadToken where it is none."""
    header, claims, signing_input, signature = split(token)
    if header.get("alg") != "ES256" or header.get("typ") != typ:
        raise BadToken(f"its header is {header}")
    if len(signature) != 64:
        raise BadToken("its signature has not 64 bytes")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        key.verify(utils.encode_dss_signature(r, s), signing_input, ES256)
    except InvalidSignature as error:
        raise BadToken("its signature does not verify") from error
    return header, claims
