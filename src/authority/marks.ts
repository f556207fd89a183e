// Marks: entries of the ledger that state that a task, or a key since a time, is compromised. They have a scope that no workflow can
// have, a name for each subject, and a leaf of their own kind. Nothing is deleted, and a mark is permanent; its effects are computed by
// readers. Several marks of one key may state several times: the earliest counts.

import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { keyMark, taskMark } from '../dag/index.ts';
import type { Candidate } from '../ledger/index.ts';

/** No `wid` contains such a character, whichever ids the service accepts. */
export const MARK_SCOPE = '†taint';

/** The subject of a mark. */
export type MarkSubject =
  | { readonly kind: 'task'; readonly jti: string; readonly wid: string }
  /** Every key with this id, of any issuer, since a time in milliseconds: entries from before stay sound. */
  | { readonly kind: 'key'; readonly kid: string; readonly sinceMs: number };

/** The statement of a mark. It is the content of the entry, as canonical JSON; the leaf commits to it. */
export interface MarkStatement {
  readonly subject: MarkSubject;
  /** At most 256 characters. */
  readonly note: string;
  /** The authenticated administrator. */
  readonly by: string;
}

/** The leaf of a mark. It names the subject, so that taints can be computed from leaves alone; the note is only committed to. */
export interface MarkLeaf {
  readonly v: 1;
  readonly type: 'taint';
  readonly jti?: string;
  readonly wid?: string;
  readonly kid?: string;
  /** Of a key: milliseconds since the epoch. Absent in marks of older releases. */
  readonly compromised_since?: number;
  readonly iss: string;
  /** Milliseconds since the epoch. */
  readonly recorded_at: number;
  readonly commitment: string;
}

/** The candidate for a mark. */
export function asMarkCandidate(statement: MarkStatement, provenance?: Uint8Array): Candidate {
  const { subject, note, by } = statement;
  const content = Buffer.from(canonicalize({ subject: namedAsIn(subject), note, by }) as string, 'utf8');
  return {
    scope: MARK_SCOPE,
    name: nameOf(statement.subject),
    author: statement.by,
    digest: digestOfMark(content),
    content,
    provenance,
    leaf: ({ recordedAtMs, commitment }) => {
      const leaf: MarkLeaf = {
        v: 1,
        type: 'taint',
        ...namesOf(statement.subject),
        iss: statement.by,
        recorded_at: recordedAtMs,
        commitment,
      };
      return Buffer.from(canonicalize(leaf) as string, 'utf8');
    },
  };
}

/** The digest of the content of a mark. */
export function digestOfMark(content: Uint8Array): Uint8Array {
  return createHash('sha256').update(content).digest();
}

/** The subject of a leaf. */
export function subjectOf(leaf: MarkLeaf): MarkSubject {
  const { jti, wid, kid } = leaf;
  return jti === undefined
    ? { kind: 'key', kid: kid ?? '', sinceMs: sinceMsOf(leaf) }
    : { kind: 'task', jti, wid: wid ?? '' };
}

/** Since when a key is compromised. Without a stated time, all its signatures are unsound. */
export function sinceMsOf({ compromised_since: sinceMs = 0 }: MarkLeaf): number {
  return sinceMs;
}

/** The name of a mark in the ledger, by its subject. */
export function nameOf(subject: MarkSubject): string {
  return subject.kind === 'task' ? taskMark(subject.wid, subject.jti) : keyMark(subject.kid, subject.sinceMs);
}

/** The name of a mark in the ledger, by its leaf. */
export function nameOfMark(leaf: MarkLeaf): string {
  const isTimeless = leaf.jti === undefined && leaf.compromised_since === undefined;
  return isTimeless ? keyMark(leaf.kid ?? '') : nameOf(subjectOf(leaf));
}

function namedAsIn(subject: MarkSubject): object {
  return subject.kind === 'task' ? subject : { kind: 'key', ...namesOf(subject) };
}

function namesOf(subject: MarkSubject): Pick<MarkLeaf, 'jti' | 'wid' | 'kid' | 'compromised_since'> {
  if (subject.kind === 'key') return { kid: subject.kid, compromised_since: subject.sinceMs };
  return { jti: subject.jti, ...(subject.wid === '' ? {} : { wid: subject.wid }) };
}
