// ECDSA signatures over P-256 in both formats: DER (of OpenSSL and AWS KMS) and raw r
// s (RFC 7518, 3.4). OpenSSL is called with DER, because its raw format costs twice as much on Node 24; the conversion here costs a
// microsecond.

const SCALAR_BYTES = 32;
export const RAW_SIGNATURE_BYTES = 2 * SCALAR_BYTES;

const ZERO = Buffer.alloc(SCALAR_BYTES);
/** The order n of the P-256 group, and n / 2: an `s` above the half is the high variant of a signature. */
const ORDER = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
const HALF_ORDER = Buffer.from('7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8', 'hex');

/**
 * Raw r
 *
 * s as DER. `raw` has 64 bytes; the verifier checks the range of r and s.
 */
export function rawToDer(raw: Uint8Array): Buffer {
  const r = startOfInteger(raw, 0);
  const s = startOfInteger(raw, SCALAR_BYTES);
  const length = 2 + lengthOfInteger(raw, r, SCALAR_BYTES) + 2 + lengthOfInteger(raw, s, RAW_SIGNATURE_BYTES);
  const der = Buffer.allocUnsafe(2 + length);
  der[0] = 0x30;
  der[1] = length;
  writeInteger(der, writeInteger(der, 2, raw, r, SCALAR_BYTES), raw, s, RAW_SIGNATURE_BYTES);
  return der;
}

/** DER as raw r || s with the low `s`, or undefined for anything but a strict DER signature of two 256-bit integers. */
export function derToLowRaw(der: Uint8Array): Buffer | undefined {
  if (der[0] !== 0x30 || der[1] !== der.length - 2) return undefined;
  const raw = Buffer.allocUnsafe(RAW_SIGNATURE_BYTES);
  const afterR = readInteger(der, 2, raw, 0);
  if (afterR === undefined) return undefined;
  const afterS = readInteger(der, afterR, raw, SCALAR_BYTES);
  if (afterS !== der.length) return undefined;
  lowerS(raw);
  return raw;
}

/**
 * Whether these bytes may be r
 *
 * s of a signature with the low `s`. Anything else need not be verified.
 */
export function isLowRaw(raw: Uint8Array): boolean {
  if (raw.length !== RAW_SIGNATURE_BYTES) return false;
  // For nearly every signature the first byte of each number decides.
  const r = raw[0]!;
  const s = raw[SCALAR_BYTES]!;
  if (r > ZERO[0]! && r < ORDER[0]! && s > ZERO[0]! && s < HALF_ORDER[0]!) return true;
  const isR = ZERO.compare(raw, 0, SCALAR_BYTES) < 0 && ORDER.compare(raw, 0, SCALAR_BYTES) > 0;
  return isR && ZERO.compare(raw, SCALAR_BYTES) < 0 && HALF_ORDER.compare(raw, SCALAR_BYTES) >= 0;
}

/** Replaces a high `s` by n - s, in place. Both verify (ECDSA is malleable); this service only issues the low one. */
function lowerS(raw: Buffer): void {
  // For nearly every signature the first byte decides.
  const first = raw[SCALAR_BYTES]!;
  if (first < HALF_ORDER[0]!) return;
  if (first === HALF_ORDER[0]! && HALF_ORDER.compare(raw, SCALAR_BYTES) >= 0) return;
  let borrow = 0;
  for (let i = SCALAR_BYTES - 1; i >= 0; i--) {
    const difference = ORDER[i]! - raw[SCALAR_BYTES + i]! - borrow;
    raw[SCALAR_BYTES + i] = difference & 0xff;
    borrow = difference < 0 ? 1 : 0;
  }
}

/** The position of the first significant byte of the number at `from`. */
function startOfInteger(raw: Uint8Array, from: number): number {
  let start = from;
  while (start < from + SCALAR_BYTES - 1 && raw[start] === 0) start++;
  return start;
}

/** The size of a positive number in DER: a zero byte precedes a set first bit. */
function lengthOfInteger(raw: Uint8Array, start: number, end: number): number {
  return end - start + (raw[start]! >= 0x80 ? 1 : 0);
}

/** Writes the number from `start` to `end`, and returns its end. */
function writeInteger(der: Buffer, at: number, raw: Uint8Array, start: number, end: number): number {
  const length = lengthOfInteger(raw, start, end);
  der[at] = 0x02;
  der[at + 1] = length;
  der[at + 2] = 0;
  let to = at + 2 + length - (end - start);
  for (let from = start; from < end; from++) der[to++] = raw[from]!;
  return to;
}

function readInteger(der: Uint8Array, at: number, raw: Buffer, to: number): number | undefined {
  const length = der[at + 1];
  if (der[at] !== 0x02 || length === undefined || length === 0) return undefined;
  let start = at + 2;
  const end = start + length;
  if (end > der.length || der[start]! >= 0x80) return undefined; // past the end, or negative
  if (length > 1 && der[start] === 0) {
    if (der[start + 1]! < 0x80) return undefined; // not the shortest spelling
    start++;
  }
  if (end - start > SCALAR_BYTES) return undefined;
  let next = to;
  while (next < to + SCALAR_BYTES - (end - start)) raw[next++] = 0;
  for (let from = start; from < end; from++) raw[next++] = der[from]!;
  return end;
}
