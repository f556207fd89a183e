// 484 answers of a signer that is broken or hostile. None of them becomes a token.

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { expect, test } from 'vitest';
import { RAW_SIGNATURE_BYTES } from '../../../src/keys/ecdsa.ts';
import type { AwsKmsSigner } from '../../../src/signers/aws-kms/index.ts';
import { claims, mintToken } from '../../support/mint.ts';
import { forever, openSigner, startKms } from './support.ts';

const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const MAX = 2n ** 256n - 1n;
const SCALAR_BYTES = 32;

/** The same claims and key make the same signing input each time, so an answer can be prepared for it. */
const mint = (signer: AwsKmsSigner) => mintToken(claims, undefined, signer, 16_384, forever);

test('D3: of 484 malformed or foreign signatures none becomes a token, and the good one they are made of does', async () => {
  const kms = await startKms();
  const signer = await openSigner(kms, { timing: { failuresToOpen: Number.POSITIVE_INFINITY } });
  const token = await mint(signer);
  const input = Buffer.from(token.slice(0, token.lastIndexOf('.')));
  const { privateKey } = kms.key.material!;
  const good = plainSignature(input, privateKey);
  const answers = malformedAnswers(good, input, privateKey);
  expect(answers).toHaveLength(484);

  let tokens = 0;
  const reasons = new Set<unknown>();
  for (const answer of answers) {
    kms.double.script.add(asAnswer(answer), { operation: 'Sign', times: 1 });
    await mint(signer).then(
      () => tokens++,
      (error: { reason: unknown }) => reasons.add(error.reason),
    );
  }
  expect({ tokens, reasons: [...reasons] }).toEqual({ tokens: 0, reasons: ['SIGNER_BAD_OUTPUT'] });

  kms.double.script.add(asAnswer(good), { operation: 'Sign', times: 1 });
  expect((await mint(signer)).startsWith(input.toString())).toBe(true);
});

const asAnswer = (signature: Uint8Array) =>
  ({ kind: 'answer', members: { Signature: Buffer.from(signature).toString('base64') } }) as const;

/** A signature whose r has the padding of a high bit and whose s has none: 71 bytes, the offsets below. */
function plainSignature(input: Buffer, key: KeyObject): Buffer {
  for (;;) {
    const der = sign('sha256', input, key);
    if (der.length === 71 && der[3] === 33) return der;
  }
}

const R_LENGTH_AT = 3;
const S_TAG_AT = 37;
const S_LENGTH_AT = 38;

function malformedAnswers(good: Buffer, input: Buffer, key: KeyObject): Buffer[] {
  const r = integerAt(good, 5);
  const s = integerAt(good, 39);
  const others = Array.from({ length: 4 }, () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
  const outOfRange = [0n, N, N + 1n, N + r, P, MAX, MAX + 1n, -1n, -r, r - N];
  return [
    // Truncated: every length that is too short. Prolonged: up to 16 bytes too many.
    ...range(good.length).map((length) => good.subarray(0, length)),
    ...range(16).map((more) => Buffer.concat([good, Buffer.alloc(more + 1)])),
    // A length that is not that of what follows.
    ...[1, R_LENGTH_AT, S_LENGTH_AT].flatMap((at) => wrongBytes(good, at, 40)),
    // A tag that is not SEQUENCE or INTEGER.
    ...[0, 2, S_TAG_AT].flatMap((at) => wrongBytes(good, at, 8)),
    // Zero, the order and beyond, negative numbers.
    ...outOfRange.flatMap((value) => [der(value, s), der(r, value), der(value, value)]),
    // The right numbers in another spelling.
    Buffer.concat([Buffer.from([0x30, 0x81, good.length - 2]), good.subarray(2)]),
    Buffer.concat([Buffer.from([0x30, 0x80]), good.subarray(2), Buffer.alloc(2)]),
    Buffer.from([0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01]),
    derOf(Buffer.concat([Buffer.from([0]), bytesOf(r)]), bytesOf(s)),
    derOf(bytesOf(r), Buffer.concat([Buffer.from([0]), bytesOf(s)])),
    Buffer.concat([scalar(r), scalar(s)]),
    Buffer.concat([scalar(s), scalar(r)]),
    Buffer.from(good.toString('base64')),
    Buffer.from(good.toString('hex')),
    Buffer.alloc(RAW_SIGNATURE_BYTES),
    der(s, r),
    Buffer.alloc(1000, 0x30),
    // Good signatures of another key, of another curve, of something else.
    ...others.flatMap((other) => range(10).map(() => sign('sha256', input, other))),
    ...range(5).map(() => sign('sha256', input, p384)),
    ...range(20).map((at) => sign('sha256', input.subarray(0, input.length - 1 - at), key)),
    sign('sha512', input, key),
    // One bit of r or s flipped.
    ...range(145).map((at) => flipped(good, (at % 2 === 0 ? 6 : 39) * 8 + (at >> 1) * 3)),
  ];
}

function range(length: number): number[] {
  return Array.from({ length }, (_, at) => at);
}

/** `count` copies with another byte at `at`. */
function wrongBytes(good: Buffer, at: number, count: number): Buffer[] {
  const values = range(256).filter((value) => value !== good[at]);
  return range(count).map((index) => {
    const copy = Buffer.from(good);
    copy[at] = values[Math.floor((index * values.length) / count)]!;
    return copy;
  });
}

function flipped(good: Buffer, bit: number): Buffer {
  const copy = Buffer.from(good);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

function integerAt(good: Buffer, at: number): bigint {
  return BigInt(`0x${good.toString('hex', at, at + SCALAR_BYTES)}`);
}

function der(r: bigint, s: bigint): Buffer {
  return derOf(bytesOf(r), bytesOf(s));
}

function derOf(r: Buffer, s: Buffer): Buffer {
  const content = Buffer.concat([Buffer.from([0x02, r.length]), r, Buffer.from([0x02, s.length]), s]);
  return Buffer.concat([Buffer.from([0x30, content.length]), content]);
}

/** The shortest two's complement. */
function bytesOf(value: bigint): Buffer {
  let length = 1;
  while (BigInt.asIntN(8 * length, value) !== value) length++;
  return Buffer.from(
    BigInt.asUintN(8 * length, value)
      .toString(16)
      .padStart(2 * length, '0'),
    'hex',
  );
}

function scalar(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * SCALAR_BYTES, '0'), 'hex');
}
