import { describe, expect, test } from 'vitest';
import { parseTlogProof, writeTlogProof } from '../../src/ledger/tlog-proof.ts';
import { fc } from '../support/random.ts';

const HASH = Buffer.alloc(32, 1).toString('base64');
const SALT = Buffer.alloc(32, 2).toString('base64');
const CHECKPOINT = 'origin\n9\nroot\n\n— origin c2ln\n';
const PROOF = { leafIndex: 8, hashes: [Buffer.alloc(32, 1)], checkpoint: CHECKPOINT, salt: Buffer.alloc(32, 2) };

describe('the tlog-proof text', () => {
  test('has the lines of the format, in order', () => {
    const text = `c2sp.org/tlog-proof@v1\nextra ${SALT}\nindex 8\n${HASH}\n\n${CHECKPOINT}`;
    expect(writeTlogProof(PROOF)).toBe(text);
    expect(parseTlogProof(text)).toEqual(PROOF);
  });

  test('leaves the extra line out where there is no salt', () => {
    const text = writeTlogProof({ ...PROOF, salt: null, hashes: [] });
    expect(text).toBe(`c2sp.org/tlog-proof@v1\nindex 8\n\n${CHECKPOINT}`);
    expect(parseTlogProof(text)).toEqual({ ...PROOF, salt: null, hashes: [] });
  });

  test('survives the round trip', () => {
    const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));
    const proof = fc.record({
      leafIndex: fc.maxSafeNat(),
      hashes: fc.array(hash, { maxLength: 53 }),
      checkpoint: fc.string(),
      salt: fc.option(hash),
    });
    fc.assert(
      fc.property(proof, (one) => {
        expect(parseTlogProof(writeTlogProof(one))).toEqual(one);
      }),
    );
  });

  test('is rejected in every other form', () => {
    const good = writeTlogProof(PROOF);
    for (const text of [
      '',
      'c2sp.org/tlog-proof@v1',
      good.replace('@v1', '@v2'),
      good.replace('extra ', 'extra  '),
      good.replace('extra ', 'Extra '),
      good.replace(SALT, Buffer.alloc(31).toString('base64')),
      good.replace(SALT, ''),
      good.replace('index 8', 'index 08'),
      good.replace('index 8', 'index -8'),
      good.replace('index 8', 'index 9007199254740992'),
      good.replace('index 8\n', ''),
      good.replace(HASH, HASH.replace('=', '')),
      good.replace(HASH, `${HASH} `),
      good.replace(HASH, Buffer.alloc(33).toString('base64')),
      good.replace(`${HASH}\n`, `${HASH}\n`.repeat(54)),
      good.replaceAll('\n', '\r\n'),
      ` ${good}`,
    ]) {
      expect(parseTlogProof(text), JSON.stringify(text.slice(0, 120))).toBeUndefined();
    }
  });
});
