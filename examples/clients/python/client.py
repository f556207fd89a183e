"""Issues, verifies, records and checks one task: python3 client.py [host:port]"""

import os
import sys
import uuid
from pathlib import Path

import grpc
from ect.v1 import authority_pb2, authority_pb2_grpc, error_reason_pb2, token_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

READER = "urn:example:reader"
DEADLINE = 10  # seconds, of each call


def main(address="127.0.0.1:8080"):
    with connect(address) as channel:
        authority = authority_pb2_grpc.AuthorityServiceStub(channel)

        # `aud` is a list. If it is a string, protobuf converts it into a list of its letters.
        task = authority_pb2.IssueRequest(exec_act="review_spec", aud=[READER], input=b"the draft")
        task.request_id = str(uuid.uuid4())  # A retry with the same id returns the same token.
        issued = authority.Issue(task, timeout=DEADLINE)
        print("issued", issued.claims.jti)

        request = authority_pb2.VerifyRequest(token=issued.token, audience=READER, input=b"the draft")
        verdict = authority.Verify(request, timeout=DEADLINE)
        print("valid" if verdict.valid else error_reason_pb2.ErrorReason.Name(verdict.finding.reason))

        recorded = authority.AppendLedger(authority_pb2.AppendLedgerRequest(token=issued.token), timeout=DEADLINE)
        print("recorded at", recorded.entry.index)

        graph = authority.ValidateDAG(authority_pb2.ValidateDAGRequest(token=issued.token), timeout=DEADLINE)
        print("graph", token_pb2.DagStatus.Name(graph.dag_report.status))

        try:
            task.iss = "urn:example:another"
            authority.Issue(task, timeout=DEADLINE)
        except grpc.RpcError as error:
            info = error_info(error)
            print("refused", info.reason, info.metadata["iss"])


def error_info(error):
    """Returns the ErrorInfo of an error. Programs use it; the message of the error is for people."""
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    if status is None or not any(detail.Unpack(info) for detail in status.details):
        raise error  # The error does not come from the service, for example because the connection was refused.
    return info


def connect(address):
    """Cleartext, or TLS with the certificate of this workload where ECT_CA, ECT_CERT and ECT_KEY name PEM files."""
    if not os.environ.get("ECT_CERT"):
        return grpc.insecure_channel(address)
    ca, cert, key = (Path(os.environ[name]).read_bytes() for name in ("ECT_CA", "ECT_CERT", "ECT_KEY"))
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(ca, key, cert))


if __name__ == "__main__":
    main(*sys.argv[1:])
