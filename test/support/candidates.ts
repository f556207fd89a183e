// Candidates for a ledger, as small as they can be: the leaf is JSON and says what the authority's leaf says, in short.

import { createHash } from 'node:crypto';
import type { Candidate } from '../../src/ledger/index.ts';

/** A candidate by name; other content under the same name makes a conflict. */
export function candidateOf(name: string, content = `content of ${name}`, scope = ''): Candidate {
  return {
    scope,
    name,
    author: 'urn:test',
    digest: createHash('sha256').update(content).digest(),
    content: Buffer.from(content),
    leaf: (seal) => Buffer.from(JSON.stringify({ ...seal, name, scope })),
  };
}

/** `count` candidates with distinct names. */
export function candidatesOf(count: number, prefix = 'entry'): readonly Candidate[] {
  return Array.from({ length: count }, (_, index) => candidateOf(`${prefix} ${index}`));
}
