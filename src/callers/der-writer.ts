// A writer of DER (X.690), for the certificates of `ect dev-ca`.

import { TAG } from './der.ts';

/** One element with its content, which may be other elements. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag, ...lengthOctets(content.length)]), content]);
}

function lengthOctets(length: number): readonly number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}

export function sequence(...contents: readonly Uint8Array[]): Buffer {
  return element(TAG.sequence, ...contents);
}

/** An object identifier by its content octets, in hexadecimal. */
export function oid(hex: string): Buffer {
  return element(TAG.oid, Buffer.from(hex, 'hex'));
}

/** A positive INTEGER. */
export function integer(magnitude: Uint8Array): Buffer {
  const isNegative = (magnitude[0]! & 0x80) !== 0;
  return element(TAG.integer, ...(isNegative ? [Buffer.of(0), magnitude] : [magnitude]));
}

/** A BIT STRING of these octets; the last one has so many unused bits. */
export function bitString(octets: Uint8Array, unused = 0): Buffer {
  return element(TAG.bitString, Buffer.of(unused), octets);
}

/** A time according to RFC 5280: UTCTime through 2049. */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/\.\d+|\D/g, '');
  return date.getUTCFullYear() < 2050
    ? element(TAG.utcTime, Buffer.from(`${digits.slice(2)}Z`))
    : element(TAG.generalizedTime, Buffer.from(`${digits}Z`));
}
