"""Holds the journal of a chaos run against the ledgers that it left, and counts what contradicts a promise.

    python3 check.py JOURNAL LEDGER.db

The journal is JSON, one object a line (test/chaos/README.md). An epoch is the time in which one history went on: it ends where
the driver accepted a loss or began a new ledger, and the file of that time is named in the journal. LEDGER.db is that of the last
one. It shares no code with the product: what it knows of the formats is in docs/ledger-file.md and the RFCs that this names.
Prints the counts as JSON and, on standard error, each finding. Exit code 1 where there is one.
"""

import json
import os
import sys

import answers
import findings as found
import ledger


def main(journal_path, ledger_path):
    findings = found.Findings()
    lines = read_journal(journal_path)
    folder = os.path.dirname(os.path.abspath(journal_path))
    epochs, before, counts = [], None, {"entries": 0, "epochs": 0}
    for epoch, end in epochs_of(lines, ledger_path, folder, findings):
        book = ledger.Ledger(end["database"], end["verifier_key"], findings)
        said = answers.Answers(book, findings)
        check_sequel(before, book, findings)
        for line in epoch:
            said.take(line)
        add(counts, {"entries": book.size, "epochs": 1, **said.counts})
        before = (end, book, said)
        epochs.append((epoch, book))
    uses = answers.Tokens(findings)
    for epoch, book in epochs:
        uses.enter(book.keys)
        for line in epoch:
            uses.take(line)
    for line in lines:
        if line["kind"] == "broken":
            findings.add("broken", f"line {line['line']}: {line['what']}")
    add(counts, uses.counts)
    add(counts, {"faults": sum(line["kind"] == "fault" for line in lines)})
    add(counts, {"refused_starts": sum(line["kind"] == "refused" for line in lines)})
    report(findings, counts)
    return 0 if findings.ok else 1


def read_journal(path):
    with open(path, encoding="utf-8") as file:
        return [{**json.loads(text), "line": number} for number, text in enumerate(file, 1)]


def epochs_of(lines, ledger_path, folder, findings):
    """The lines of each epoch, and how it ended: which file it left, under which key, and how much of it went on."""
    epoch, key, is_renewed = [], None, True
    for line in lines:
        if line["kind"] == "start":
            if (line["verifier_key"] == key) == is_renewed:
                findings.add("forks", f"line {line['line']}: the ledger is of {line['verifier_key']}, and was of {key}")
            key, is_renewed = line["verifier_key"], False
        if line["kind"] != "epoch":
            epoch.append(line)
            continue
        yield epoch, {**line, "database": os.path.join(folder, line["database"]), "verifier_key": key}
        epoch, is_renewed = [], line["way"] == "new-origin"
    yield epoch, {"database": ledger_path, "verifier_key": key, "kept": None}


def check_sequel(before, book, findings):
    """A ledger that accepted a loss goes on with the history that was left, and states what was lost. No other may have one."""
    end, earlier, said = before if before is not None else ({"kept": None}, None, None)
    kept = end["kept"]
    if kept is None:
        for index, *_ in book.losses:
            findings.add("forks", f"entry {index} states a loss that nobody accepted")
        return
    if book.leaves[:kept] != earlier.leaves[:kept]:
        findings.add("forks", f"what was left before the accepted loss, {kept} entries, is not how the ledger begins")
    known = [loss for loss in earlier.losses if loss[0] < kept]
    stated = book.losses[len(known):]
    if book.losses[:len(known)] != known or len(stated) != 1 or not states(stated[0], kept, earlier, said.largest):
        findings.add("forks", f"entry {kept} does not state the loss of {earlier.size - kept} entries")


def states(loss, kept, earlier, shown):
    """Whether a loss is stated where it happened, of everything that had been shown, with the root that it had."""
    index, size, root = loss
    return index == kept and shown <= size <= earlier.size and earlier.tree.roots[size] == root


def add(counts, more):
    for name, count in more.items():
        counts[name] = counts.get(name, 0) + count


def report(findings, counts):
    json.dump({"ok": findings.ok, "findings": findings.counts(), "counts": counts}, sys.stdout)
    print()
    for line in findings.lines():
        print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
