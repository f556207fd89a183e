"""A stranger in Python that makes and reads Execution Context Tokens with PyJWT and with jwcrypto.

Reads one JSON object from standard input and writes one. {"make": {"aud": ...}} answers tokens of both drafts, in the shape
that the reference implementations give them, and the issuers to trust for them. {"read": {"tokens": [...], "jwks": {...},
"aud": ...}} answers what both libraries read from each token, and how they refuse it once a bit is flipped.
"""

import base64
import hashlib
import json
import sys
import time
import uuid

import jwt as pyjwt
from jwcrypto import jwk as jwcrypto_jwk
from jwcrypto import jwt as jwcrypto_jwt
from jwcrypto.common import JWException

KINDS = {
    "ES256": {"kty": "EC", "crv": "P-256"},
    "ES384": {"kty": "EC", "crv": "P-384"},
    "EdDSA": {"kty": "OKP", "crv": "Ed25519"},
    "PS256": {"kty": "RSA", "size": 2048},
}
TYPES = {"00": "wimse-exec+jwt", "01": "exec+jwt"}


def main():
    asked = json.load(sys.stdin)
    answer = make(**asked["make"]) if "make" in asked else read(**asked["read"])
    json.dump(answer, sys.stdout)


def make(aud):
    made = {"issuers": [], "tokens": []}
    for library, sign in (("PyJWT", sign_with_pyjwt), ("jwcrypto", sign_with_jwcrypto)):
        for alg, kind in KINDS.items():
            iss = f"spiffe://python.example/{library}/{alg}"
            key = jwcrypto_jwk.JWK.generate(**kind, kid=f"{library}-{alg}-key", use="sig", alg=alg)
            made["issuers"].append({"iss": iss, "jwks": {"keys": [key.export_public(as_dict=True)]}})
            for draft in TYPES:
                made["tokens"] += chain(draft, iss, aud, lambda claims: sign(claims, key, alg, TYPES[draft]))
    return made


def chain(draft, iss, aud, sign):
    """A root task and one after it, as the demo of the reference implementations has them."""
    wid = str(uuid.uuid4())
    root = claims_of(draft, iss, aud, wid, [])
    child = claims_of(draft, iss, aud, wid, [root["jti"]])
    return [{"draft": draft, "claims": claims, "token": sign(claims)} for claims in (root, child)]


def claims_of(draft, iss, aud, wid, predecessors):
    now = int(time.time())
    claims = {"iss": iss, "aud": [aud], "iat": now, "exp": now + 600, "jti": str(uuid.uuid4()), "wid": wid}
    claims["exec_act"] = "review_spec"
    policy = {"pol": "spec_review_policy_v2", "pol_decision": "approved"}
    own = {"com.example.tool": "naïve", "com.example.cost": 0.25}
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"test").digest()).rstrip(b"=").decode()
    if draft == "00":
        return {**claims, "par": predecessors, **policy, "pol_enforcer": iss, "inp_hash": f"sha-256:{digest}", "ext": own}
    return {**claims, "pred": predecessors, "inp_hash": digest, "ect_ext": {**policy, **own}}


def sign_with_pyjwt(claims, key, alg, typ):
    private = pyjwt.PyJWK(key.export(private_key=True, as_dict=True), algorithm=alg).key
    return pyjwt.encode(claims, private, algorithm=alg, headers={"typ": typ, "kid": key["kid"]})


def sign_with_jwcrypto(claims, key, alg, typ):
    token = jwcrypto_jwt.JWT(header={"alg": alg, "typ": typ, "kid": key["kid"]}, claims=claims, algs=[alg])
    token.make_signed_token(key)
    return token.serialize()


def read(tokens, jwks, aud):
    return [
        {
            "header": pyjwt.get_unverified_header(token),
            "pyjwt": read_with_pyjwt(token, jwks, aud),
            "jwcrypto": read_with_jwcrypto(token, jwks),
            "refused": [
                refusal_of(lambda: read_with_pyjwt(forge(token), jwks, aud)),
                refusal_of(lambda: read_with_jwcrypto(forge(token), jwks)),
            ],
        }
        for token in tokens
    ]


def read_with_pyjwt(token, jwks, aud):
    key = pyjwt.PyJWKSet.from_dict(jwks)[pyjwt.get_unverified_header(token)["kid"]]
    return pyjwt.decode(token, key, algorithms=["ES256"], audience=aud)


def read_with_jwcrypto(token, jwks):
    key = jwcrypto_jwk.JWKSet.from_json(json.dumps(jwks)).get_key(pyjwt.get_unverified_header(token)["kid"])
    return json.loads(jwcrypto_jwt.JWT(jwt=token, key=key, algs=["ES256"], check_claims={"exp": None}).claims)


def forge(token):
    """The same token with one bit of its signature flipped."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def refusal_of(attempt):
    try:
        attempt()
    except (pyjwt.InvalidTokenError, JWException) as error:
        return type(error).__name__
    return None


main()
