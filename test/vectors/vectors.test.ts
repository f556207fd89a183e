// The vectors, compared with the token and the graph room; and the files, compared with what makes them.

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  SHIPPED_VECTORS as folder,
  isGraphVector,
  readProfiles,
  readVectors,
  type TokenVector,
  type Trust,
} from '../../src/cli/vectors.ts';
import { REASONS } from '../../src/errors.ts';
import { judgeGraph, judgeToken } from './judge.ts';
import { writeFiles } from './make/files.ts';

const vectors = await readVectors(folder);
/** The trust that all vectors together need: nothing in it changes the verdict on any of them. */
const trust = JSON.parse(readFileSync(join(folder, 'trust.json'), 'utf8')) as Trust;
const tokens = vectors.filter((vector): vector is TokenVector => !isGraphVector(vector));
const graphs = vectors.filter(isGraphVector);

describe('T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14, T15, T16, T17, T18, T19, T20, T21, T22, T23, T24: tokens, judged as their vectors say', () => {
  test.each(tokens)('$name: $shows', (vector) => {
    expect(judgeToken(vector, vector.trust)).toEqual(vector.expected);
    // The other issuers, and keys of the same name among theirs, change nothing.
    expect(judgeToken(vector, trust)).toEqual(vector.expected);
  });
});

describe('R9: graphs, judged as their vectors say', () => {
  test.each(graphs)('$name: $shows', async (vector) => {
    expect(await judgeGraph(vector, vector.trust)).toEqual(vector.expected);
    expect(await judgeGraph(vector, trust)).toEqual(vector.expected);
  });
});

describe('the files', () => {
  const made = writeFiles();

  test('are those that `npm run generate:vectors` writes, byte for byte', () => {
    const written = globSync('**/*.json', { cwd: folder }).toSorted();
    expect(written).toEqual([...made.keys()].toSorted());
    const stale = written.filter((name) => readFileSync(join(folder, name), 'utf8') !== made.get(name));
    expect(stale).toEqual([]);
  });

  test('are at least 60 valid ones and 250 invalid ones, and each bears the name of its file', () => {
    const count = (kind: string) => vectors.filter(({ name }) => name.startsWith(`${kind}/`)).length;
    expect(count('valid')).toBeGreaterThanOrEqual(60);
    expect(count('invalid')).toBeGreaterThanOrEqual(250);
    for (const { name } of vectors) expect(made.has(`${name}.json`)).toBe(true);
  });

  test('name a profile that exists, and every reason that a token alone can have', async () => {
    const profiles = Object.keys(await readProfiles(folder));
    expect(new Set(vectors.map(({ profile }) => profile))).toEqual(new Set(profiles));
    const reasons = new Set(tokens.flatMap(({ expected }) => (expected.valid ? [] : [expected.reason])));
    const names = Object.keys(REASONS);
    const ofTokens = names.slice(0, names.indexOf('DAG_DUPLICATE_TASK'));
    expect(ofTokens.filter((reason) => !reasons.has(reason))).toEqual([]);
  });

  test('publish keys without private members', () => {
    const secret = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
    for (const { iss, jwks } of [trust, ...vectors.map((vector) => vector.trust)].flatMap(({ issuers }) => issuers)) {
      expect(
        jwks.keys.flatMap(Object.keys).filter((name) => secret.includes(name)),
        iss,
      ).toEqual([]);
    }
  });
});
