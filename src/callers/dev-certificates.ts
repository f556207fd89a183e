// Certificates for development: a CA, a server and workloads, as X509-SVID requires. Not for production, because the key of the CA is a
// file.

import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { TAG } from './der.ts';
import { bitString, element, integer, oid, sequence, time } from './der-writer.ts';

/** PEM texts. */
export interface DevCertificate {
  readonly cert: string;
  readonly key: string;
}

/** One name of the SAN extension. */
export type DevName = { readonly uri: string } | { readonly dns: string } | { readonly ip: Uint8Array };

export interface DevCa extends DevCertificate {
  issue(commonName: string, names: readonly DevName[]): DevCertificate;
}

const OID = {
  ecdsaWithSha256: '2a8648ce3d040302',
  commonName: '550403',
  subjectKeyIdentifier: '551d0e',
  keyUsage: '551d0f',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  authorityKeyIdentifier: '551d23',
  extendedKeyUsage: '551d25',
  serverAuth: '2b06010505070301',
  clientAuth: '2b06010505070302',
} as const;

const SET = 0x31;
const UTF8_STRING = 0x0c;
const EXTENSIONS = 0xa3;
const VERSION = 0xa0;
const VERSION_3 = Buffer.of(2);
const TRUE = element(TAG.boolean, Buffer.of(0xff));
const SIGNATURE_ALGORITHM = sequence(oid(OID.ecdsaWithSha256));

/** Creates a CA that is valid from `from` until `to`, like everything that it issues. */
export function createDevCa(commonName: string, from: Date, to: Date): DevCa {
  const own = newKey();
  const caUsage = bitString(Buffer.of(0b0000_0110), 1);
  const cert = certificate(own, commonName, own, [
    extension(OID.basicConstraints, sequence(TRUE), 'critical'),
    extension(OID.keyUsage, caUsage, 'critical'),
  ]);

  function certificate(subject: KeyObject, subjectName: string, issuer: KeyObject, extensions: readonly Buffer[]) {
    const content = sequence(
      element(VERSION, integer(VERSION_3)),
      integer(Buffer.concat([Buffer.of(1), randomBytes(15)])),
      SIGNATURE_ALGORITHM,
      name(commonName),
      sequence(time(from), time(to)),
      name(subjectName),
      publicKey(subject),
      element(
        EXTENSIONS,
        sequence(
          extension(OID.subjectKeyIdentifier, element(TAG.octetString, keyId(subject))),
          extension(OID.authorityKeyIdentifier, sequence(element(0x80, keyId(issuer)))),
          ...extensions,
        ),
      ),
    );
    return pem('CERTIFICATE', sequence(content, SIGNATURE_ALGORITHM, bitString(sign('sha256', content, issuer))));
  }

  return {
    cert,
    key: keyPem(own),
    issue(leafName, names) {
      const key = newKey();
      const leaf = certificate(key, leafName, own, [
        extension(OID.basicConstraints, sequence(), 'critical'),
        extension(OID.keyUsage, bitString(Buffer.of(0b1000_0000), 7), 'critical'),
        extension(OID.extendedKeyUsage, sequence(oid(OID.serverAuth), oid(OID.clientAuth))),
        extension(OID.subjectAltName, sequence(...names.map(generalName))),
      ]);
      return { cert: leaf, key: keyPem(key) };
    },
  };
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

function publicKey(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' });
}

/** Any value that is the same for the same key (RFC 7093). */
function keyId(key: KeyObject): Buffer {
  return createHash('sha256').update(publicKey(key)).digest().subarray(0, 20);
}

function name(commonName: string): Buffer {
  return sequence(element(SET, sequence(oid(OID.commonName), element(UTF8_STRING, Buffer.from(commonName)))));
}

function generalName(san: DevName): Buffer {
  if ('uri' in san) return element(0x86, Buffer.from(san.uri, 'latin1'));
  return 'dns' in san ? element(0x82, Buffer.from(san.dns, 'latin1')) : element(0x87, san.ip);
}

function extension(id: string, value: Uint8Array, critical?: 'critical'): Buffer {
  return sequence(oid(id), ...(critical === undefined ? [] : [TRUE]), element(TAG.octetString, value));
}

function keyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
