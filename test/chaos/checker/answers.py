"""Holds what the journal says was answered against the ledger that it was answered from."""

import base64

import keys
import ledger as ledgers
import notes
import tokens
import tree

b64 = base64.b64decode


class Answers:
    """The answers of one epoch: the time in which one history of one ledger went on."""

    def __init__(self, ledger, findings):
        self._ledger, self._findings = ledger, findings
        self._roots, self._new = {}, {}
        self.largest = 0
        self.counts = {"recorded": 0, "checkpoint": 0, "inclusion": 0, "consistency": 0}

    def take(self, line):
        kind = line["kind"]
        if kind in self.counts:
            self.counts[kind] += 1
            getattr(self, f"_{kind}")(line)

    def _recorded(self, line):
        index, leaf, where = line["index"], b64(line["leaf"]), f"entry {line['index']} ({line['how']}, line {line['line']})"
        if index >= self._ledger.size:
            self._findings.add("lost", f"{where} was acknowledged, and the ledger ends at {self._ledger.size}")
        elif self._ledger.leaves[index] != leaf:
            self._findings.add("altered", f"{where} is another leaf than was acknowledged")
        elif line.get("token") and self._ledger.tokens.get(line["token"]) != index:
            self._findings.add("lost", f"{where} was acknowledged with a token that is not there")
        if line.get("new"):
            if line["token"] in self._new:
                self._findings.add("duplicates", f"{where} was new, and so was entry {self._new[line['token']]}")
            self._new[line["token"]] = index
        if line.get("proof"):
            self._check_receipt(line, leaf, where)

    def _check_receipt(self, line, leaf, where):
        try:
            index, path, _, checkpoint = notes.open_tlog_proof(line["proof"])
        except (notes.BadNote, ValueError) as error:
            self._findings.add("wrong_proofs", f"the receipt of {where}: {error}")
            return
        head = self._see(checkpoint, where)
        if head is None:
            return
        if index != line["index"] or not tree.inclusion_holds(tree.leaf_hash(leaf), index, head[0], path, head[1]):
            self._findings.add("wrong_proofs", f"the receipt of {where} does not lead to its checkpoint")

    def _see(self, checkpoint, whose):
        """Two checkpoints of one size have one root, whatever became of the ledger since."""
        head = ledgers.check_checkpoint(self._ledger, checkpoint, whose, self._findings)
        if head is None:
            return None
        self.largest = max(self.largest, head[0])
        if self._roots.setdefault(head[0], head[1]) != head[1]:
            self._findings.add("forks", f"two checkpoints of {head[0]} entries differ, one of {whose}")
        return head

    def _checkpoint(self, line):
        self._see(line["checkpoint"], f"line {line['line']}")

    def _root(self, size):
        return self._ledger.tree.roots[size] if size <= self._ledger.size else None

    def _inclusion(self, line):
        index, size, path = line["index"], line["size"], [b64(step) for step in line["hashes"]]
        if size > self._ledger.size:
            self._findings.add("lost", f"a proof of line {line['line']} is for {size} entries, and {self._ledger.size} are there")
            return
        of_leaf = tree.leaf_hash(self._ledger.leaves[index])
        if not tree.inclusion_holds(of_leaf, index, size, path, self._root(size)):
            self._findings.add("wrong_proofs", f"the proof of entry {index} in {size} (line {line['line']}) does not hold")

    def _consistency(self, line):
        first, second, path = line["first"], line["second"], [b64(step) for step in line["hashes"]]
        if max(first, second) > self._ledger.size:
            self._findings.add("lost", f"a proof of line {line['line']} is for {second} entries, and {self._ledger.size} are there")
        elif not tree.consistency_holds(first, second, path, self._root(first), self._root(second)):
            self._findings.add("wrong_proofs", f"the proof from {first} to {second} (line {line['line']}) does not hold")


class Tokens:
    """What was issued and verified over the whole run: tokens outlive a ledger."""

    def __init__(self, findings):
        self._announced, self._now, self._findings = keys.AnnouncedKeys(), keys.AnnouncedKeys(), findings
        self._offered, self._accepted, self._by_key = {}, {}, {}
        self.counts = {"issued": 0, "verdict": 0, "unknown_keys": 0}

    def enter(self, now):
        """From here on the ledger announces these keys. What others had announced is still known to auditors."""
        self._now = now
        now.copy_into(self._announced)

    def take(self, line):
        if line["kind"] == "offered":
            self._offered.setdefault((line["token"], line["audience"]), []).append(line["request_id"])
        elif line["kind"] in ("issued", "verdict"):
            self.counts[line["kind"]] += 1
            getattr(self, f"_{line['kind']}")(line)

    def _issued(self, line):
        if line["level"] != "LEVEL_L1":
            self._check_token(line)
        key = line.get("request_id")
        if key and self._by_key.setdefault(key, line["token"]) != line["token"]:
            self._findings.add("bad_tokens", f"line {line['line']}: the request id {key} was answered with two tokens")

    def _check_token(self, line):
        try:
            kid = tokens.split(line["token"])[0].get("kid")
            key = self._announced.active(kid)
            if key is None:
                self._findings.add("unannounced_keys", f"line {line['line']}: a token under {kid}, which no ledger made active")
                return
            tokens.check(line["token"], key, "exec+jwt")
        except tokens.BadToken as error:
            self._findings.add("bad_tokens", f"line {line['line']}: {error}")

    def _verdict(self, line):
        use, request_id = (line["token"], line["audience"]), line["request_id"]
        accepted = self._accepted.get(use)
        if line["valid"]:
            if accepted is not None and (accepted[0] != request_id or request_id == ""):
                what = f"a token that line {accepted[1]} had used was accepted again in line {line['line']}"
                self._findings.add("reused_tokens", f"{what}: {tokens.split(line['token'])[1].get('jti')}")
            self._accepted.setdefault(use, (request_id, line["line"]))
        elif line["reason"] == "KEY_UNKNOWN" and self._now.active(tokens.split(line["token"])[0].get("kid")) is None:
            self.counts["unknown_keys"] += 1
        elif line["reason"] != "TOKEN_REPLAYED":
            self._findings.add("wrong_verdicts", f"line {line['line']}: {line['reason']}")
        elif accepted is not None and accepted[0] == request_id != "":
            self._findings.add("wrong_verdicts", f"line {line['line']}: a repeated call is called a replay")
        elif len(self._offered.get(use, [])) < 2:
            self._findings.add("wrong_verdicts", f"line {line['line']}: a token that was never offered before is called replayed")
