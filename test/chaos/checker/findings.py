"""What the checker found: sentences by kind. A run is good when every kind is empty."""

KINDS = {
    "lost": "acknowledged, and not in the ledger",
    "gaps": "places of the ledger without an entry",
    "duplicates": "a name, or an acknowledgement of something new, that is there twice",
    "forks": "checkpoints that no one history has",
    "wrong_proofs": "proofs that do not lead to what they should",
    "altered": "entries that are not what was acknowledged, or not what they say",
    "reused_tokens": "tokens that a replay check accepted twice",
    "unannounced_keys": "tokens under keys that the ledger had not announced",
    "bad_tokens": "tokens that do not verify, or two tokens for one request id",
    "wrong_verdicts": "good tokens that were called bad",
    "broken": "what the driver was promised and did not get",
}
SHOWN = 20


class Findings:
    def __init__(self):
        self.by_kind = {kind: [] for kind in KINDS}

    def add(self, kind, sentence):
        self.by_kind[kind].append(sentence)

    @property
    def ok(self):
        return not any(self.by_kind.values())

    def counts(self):
        return {kind: len(sentences) for kind, sentences in self.by_kind.items()}

    def lines(self):
        for kind, sentences in self.by_kind.items():
            for sentence in sentences[:SHOWN]:
                yield f"{kind}: {sentence}"
            if len(sentences) > SHOWN:
                yield f"{kind}: and {len(sentences) - SHOWN} more"
