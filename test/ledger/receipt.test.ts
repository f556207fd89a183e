import { describe, expect, test } from 'vitest';
import { signCheckpoint } from '../../src/ledger/checkpoint.ts';
import { commitEach } from '../../src/ledger/entry.ts';
import { generateLedgerKey, openLedgerKey } from '../../src/ledger/ledger-key.ts';
import { verifyReceipt, writeReceipt } from '../../src/ledger/receipt.ts';
import { writeTlogProof } from '../../src/ledger/tlog-proof.ts';
import { leavesOf, naivePath, naiveRoot } from './naive-tree.ts';

const KEY = openLedgerKey(generateLedgerKey('ledger.example/ect'));
const CONTENT = Buffer.from('a token');
const { salt: SALT, commitment } = commitEach([{ content: CONTENT }])[0]!;
const LEAF = Buffer.from(JSON.stringify({ commitment, v: 1 }));
const LEAVES = [...leavesOf(8), LEAF, ...leavesOf(3)];
const CHECKPOINT = signCheckpoint(KEY, { size: 12, root: naiveRoot(LEAVES) });
const PROOF = { leafIndex: 8, hashes: naivePath(8, LEAVES), checkpoint: CHECKPOINT, salt: SALT };
const RECEIPT = writeReceipt(LEAF, 12, PROOF);
const GOOD = { leaf: LEAF, tlogProof: RECEIPT.tlogProof, verifierKey: KEY.verifierKey, content: CONTENT };

function faultOf(change: Partial<Parameters<typeof verifyReceipt>[0]>): string | undefined {
  const verdict = verifyReceipt({ ...GOOD, ...change });
  return verdict.ok ? undefined : verdict.fault;
}

describe('a receipt', () => {
  test('verifies offline, as a text and by its parts, with and without the content', () => {
    const where = { ok: true, index: 8, size: 12 };
    expect(verifyReceipt(GOOD)).toEqual(where);
    expect(verifyReceipt({ ...GOOD, tlogProof: RECEIPT })).toEqual(where);
    expect(verifyReceipt({ leaf: LEAF, tlogProof: RECEIPT, verifierKey: KEY.verifierKey })).toEqual(where);
  });

  test('of another ledger is rejected', () => {
    const other = openLedgerKey(generateLedgerKey('ledger.example/ect'));
    expect(faultOf({ verifierKey: other.verifierKey })).toBe('the checkpoint is not signed by this ledger key');
  });

  test('for another leaf, index, path or tree is rejected', () => {
    const wrong = 'the proof does not lead from the leaf to the root of the checkpoint';
    expect(faultOf({ leaf: LEAVES[0]! })).toBe(wrong);
    expect(faultOf({ tlogProof: { ...PROOF, leafIndex: 9 } })).toBe(wrong);
    expect(faultOf({ tlogProof: { ...PROOF, leafIndex: 12 } })).toBe(wrong);
    expect(faultOf({ tlogProof: { ...PROOF, hashes: PROOF.hashes.slice(1) } })).toBe(wrong);
    const other = signCheckpoint(KEY, { size: 12, root: naiveRoot(leavesOf(12)) });
    expect(faultOf({ tlogProof: { ...PROOF, checkpoint: other } })).toBe(wrong);
  });

  test('for other content is rejected', () => {
    expect(faultOf({ content: Buffer.from('b token') })).toBe('the leaf commits to other content');
    expect(faultOf({ tlogProof: { ...PROOF, salt: Buffer.alloc(32) } })).toBe('the leaf commits to other content');
  });

  test('without its salt proves the leaf but says nothing about content', () => {
    const tlogProof = writeTlogProof({ ...PROOF, salt: null });
    expect(faultOf({ tlogProof })).toBe('the receipt has no salt, so the content cannot be compared with the leaf');
    expect(verifyReceipt({ leaf: LEAF, tlogProof, verifierKey: KEY.verifierKey })).toMatchObject({ ok: true });
  });

  test('for a leaf that commits to nothing cannot be about content', () => {
    const tlogProof = { ...PROOF, leafIndex: 0, hashes: naivePath(0, LEAVES) };
    expect(faultOf({ leaf: LEAVES[0]!, tlogProof })).toBe('the leaf has no commitment');
  });

  test('that is not a tlog-proof is rejected as such', () => {
    expect(faultOf({ tlogProof: 'hello' })).toBe('the receipt is not a tlog-proof');
  });

  test('with any one bit of its text flipped is rejected', () => {
    const bytes = Buffer.from(RECEIPT.tlogProof);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7));
      expect(verifyReceipt({ ...GOOD, tlogProof: flipped.toString('utf8') }).ok, `bit ${bit}`).toBe(false);
    }
  });
});
