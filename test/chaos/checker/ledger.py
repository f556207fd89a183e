"""Reads a ledger.db (docs/ledger-file.md) and holds everything in it against everything else in it."""

import base64
import hashlib
import json
import sqlite3

import keys
import notes
import tokens
import tree

LOSS_SCOPE = "†loss"
COLUMNS = "idx, scope, name, author, recorded_at, leaf, nodes, salt, content"


class Ledger:
    """The entries of one file, its tree, and the keys that it announces."""

    def __init__(self, path, key_text, findings):
        self.path, self.key_text = path, key_text
        self.tree, self.keys = tree.Tree(), keys.AnnouncedKeys()
        self.leaves, self.tokens, self.losses = [], {}, []
        self._findings = findings
        connection = sqlite3.connect(path)
        try:
            self._read_entries(connection)
            self._read_head(connection)
            self._let_sqlite_check(connection)
        except sqlite3.DatabaseError as error:
            findings.add("altered", f"{path} cannot be read: {error}")
        finally:
            connection.close()

    @property
    def size(self):
        return len(self.leaves)

    def _read_entries(self, connection):
        names, newest = {}, 0
        for row in connection.execute(f"SELECT {COLUMNS} FROM entries NOT INDEXED ORDER BY idx"):
            idx, scope, name, author, recorded_at, leaf, nodes, salt, content = row
            if idx != self.size:
                self._findings.add("gaps", f"entry {self.size} is followed by {idx}" if self.size else f"the first entry is {idx}")
                return
            if (scope, name) in names:
                self._findings.add("duplicates", f"entries {names[scope, name]} and {idx} have the name {name} in {scope!r}")
            names[scope, name] = idx
            completed = self.tree.append(tree.leaf_hash(leaf))
            if b"".join(completed) != nodes:
                self._findings.add("altered", f"entry {idx} has nodes of other leaves")
            if recorded_at < newest:
                self._findings.add("altered", f"entry {idx} is dated before entry {idx - 1}")
            newest = max(newest, recorded_at)
            self.leaves.append(leaf)
            self._read_leaf(idx, scope, name, author, recorded_at, leaf, salt, content)

    def _read_leaf(self, idx, scope, name, author, recorded_at, leaf, salt, content):
        said = json.loads(leaf)
        if said.get("recorded_at") != recorded_at or said.get("iss") != author:
            self._findings.add("altered", f"the columns of entry {idx} are not those of its leaf")
        if content is not None:
            opened = base64.urlsafe_b64encode(hashlib.sha256(salt + content).digest()).rstrip(b"=").decode()
            if opened != said.get("commitment"):
                self._findings.add("altered", f"the leaf of entry {idx} commits to other content")
        if scope == keys.KEY_SCOPE:
            self.keys.read(idx, said, self._findings)
        elif scope == LOSS_SCOPE:
            self.losses.append((idx, said.get("size"), base64.b64decode(said.get("root", ""))))
        elif not scope.startswith("†"):
            if said.get("jti") != name or said.get("wid", "") != scope:
                self._findings.add("altered", f"entry {idx} stands under the name of another task")
            if content is not None:
                self._read_token(idx, said, content.decode())

    def _read_token(self, idx, said, token):
        self.tokens[token] = idx
        try:
            kid = tokens.split(token)[0].get("kid")
            key = self.keys.active(kid)
            if key is None:
                self._findings.add("unannounced_keys", f"entry {idx} is signed by {kid}, which is not active before it")
                return
            header, claims = tokens.check(token, key, "exec+jwt")
        except tokens.BadToken as error:
            self._findings.add("bad_tokens", f"the token of entry {idx}: {error}")
            return
        expected = {name: claims.get(name) for name in ("jti", "wid", "iss", "iat", "pred")}
        if {name: said.get(name) for name in expected} != expected or said.get("kid") != header["kid"]:
            self._findings.add("altered", f"the leaf of entry {idx} is not about its token")

    def _read_head(self, connection):
        size, frontier, checkpoint = connection.execute("SELECT size, frontier, checkpoint FROM head").fetchone()
        (identity,) = connection.execute("SELECT verifier_key FROM identity").fetchone()
        if identity != self.key_text:
            self._findings.add("forks", f"{self.path} is of {identity}, not of {self.key_text}")
        if size > self.size:
            self._findings.add("gaps", f"the head counts {size} entries, and {self.size} are there")
        elif size < self.size:
            self._findings.add("altered", f"the head counts {size} entries, and {self.size} are there")
        elif b"".join(self.tree.frontier()) != frontier:
            self._findings.add("altered", "the frontier of the head is not that of the leaves")
        check_checkpoint(self, checkpoint, "the head", self._findings)

    def _let_sqlite_check(self, connection):
        for (said,) in connection.execute("PRAGMA integrity_check"):
            if said != "ok":
                self._findings.add("altered", f"{self.path}: {said}")


def check_checkpoint(ledger, checkpoint, whose, findings):
    """Answers size and root of a checkpoint of this ledger; None where it is none."""
    try:
        size, root = notes.open_checkpoint(checkpoint, ledger.key_text)
    except (notes.BadNote, ValueError) as error:
        findings.add("forks", f"the checkpoint of {whose}: {error}")
        return None
    if size > ledger.size:
        findings.add("lost", f"the checkpoint of {whose} shows {size} entries, and {ledger.size} are there")
    elif root != ledger.tree.roots[size]:
        findings.add("forks", f"the checkpoint of {whose} has another root for {size} entries than the ledger")
    return size, root
