// Keys and entries about them, made by hand.

import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { certify } from '../../src/key-manager/certificate.ts';
import { asKeyCandidate, type KeyEntry, type KeyStatement, readKeyEntry } from '../../src/key-manager/key-entry.ts';
import { LocalSigner } from '../../src/signers/local/index.ts';

export const ISSUER = 'urn:ect:test';
/** Milliseconds: when the first entry was recorded. */
export const START_MS = 1_772_000_000_000;
export const START = START_MS / 1000;

const forever = { signal: new AbortController().signal };

function makePrivateKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

export function makeSigner(): Promise<LocalSigner> {
  return LocalSigner.open(makePrivateKey());
}

/** Writes entries as the ledger would keep them, one a second. */
export class EntryWriter {
  #index = 0;
  nowMs = START_MS;

  /** The entry for a statement. Members of `leaf` stand in place of those that a service would write. */
  write(
    signer: LocalSigner,
    state: KeyStatement['state'],
    more: Partial<KeyStatement> = {},
    leaf: object = {},
  ): KeyEntry {
    const lead = state === 'announced' ? { lead_ms: 0 } : {};
    const statement = { state, jwk: signer.jwk, locator: 'memory:test', note: '', by: 'service', ...lead, ...more };
    const candidate = asKeyCandidate(statement);
    const bytes = candidate.leaf({ recordedAtMs: this.nowMs, commitment: 'c' });
    const written = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(bytes).toString()), ...leaf }));
    const { scope, name, author, digest, content } = candidate;
    const record = { index: this.#index++, recordedAtMs: this.nowMs, leaf: written, salt: null, provenance: null };
    this.nowMs += 1000;
    return readKeyEntry({ ...record, scope, name, author, digest, content });
  }
}

/** A certificate for `delegated` by `root`, with some of its facts other than usual. */
export function makeCertificate(
  root: LocalSigner,
  delegated: LocalSigner,
  facts: Partial<{ iss: string; nbf: number; exp: number }> = {},
): Promise<string> {
  return certify(root, { jwk: delegated.jwk, iss: ISSUER, nbf: START, exp: START + 3600, ...facts }, forever);
}

/** A compact JWS over any header and payload, signed well. */
export function signJws(header: object, payload: object, signer: LocalSigner): string {
  const input = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${input}.${Buffer.from(signer.sign(Buffer.from(input))).toString('base64url')}`;
}
