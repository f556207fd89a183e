// Small candidates for a ledger. The leaf is JSON with the main members of the authority's leaf.

import { createHash } from 'node:crypto';
import type { Candidate } from '../../src/ledger/index.ts';

/** Makes a candidate. Other content under the same name makes a conflict. */
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

/** Makes `count` candidates with distinct names. */
export function candidatesOf(count: number, prefix = 'entry'): readonly Candidate[] {
  return Array.from({ length: count }, (_, index) => candidateOf(`${prefix} ${index}`));
}
