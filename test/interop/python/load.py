"""A stranger in Python under load: calls Issue from a few threads until its input ends.

Reads one line from standard input: {"address": "host:port"}. Writes "ready" after the first answer, and at the end how many
calls were answered and how the others were rejected.
"""

import json
import sys
import threading

import grpc
from ect.v1 import authority_pb2, authority_pb2_grpc

CALLERS = 4
DEADLINE = 20


def main():
    asked = json.loads(sys.stdin.readline())
    stopping = threading.Event()
    answered = []
    failed = []
    with grpc.insecure_channel(asked["address"]) as channel:
        authority = authority_pb2_grpc.AuthorityServiceStub(channel)
        issue(authority)
        say("ready")

        def call_until_stopped():
            while not stopping.is_set():
                try:
                    issue(authority)
                    answered.append(1)
                except grpc.RpcError as error:
                    failed.append(f"{error.code()}: {error.details()}")

        threads = [threading.Thread(target=call_until_stopped) for _ in range(CALLERS)]
        for thread in threads:
            thread.start()
        sys.stdin.read()
        stopping.set()
        for thread in threads:
            thread.join()
    say({"answered": len(answered), "failed": failed})


def issue(authority):
    request = authority_pb2.IssueRequest(exec_act="review_spec", aud=["urn:example:reviewer"])
    authority.Issue(request, timeout=DEADLINE)


def say(what):
    print(json.dumps(what), flush=True)


main()
