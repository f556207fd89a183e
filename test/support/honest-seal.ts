// A correct seal without keys: entries in order, the real tree, and a readable checkpoint.

import { hash } from 'node:crypto';
import type { Candidate, Head, Seal } from '../../src/ledger/store.ts';
import { growTree, leafHash } from '../../src/ledger/tree.ts';

/** The head of a ledger without entries. */
export const EMPTY_HEAD: Head = { size: 0, frontier: [], recordedAtMs: 0, checkpoint: 'test/0' };

/** A candidate whose content, leaf and digest follow from its names. */
export function candidate(
  name: string,
  { scope = '', author = 'ada', content = `content of ${name}` } = {},
): Candidate {
  return {
    scope,
    name,
    author,
    digest: hash('sha256', content, 'buffer'),
    content: Buffer.from(content),
    leaf: ({ recordedAtMs, commitment }) => Buffer.from(JSON.stringify([scope, name, recordedAtMs, commitment])),
  };
}

/** Seals at `nowMs`, or at the time of the newest entry if that is later. */
export function honestSeal(nowMs = 1_000): Seal {
  return (head, fresh) => {
    const recordedAtMs = Math.max(nowMs, head.recordedAtMs);
    const records = fresh.map((candidate, place) => {
      const { scope, name, author, digest, content, provenance: stated } = candidate;
      const blinding = hash('sha256', `blinding of ${head.size + place}`, 'buffer');
      const provenance = stated === undefined ? null : Buffer.concat([blinding, stated]);
      const salt = hash('sha256', provenance ?? `salt of ${head.size + place}`, 'buffer');
      const leaf = candidate.leaf({ recordedAtMs, commitment: hash('sha256', content, 'base64url') });
      return { index: head.size + place, scope, name, author, digest, recordedAtMs, leaf, salt, content, provenance };
    });
    const leafHashes = records.map(({ leaf }) => leafHash(leaf));
    const { size, frontier, nodes } = growTree(head, leafHashes);
    return { records, nodes, head: { size, frontier, recordedAtMs, checkpoint: `test/${size}` } };
  };
}
