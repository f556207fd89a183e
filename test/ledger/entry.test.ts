import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  commitEach,
  commitmentIn,
  MAX_PROVENANCE_BYTES,
  opensCommitment,
  opensSalt,
  statedProvenance,
} from '../../src/ledger/entry.ts';

const CONTENT = Buffer.from('a token');

test('a commitment is the base64url SHA-256 of salt and content, under a fresh salt each time', () => {
  const { salt, commitment } = commitEach([{ content: CONTENT }])[0]!;
  expect(salt.length).toBe(32);
  expect(commitment).toBe(createHash('sha256').update(salt).update(CONTENT).digest('base64url'));
  expect(commitEach([{ content: CONTENT }])[0]!.commitment).not.toBe(commitment);
});

test('a commitment opens with its own salt and content only', () => {
  const { salt, commitment } = commitEach([{ content: CONTENT }])[0]!;
  expect(opensCommitment(commitment, salt, CONTENT)).toBe(true);
  expect(opensCommitment(commitment, salt, Buffer.from('b token'))).toBe(false);
  expect(opensCommitment(commitment, commitEach([{ content: CONTENT }])[0]!.salt, CONTENT)).toBe(false);
  expect(opensCommitment(`${commitment}=`, salt, CONTENT)).toBe(false);
});

test('the border between salt and content cannot be moved', () => {
  const { salt, commitment } = commitEach([{ content: CONTENT }])[0]!;
  const longer = Buffer.concat([salt, CONTENT.subarray(0, 2)]);
  expect(opensCommitment(commitment, longer, CONTENT.subarray(2))).toBe(false);
  const shorter = salt.subarray(0, 31);
  expect(opensCommitment(commitment, shorter, Buffer.concat([salt.subarray(31), CONTENT]))).toBe(false);
});

test('the commitment is found in a leaf that is a JSON object, and nowhere else', () => {
  expect(commitmentIn(Buffer.from('{"commitment":"abc","v":1}'))).toBe('abc');
  for (const leaf of ['', '[]', 'null', '{}', '{"commitment":1}', '"commitment"', '{', '\xff']) {
    expect(commitmentIn(Buffer.from(leaf, 'latin1')), leaf).toBeUndefined();
  }
});

test('contents that are committed together have salts of their own', () => {
  const commitments = commitEach([CONTENT, CONTENT, Buffer.from('other')].map((content) => ({ content })));
  expect(new Set(commitments.map(({ salt }) => Buffer.from(salt).toString('hex'))).size).toBe(3);
  for (const [position, content] of [CONTENT, CONTENT, Buffer.from('other')].entries()) {
    const { salt, commitment } = commitments[position]!;
    expect(salt).toHaveLength(32);
    expect(opensCommitment(commitment, salt, content)).toBe(true);
  }
});

test('the commitment of an entry commits to its provenance, which the salt hides', () => {
  const provenance = Buffer.from('{"caller":"spiffe://prod.example/a"}');
  const [one, other] = commitEach([
    { content: CONTENT, provenance },
    { content: CONTENT, provenance },
  ]);
  const { salt, commitment, provenance: kept } = one!;
  expect(opensCommitment(commitment, salt, CONTENT)).toBe(true);
  expect(opensSalt(salt, kept!)).toBe(true);
  expect(Buffer.from(statedProvenance(kept!))).toEqual(provenance);
  // Equal facts, and nothing that two readers of receipts could compare or guess.
  expect(other!.salt).not.toEqual(salt);
  const forged = Buffer.from(kept!);
  forged[forged.length - 3]! ^= 1;
  expect(opensSalt(salt, forged)).toBe(false);
  expect(opensSalt(salt, kept!.subarray(0, 32))).toBe(false);
});

test('a provenance is bounded', () => {
  const commit = (bytes: number) => () => commitEach([{ content: CONTENT, provenance: Buffer.alloc(bytes) }]);
  expect(commit(MAX_PROVENANCE_BYTES)()[0]?.provenance?.length).toBe(32 + MAX_PROVENANCE_BYTES);
  for (const bytes of [0, MAX_PROVENANCE_BYTES + 1]) expect(commit(bytes)).toThrow(TypeError);
});
