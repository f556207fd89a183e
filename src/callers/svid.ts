// Reads the workload of an X.509-SVID from the raw certificate. TLS has verified the chain, but the CA may have signed nearly anything,
// so the rules for a leaf are checked here. Node's joined text of the names is not used, because an attacker can shape it.

import {
  DerError,
  type Element,
  expectTag,
  readAll,
  readAscii,
  readBits,
  readBoolean,
  readOnly,
  readTime,
  TAG,
} from './der.ts';

/** The content of a leaf certificate. */
export interface Leaf {
  /** URI names of the SAN extension, in order. */
  readonly uris: readonly string[];
  /** The CA flag of basicConstraints, or a key usage that signs certificates or revocation lists. */
  readonly signsOthers: boolean;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

const SUBJECT_ALT_NAME = '551d11';
const BASIC_CONSTRAINTS = '551d13';
const KEY_USAGE = '551d0f';

const URI_NAME = 0x86; // GeneralName [6]
const EXTENSIONS = 0xa3; // TBSCertificate [3]
const VERSION = 0xa0; // TBSCertificate [0]

/** Parses one certificate; undefined for bytes that are not a version 3 certificate in DER. */
export function tryReadLeaf(certificate: Uint8Array): Leaf | undefined {
  try {
    return readLeaf(certificate);
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}

function readLeaf(certificate: Uint8Array): Leaf {
  const tbs = expectTag(readAll(readOnly(certificate, TAG.sequence))[0], TAG.sequence);
  const fields = readAll(tbs);
  if (fields[0]?.tag !== VERSION) throw new DerError('not a version 3 certificate');
  // version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, …, extensions
  const validity = readAll(expectTag(fields[4], TAG.sequence));
  const extensions = readExtensions(fields.find((field) => field.tag === EXTENSIONS));
  return {
    uris: readUris(extensions.get(SUBJECT_ALT_NAME)),
    signsOthers: isCa(extensions.get(BASIC_CONSTRAINTS)) || signsCertificates(extensions.get(KEY_USAGE)),
    notBefore: readTime(validity[0]),
    notAfter: readTime(validity[1]),
  };
}

function readExtensions(field: Element | undefined): Map<string, Uint8Array> {
  const extensions = new Map<string, Uint8Array>();
  if (field === undefined) return extensions;
  for (const extension of readAll(readOnly(field.content, TAG.sequence))) {
    const parts = readAll(expectTag(extension, TAG.sequence));
    const oid = Buffer.from(expectTag(parts[0], TAG.oid)).toString('hex');
    // A duplicate extension: RFC 5280 forbids it, and readers disagree on which one counts.
    if (extensions.has(oid)) throw new DerError('an extension occurs twice');
    extensions.set(oid, expectTag(parts.at(-1), TAG.octetString));
  }
  return extensions;
}

function readUris(value: Uint8Array | undefined): string[] {
  if (value === undefined) return [];
  const names = readAll(readOnly(value, TAG.sequence));
  return names.filter((name) => name.tag === URI_NAME).map((name) => readAscii(name.content));
}

function isCa(value: Uint8Array | undefined): boolean {
  if (value === undefined) return false;
  const [first] = readAll(readOnly(value, TAG.sequence));
  return first?.tag === TAG.boolean && readBoolean(first.content);
}

function signsCertificates(value: Uint8Array | undefined): boolean {
  if (value === undefined) return false;
  const bits = readBits(readOnly(value, TAG.bitString));
  const [keyCertSign, crlSign] = [bits[5], bits[6]];
  return keyCertSign === true || crlSign === true;
}
