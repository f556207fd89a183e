import { describe, expect, test } from 'vitest';
import { EctError } from '../../src/errors.ts';
import { generateLedgerKey, openLedgerKey, originFault, parseVerifierKey } from '../../src/ledger/ledger-key.ts';

describe('key texts', () => {
  test('a generated key opens, and its verifier key names the origin', () => {
    const text = generateLedgerKey('ledger.example/ect');
    expect(text).toMatch(/^PRIVATE\+KEY\+ledger\.example\/ect\+[0-9a-f]{8}\+A[A-Za-z0-9+/]{43}$/);
    const key = openLedgerKey(text);
    expect(key.origin).toBe('ledger.example/ect');
    expect(key.verifierKey).toMatch(/^ledger\.example\/ect\+[0-9a-f]{8}\+A[A-Za-z0-9+/]{43}$/);
    expect(parseVerifierKey(key.verifierKey)?.keyId).toEqual(key.keyId);
    expect(text.split('+')[3]).toBe(key.verifierKey.split('+')[1]);
  });

  test('each generated key is another', () => {
    expect(generateLedgerKey('a')).not.toBe(generateLedgerKey('a'));
  });

  test('the published example of a verifier key is read', () => {
    const text = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
    expect(parseVerifierKey(text)).toMatchObject({ origin: 'example.com/foo', keyId: Buffer.from('530d903a', 'hex') });
  });

  test('a damaged private key is LEDGER_CORRUPT, and the message keeps the secret', () => {
    const text = generateLedgerKey('ledger.example/ect');
    const body = text.slice(text.lastIndexOf('+', text.length - 44) + 1);
    const damaged = [
      '',
      'PRIVATE+KEY+',
      text.slice(1),
      `${text}\n`,
      text.slice(0, -4),
      text.replace('ledger.example', 'other.example'),
      text.replace(/\+[0-9a-f]{8}\+/, '+00000000+'),
      text.replace('+A', '+B'),
    ];
    for (const one of damaged) {
      expect(() => openLedgerKey(one)).toThrow(
        expect.toSatisfy(
          (error: unknown) =>
            error instanceof EctError && error.reason === 'LEDGER_CORRUPT' && !error.message.includes(body),
        ),
      );
    }
  });

  test('a damaged verifier key is no key', () => {
    const { verifierKey } = openLedgerKey(generateLedgerKey('ledger.example/ect'));
    const [origin, id, ...body] = verifierKey.split('+');
    expect(parseVerifierKey(verifierKey)).toBeDefined();
    for (const one of [
      '',
      `${verifierKey} `,
      `x${verifierKey}`,
      `${origin}+${id?.toUpperCase()}x+${body.join('+')}`,
      `+${id}+${body.join('+')}`,
      `${origin}+${id}+`,
      `${origin}+${id}+${Buffer.alloc(33, 2).toString('base64')}`,
    ]) {
      expect(parseVerifierKey(one), one).toBeUndefined();
    }
  });
});

describe('origins', () => {
  test('a name without spaces, control characters and plus is an origin', () => {
    for (const origin of ['a', 'ledger.example/ect', 'urn:ect:dev', 'größe.example']) {
      expect(originFault(origin)).toBeUndefined();
    }
  });

  test('every other name is rejected with why', () => {
    expect(originFault('')).toBe('the origin is empty');
    expect(originFault('a\ud800')).toBe('the origin is not well-formed Unicode');
    for (const origin of ['a b', 'a+b', 'a\nb', 'a\u00a0b', 'a\u0085b', 'a\u2003b', 'a\u0000b']) {
      expect(originFault(origin)).toBe('the origin has a space, a control character or a plus');
      expect(() => generateLedgerKey(origin)).toThrow(TypeError);
    }
  });
});
