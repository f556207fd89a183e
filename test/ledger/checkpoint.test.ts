import { createPrivateKey, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { openCheckpoint, signCheckpoint } from '../../src/ledger/checkpoint.ts';
import { generateLedgerKey, openLedgerKey } from '../../src/ledger/ledger-key.ts';
import { leafHash } from '../../src/ledger/tree.ts';
import { fc } from '../support/random.ts';

const ORIGIN = 'ledger.example/ect';
const KEY = openLedgerKey(generateLedgerKey(ORIGIN));
const ROOT = leafHash(Buffer.from('a root'));
const NOTE = signCheckpoint(KEY, { size: 42, root: ROOT });

/** A note over any text, signed by the real key: what only the ledger itself could make. */
function noteOver(text: string): string {
  const bytes = Buffer.concat([KEY.keyId, KEY.sign(Buffer.from(text))]);
  return `${text}\n— ${ORIGIN} ${bytes.toString('base64')}\n`;
}

function faultOf(note: string, verifierKey = KEY.verifierKey): string | undefined {
  const opened = openCheckpoint(note, verifierKey);
  return opened.ok ? undefined : opened.fault;
}

describe('a checkpoint', () => {
  test('states origin, size and root, and opens under the key of the ledger', () => {
    expect(NOTE.split('\n').slice(0, 4)).toEqual([ORIGIN, '42', Buffer.from(ROOT).toString('base64'), '']);
    expect(openCheckpoint(NOTE, KEY.verifierKey)).toEqual({ ok: true, origin: ORIGIN, size: 42, root: ROOT });
  });

  test('is the same note for the same head', () => {
    expect(signCheckpoint(KEY, { size: 42, root: ROOT })).toBe(NOTE);
  });

  test('may carry extension lines and signatures of others', () => {
    const witness = `— witness.example ${Buffer.alloc(76, 9).toString('base64')}\n`;
    const namesake = `— ${ORIGIN} ${Buffer.alloc(68, 9).toString('base64')}\n`;
    expect(openCheckpoint(NOTE + witness, KEY.verifierKey)).toMatchObject({ ok: true, size: 42 });
    expect(openCheckpoint(NOTE.replace('\n\n', `\n\n${namesake}`), KEY.verifierKey)).toMatchObject({ ok: true });
    const extended = noteOver(`${ORIGIN}\n42\n${Buffer.from(ROOT).toString('base64')}\nmore\n`);
    expect(openCheckpoint(extended, KEY.verifierKey)).toMatchObject({ ok: true, size: 42 });
  });

  test('of another key is rejected, also under the same origin', () => {
    const other = openLedgerKey(generateLedgerKey(ORIGIN));
    expect(faultOf(NOTE, other.verifierKey)).toBe('the checkpoint is not signed by this ledger key');
    expect(faultOf(NOTE, 'no key')).toBe('the verifier key is not an Ed25519 key in the signed-note form');
  });

  test('whose signature is by another key under our key id is rejected', () => {
    const seed = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 3)]);
    const stranger = createPrivateKey({ key: seed, format: 'der', type: 'pkcs8' });
    const text = NOTE.slice(0, NOTE.indexOf('\n\n') + 1);
    const forged = Buffer.concat([KEY.keyId, sign(null, Buffer.from(text), stranger)]).toString('base64');
    expect(faultOf(`${text}\n— ${ORIGIN} ${forged}\n`)).toBe('the signature of the checkpoint does not verify');
  });

  test('with any one bit flipped is rejected', () => {
    const bytes = Buffer.from(NOTE);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7));
      expect(openCheckpoint(flipped.toString('utf8'), KEY.verifierKey).ok, `bit ${bit}`).toBe(false);
    }
  });

  test('that is not a note is rejected as such', () => {
    const [text, signatures] = NOTE.split('\n\n') as [string, string];
    for (const note of [
      '',
      '\n\n',
      text,
      NOTE.slice(0, -1),
      NOTE.replace('\n\n', '\n'),
      NOTE.replaceAll('\n', '\r\n'),
      NOTE.replace('42', '4\u00002'),
      `${NOTE}garbage\n`,
      NOTE.replace('— ', '- '),
      `${text}\n\n${signatures.replace('=', '')}`,
      `${NOTE}— a+b ${Buffer.alloc(68).toString('base64')}\n`,
      `${NOTE}— a AAAA\n`,
      `${NOTE}${'— a AAAAAAAA\n'.repeat(20_000)}`,
    ]) {
      expect(faultOf(note), JSON.stringify(note.slice(0, 200))).toBe('the checkpoint is not a signed note');
    }
  });

  test('that the key signed but that is none is rejected', () => {
    const root = Buffer.from(ROOT).toString('base64');
    for (const text of [
      'hello\n',
      `${ORIGIN}\n42\n`,
      `${ORIGIN}\n042\n${root}\n`,
      `${ORIGIN}\n-1\n${root}\n`,
      `${ORIGIN}\n9007199254740992\n${root}\n`,
      `${ORIGIN}\n42\n${root.slice(4)}\n`,
      `${ORIGIN}\n42\n${root}\n\nmore\n`,
    ]) {
      expect(faultOf(noteOver(text)), JSON.stringify(text)).toBe('the signed note does not contain a checkpoint');
    }
    expect(faultOf(noteOver(`other\n42\n${root}\n`))).toBe('the checkpoint is of another origin than the key');
  });

  test('is never thrown about, whatever the text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (note) => openCheckpoint(note, KEY.verifierKey).ok === false));
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (key) => openCheckpoint(NOTE, key).ok === false));
  });

  test('keeps every size and root', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.uint8Array({ minLength: 32, maxLength: 32 }), (size, root) => {
        const opened = openCheckpoint(signCheckpoint(KEY, { size, root }), KEY.verifierKey);
        expect(opened).toMatchObject({ ok: true, size });
        if (opened.ok) expect(Buffer.compare(opened.root, root)).toBe(0);
      }),
      { numRuns: 50 },
    );
  });
});
