import { createHash, generateKeyPairSync, sign, verify } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { RAW_SIGNATURE_BYTES, rawToDer } from '../../src/keys/ecdsa.ts';
import { derToLowRaw, isLowRaw } from '../../src/keys/index.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

function scalar(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex');
}

function numberAt(raw: Uint8Array, from: number): bigint {
  return BigInt(`0x${Buffer.from(raw.subarray(from, from + 32)).toString('hex')}`);
}

function raw(r: bigint, s: bigint): Buffer {
  return Buffer.concat([scalar(r), scalar(s)]);
}

/** A DER integer with these octets, whatever they are. */
function integer(...octets: readonly number[]): number[] {
  return [0x02, octets.length, ...octets];
}

/** A DER sequence of these octets. */
function sequence(...octets: readonly number[]): Buffer {
  return Buffer.from([0x30, octets.length, ...octets]);
}

const fill = (length: number, first = 0x11) => [first, ...Array.from({ length: length - 1 }, () => 0x22)];

describe('T8: raw signatures with the low s', () => {
  const [one, half] = [1n, ORDER / 2n];

  test.each([[raw(one, one)], [raw(ORDER - 1n, one)], [raw(one, half)], [raw(ORDER - 1n, half)]])(
    '%#: may be one',
    (signature) => {
      expect(isLowRaw(signature)).toBe(true);
    },
  );

  test.each([
    [raw(0n, one)],
    [raw(one, 0n)],
    [raw(ORDER, one)],
    [raw(ORDER + 1n, one)],
    [raw(2n ** 256n - 1n, one)],
    [raw(one, half + 1n)],
    [raw(one, ORDER - 1n)],
    [raw(one, ORDER)],
    [raw(one, one).subarray(0, 63)],
    [Buffer.concat([raw(one, one), Buffer.alloc(1)])],
    [Buffer.alloc(0)],
    [rawToDer(raw(one, one))],
  ])('%#: is none', (signature) => {
    expect(isLowRaw(signature)).toBe(false);
  });
});

describe('real signatures', () => {
  const samples = Array.from({ length: 3000 }, (_, at) => {
    const input = createHash('sha256').update(`${at}`).digest();
    return { input, der: sign('sha256', input, privateKey) };
  });

  test('every one becomes 64 bytes that verify, with a low s', () => {
    for (const { input, der } of samples) {
      const low = derToLowRaw(der)!;
      expect(low).toHaveLength(RAW_SIGNATURE_BYTES);
      expect(numberAt(low, 32) <= ORDER / 2n).toBe(true);
      expect(verify('sha256', input, { key: publicKey, dsaEncoding: 'ieee-p1363' }, low)).toBe(true);
    }
  });

  test('back in DER they are byte for byte what OpenSSL wrote, or its low twin', () => {
    let alreadyLow = 0;
    for (const { input, der } of samples) {
      const low = derToLowRaw(der)!;
      const back = rawToDer(low);
      expect(derToLowRaw(back)).toEqual(low);
      if (back.equals(der)) alreadyLow++;
      else expect(verify('sha256', input, publicKey, back)).toBe(true);
    }
    // Half of all signatures are low, so neither branch was idle.
    expect(alreadyLow).toBeGreaterThan(1000);
    expect(alreadyLow).toBeLessThan(2000);
  });

  test('raw signatures by OpenSSL verify once they are in DER', () => {
    for (const { input } of samples.slice(0, 500)) {
      const signature = sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      expect(verify('sha256', input, publicKey, rawToDer(signature))).toBe(true);
    }
  });
});

describe('special scalars', () => {
  test.each([
    ['zero', 0n, '00'],
    ['one', 1n, '01'],
    ['the last that needs no leading zero', 0x7fn, '7f'],
    ['the first that needs a leading zero', 0x80n, '0080'],
    ['one that ends in zero octets', 1n << 248n, `01${'00'.repeat(31)}`],
    ['the greatest', (1n << 256n) - 1n, `00${'ff'.repeat(32)}`],
  ])('%s has the shortest spelling in DER', (_, value, hex) => {
    const octets = [...Buffer.from(hex, 'hex')];
    expect(rawToDer(raw(value, 1n))).toEqual(sequence(...integer(...octets), ...integer(1)));
    expect(rawToDer(raw(1n, value))).toEqual(sequence(...integer(1), ...integer(...octets)));
  });

  test.each([1n, 0x80n, ORDER / 2n - 1n, ORDER / 2n])('s = %d is low and stays as it is', (s) => {
    expect(derToLowRaw(rawToDer(raw(7n, s)))).toEqual(raw(7n, s));
  });

  test.each([ORDER / 2n + 1n, ORDER / 2n + 2n, ORDER - 0x80n, ORDER - 1n])('s = %d is high and becomes n - s', (s) => {
    expect(derToLowRaw(rawToDer(raw(7n, s)))).toEqual(raw(7n, ORDER - s));
  });
});

describe('T28: what is not a strict DER signature is nothing', () => {
  const good = rawToDer(raw(ORDER - 5n, ORDER / 2n - 5n));

  test('the example is one', () => {
    expect(derToLowRaw(good)).toBeDefined();
  });

  test('cut at every byte', () => {
    for (let length = 0; length < good.length; length++) {
      expect(derToLowRaw(good.subarray(0, length)), `${length} bytes`).toBeUndefined();
    }
  });

  test('cut at every byte, with the outer length corrected', () => {
    for (let length = 2; length < good.length; length++) {
      const cut = Buffer.from(good.subarray(0, length));
      cut[1] = length - 2;
      expect(derToLowRaw(cut), `${length} bytes`).toBeUndefined();
    }
  });

  test('another value in any byte of its structure', () => {
    const structure = [0, 1, 2, 3, 4 + good[3]!, 5 + good[3]!];
    for (const at of structure) {
      for (let value = 0; value < 256; value++) {
        if (value === good[at]) continue;
        const odd = Buffer.from(good);
        odd[at] = value;
        expect(derToLowRaw(odd), `byte ${at} is ${value}`).toBeUndefined();
      }
    }
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['a byte behind it', Buffer.concat([good, Buffer.alloc(1)])],
    ['a byte behind it, inside', sequence(...integer(1), ...integer(1), 0)],
    ['a third integer', sequence(...integer(1), ...integer(1), ...integer(1))],
    ['one integer only', sequence(...integer(1))],
    ['a negative r', sequence(...integer(0x80), ...integer(1))],
    ['a negative s', sequence(...integer(1), ...integer(...fill(32, 0xff)))],
    ['a zero octet too many', sequence(...integer(0, 0x7f), ...integer(1))],
    ['zero spelled twice', sequence(...integer(1), ...integer(0, 0))],
    ['an integer without octets', sequence(...integer(), ...integer(1))],
    ['an r of 33 octets', sequence(...integer(...fill(33)), ...integer(1))],
    ['an s of 33 octets behind a zero', sequence(...integer(1), ...integer(0, ...fill(33, 0x99)))],
    ['a length in the long form', Buffer.from([0x30, 0x81, 6, ...integer(1), ...integer(1)])],
    ['an indefinite length', Buffer.from([0x30, 0x80, ...integer(1), ...integer(1), 0, 0])],
    ['64 raw bytes', raw(5n, 5n)],
    ['a length of r beyond the end', sequence(0x02, 0x20, 1, ...integer(1))],
  ])('%s', (_, der) => {
    expect(derToLowRaw(der)).toBeUndefined();
  });
});
