// A strict reader of DER (X.690), for X.509 certificates. The bytes are attacker-controlled: every length is checked against the rest,
// and every encoding that DER forbids is rejected.

/** Thrown for bytes that are not DER. */
export class DerError extends Error {
  override readonly name = 'DerError';
}

/** One element: its identifier octet and its content octets. */
export interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** The identifier octets that X.509 uses here. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const;

/** Reads exactly one element that fills `bytes`. */
export function readOnly(bytes: Uint8Array, tag: number): Uint8Array {
  const [element, ...rest] = readAll(bytes);
  if (element === undefined || rest.length > 0) throw new DerError('one element was expected');
  return expectTag(element, tag);
}

/** The content of an element that must have this tag. */
export function expectTag(element: Element | undefined, tag: number): Uint8Array {
  if (element?.tag !== tag) throw new DerError(`tag ${tag.toString(16)} was expected`);
  return element.content;
}

/** Reads consecutive elements up to the end of `bytes`. */
export function readAll(bytes: Uint8Array): Element[] {
  const elements: Element[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const { element, end } = readAt(bytes, offset);
    elements.push(element);
    offset = end;
  }
  return elements;
}

/** Consecutive elements in `bytes`, each with its identifier and length octets. */
export function splitAll(bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const { end } = readAt(bytes, offset);
    parts.push(bytes.subarray(offset, end));
    offset = end;
  }
  return parts;
}

function readAt(bytes: Uint8Array, offset: number): { readonly element: Element; readonly end: number } {
  const tag = octet(bytes, offset);
  if ((tag & 0x1f) === 0x1f) throw new DerError('tags over 30 do not occur in a certificate');
  const { length, start } = readLength(bytes, offset + 1);
  const end = start + length;
  if (end > bytes.length) throw new DerError('an element is longer than what holds it');
  return { element: { tag, content: bytes.subarray(start, end) }, end };
}

function readLength(bytes: Uint8Array, offset: number): { readonly length: number; readonly start: number } {
  const first = octet(bytes, offset);
  if (first < 0x80) return { length: first, start: offset + 1 };
  const count = first & 0x7f;
  if (count === 0) throw new DerError('an indefinite length is not DER');
  if (count > 3) throw new DerError('no certificate is that long');
  let length = 0;
  for (let i = 1; i <= count; i++) length = length * 256 + octet(bytes, offset + i);
  if (length < 0x80 || length < 256 ** (count - 1)) throw new DerError('a length is not in its shortest form');
  return { length, start: offset + 1 + count };
}

function octet(bytes: Uint8Array, offset: number): number {
  const value = bytes[offset];
  if (value === undefined) throw new DerError('the bytes end too early');
  return value;
}

/** A BOOLEAN: DER permits only 00 and ff. */
export function readBoolean(content: Uint8Array): boolean {
  if (content.length !== 1 || (content[0] !== 0x00 && content[0] !== 0xff)) throw new DerError('not a boolean');
  return content[0] === 0xff;
}

/** The bits of a BIT STRING, the first bit first. */
export function readBits(content: Uint8Array): boolean[] {
  const unused = octet(content, 0);
  const padding = content.length > 1 ? octet(content, content.length - 1) & ((1 << unused) - 1) : unused;
  if (unused > 7 || padding !== 0) throw new DerError('not a bit string');
  const bits: boolean[] = [];
  for (const byte of content.subarray(1)) for (let mask = 0x80; mask > 0; mask >>= 1) bits.push((byte & mask) !== 0);
  return bits.slice(0, bits.length - unused);
}

/** Characters of an ASCII string type. */
export function readAscii(content: Uint8Array): string {
  if (content.some((byte) => byte > 0x7f)) throw new DerError('not ASCII');
  return Buffer.from(content).toString('latin1');
}

/** UTCTime or GeneralizedTime in the only forms that RFC 5280 allows, in milliseconds since 1970. */
export function readTime(element: Element | undefined): number {
  const text = readAscii(element?.content ?? new Uint8Array());
  const form = element?.tag === TAG.utcTime ? /^(\d\d)(\d{10})Z$/ : /^(\d{4})(\d{10})Z$/;
  const [, yearText, rest] = form.exec(text) ?? [];
  if ((element?.tag !== TAG.utcTime && element?.tag !== TAG.generalizedTime) || !yearText || !rest) {
    throw new DerError('not a time');
  }
  // RFC 5280: two digits from 50 on mean 19xx.
  const year = yearText.length === 4 ? yearText : `${Number(yearText) < 50 ? '20' : '19'}${yearText}`;
  const [month, day, hour, minute, second] = rest.match(/\d\d/g) ?? [];
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
  const time = Date.parse(iso);
  if (Number.isNaN(time)) throw new DerError('not a time');
  return time;
}
