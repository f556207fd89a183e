"""A stranger in Python: grpcio over code generated from proto/, and two JOSE libraries over the published keys.

Reads from standard input: {"address": "host:port", "jwks": {...}}. Writes what it found as one JSON object.
"""

import json
import sys

import grpc
import jwt as pyjwt
from ect.v1 import authority_pb2, authority_pb2_grpc, error_reason_pb2, ledger_pb2, ledger_pb2_grpc, token_pb2
from google.rpc import error_details_pb2, status_pb2
from jwcrypto import jwk as jwcrypto_jwk
from jwcrypto import jwt as jwcrypto_jwt
from jwcrypto.common import JWException

AUDIENCE = "urn:example:reviewer"
DEADLINE = 20


def main():
    asked = json.load(sys.stdin)
    with grpc.insecure_channel(asked["address"]) as channel:
        authority = authority_pb2_grpc.AuthorityServiceStub(channel)
        ledger = ledger_pb2_grpc.LedgerServiceStub(channel)
        issued = issue(authority)
        found = {
            "issued": {"jti": issued.claims.jti, "iss": issued.claims.iss, "kid": issued.kid},
            "verdicts": verify_twice(authority, issued.token),
            "graph": validate(authority, issued.token),
            "recorded": record(authority, ledger, issued.token),
            "batch": batch(authority),
            "refused": refused(authority),
            "strings": strings_for_lists(authority, issued.token),
            "late": late(authority),
        }
    forged = forge(issued.token)
    found["pyjwt"] = read_with_pyjwt(issued.token, asked["jwks"])
    found["pyjwt_forged"] = refusal_of(lambda: read_with_pyjwt(forged, asked["jwks"]))
    found["jwcrypto"] = read_with_jwcrypto(issued.token, asked["jwks"])
    found["jwcrypto_forged"] = refusal_of(lambda: read_with_jwcrypto(forged, asked["jwks"]))
    json.dump(found, sys.stdout)


def issue(authority, **fields):
    request = authority_pb2.IssueRequest(exec_act="review_spec", aud=[AUDIENCE], input=b"test", **fields)
    return authority.Issue(request, timeout=DEADLINE)


def verify_twice(authority, token):
    request = authority_pb2.VerifyRequest(token=token, audience=AUDIENCE)
    answers = [authority.Verify(request, timeout=DEADLINE) for _ in range(2)]
    return [{"valid": answer.valid, "reason": reason_of(answer)} for answer in answers]


def reason_of(answer):
    return error_reason_pb2.ErrorReason.Name(answer.finding.reason) if answer.HasField("finding") else ""


def validate(authority, token):
    answer = authority.ValidateDAG(authority_pb2.ValidateDAGRequest(token=token), timeout=DEADLINE)
    return {
        "status": token_pb2.DagStatus.Name(answer.dag_report.status),
        "size": answer.size,
        "roots": [[root.wid, root.jti] for root in answer.roots],
    }


def record(authority, ledger, token):
    request = authority_pb2.AppendLedgerRequest(token=token)
    first, again = [authority.AppendLedger(request, timeout=DEADLINE) for _ in range(2)]
    read = ledger.GetEntry(ledger_pb2.GetEntryRequest(task=first.entry.task.name), timeout=DEADLINE)
    text = ledger_pb2.RECEIPT_FORMAT_TLOG_PROOF
    request = ledger_pb2.GetEntryRequest(index=first.entry.index, receipt_format=text)
    as_text = ledger.GetEntry(request, timeout=DEADLINE)
    return {
        "jti": first.entry.task.name.jti,
        "duplicates": [first.duplicate, again.duplicate],
        "same_index": first.entry.index == again.entry.index,
        "same_entry": read.entry == first.entry,
        "checkpoint_in_proof": first.receipt.inclusion.checkpoint in as_text.receipt.tlog_proof,
    }


def batch(authority):
    good = authority_pb2.IssueRequest(exec_act="review_spec", aud=[AUDIENCE])
    items = [
        authority_pb2.BatchIssueItem(reference="good", request=good),
        authority_pb2.BatchIssueItem(reference="bad", request=authority_pb2.IssueRequest(aud=[AUDIENCE])),
    ]
    answer = authority.BatchIssue(authority_pb2.BatchIssueRequest(items=items), timeout=DEADLINE)
    return [
        {
            "reference": result.reference,
            "kind": result.WhichOneof("result"),
            "reason": error_info(result.error).reason if result.HasField("error") else "",
        }
        for result in answer.results
    ]


def strings_for_lists(authority, token):
    """What the service says of a string where a list belongs: protobuf takes it for the list of its letters."""
    extended = authority_pb2.IssueRequest(exec_act="review_spec", aud=[AUDIENCE])
    extended.aud.extend("urn:x")
    bundle = authority_pb2.TokenBundle(tokens=token)
    calls = {
        "aud": (authority.Issue, authority_pb2.IssueRequest(exec_act="review_spec", aud="urn:x")),
        "aud, extended": (authority.Issue, extended),
        "aud, long": (authority.Issue, authority_pb2.IssueRequest(exec_act="review_spec", aud=100 * AUDIENCE)),
        "pred": (authority.Issue, authority_pb2.IssueRequest(exec_act="review_spec", aud=[AUDIENCE], pred="task-1")),
        "predecessor_tokens": (authority.Verify, authority_pb2.VerifyRequest(token=token, predecessor_tokens=token)),
        "bundle.tokens": (authority.ValidateDAG, authority_pb2.ValidateDAGRequest(bundle=bundle)),
    }
    return {name: failure_of(lambda: call(request, timeout=DEADLINE)) for name, (call, request) in calls.items()}


def refused(authority):
    return failure_of(lambda: issue(authority, iss="urn:other"))


def failure_of(call):
    try:
        call()
    except grpc.RpcError as error:
        status = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
        info = error_info(status)
        return {
            "code": error.code().name,
            "status_code": status.code,
            "domain": info.domain,
            "reason": info.reason,
            "metadata": dict(info.metadata),
        }
    return None


def late(authority):
    # A thousand signatures take longer than five milliseconds on any machine.
    request = authority_pb2.IssueRequest(exec_act="review_spec", aud=[AUDIENCE])
    items = [authority_pb2.BatchIssueItem(request=request)] * 1000
    try:
        authority.BatchIssue(authority_pb2.BatchIssueRequest(items=items), timeout=0.005)
    except grpc.RpcError as error:
        return error.code().name
    return None


def error_info(status):
    info = error_details_pb2.ErrorInfo()
    return next(info for detail in status.details if detail.Unpack(info))


def read_with_pyjwt(token, jwks):
    header = pyjwt.get_unverified_header(token)
    key = pyjwt.PyJWKSet.from_dict(jwks)[header["kid"]]
    claims = pyjwt.decode(token, key, algorithms=["ES256"], audience=AUDIENCE)
    return {"typ": header["typ"], "jti": claims["jti"], "pred": claims["pred"]}


def read_with_jwcrypto(token, jwks):
    kid = pyjwt.get_unverified_header(token)["kid"]
    key = jwcrypto_jwk.JWKSet.from_json(json.dumps(jwks)).get_key(kid)
    read = jwcrypto_jwt.JWT(jwt=token, key=key, algs=["ES256"], check_claims={"exp": None, "iss": "urn:ect:dev"})
    claims = json.loads(read.claims)
    return {"typ": json.loads(read.header)["typ"], "jti": claims["jti"], "pred": claims["pred"]}


def forge(token):
    """The same token with one bit of its signature flipped."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def refusal_of(read):
    try:
        read()
    except (pyjwt.InvalidTokenError, JWException) as error:
        return type(error).__name__
    return None


main()
