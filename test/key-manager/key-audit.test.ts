import { describe, expect, test } from 'vitest';
import { KeyAudit } from '../../src/key-manager/index.ts';
import { asKeyCandidate, type KeyStatement } from '../../src/key-manager/key-entry.ts';
import { writeKeySet } from '../../src/keys/index.ts';
import type { LedgerRecord } from '../../src/ledger/index.ts';
import type { LocalSigner } from '../../src/signers/local/index.ts';
import { makeSigner, START, START_MS } from './keys.ts';

const [first, second, stranger] = await Promise.all([makeSigner(), makeSigner(), makeSigner()]);
const HOUR_MS = 3_600_000;
const ISS = 'urn:ect:test';

/** An audit that takes one record a second. */
class Reading {
  readonly audit = new KeyAudit((iss) => iss === 'urn:foreign');
  #index = 0;
  nowMs = START_MS;

  key(signer: LocalSigner, state: KeyStatement['state'], more: Partial<KeyStatement> = {}): string | undefined {
    const lead = state === 'announced' ? { lead_ms: 0 } : {};
    const statement = { state, jwk: signer.jwk, locator: 'memory:test', note: '', by: 'service', ...lead, ...more };
    const { scope, name, author, digest, content, leaf } = asKeyCandidate(statement);
    this.nowMs += 1000;
    const recordedAtMs = this.nowMs;
    const record: LedgerRecord = {
      index: this.#index++,
      recordedAtMs,
      leaf: leaf({ recordedAtMs, commitment: 'c' }),
      salt: null,
      provenance: null,
      scope,
      name,
      author,
      digest,
      content,
    };
    return this.audit.takeKey(record);
  }

  use(signer: LocalSigner, iss = ISS, iat = Math.floor(this.nowMs / 1000)): string | undefined {
    this.nowMs += 1000;
    return this.audit.takeUse({ index: this.#index++, kid: signer.jwk.kid, iss, iat, recordedAtMs: this.nowMs });
  }
}

function begin(): Reading {
  const reading = new Reading();
  expect(reading.key(first, 'announced', { generation: 0 })).toBeUndefined();
  expect(reading.key(first, 'active')).toBeUndefined();
  return reading;
}

describe('K8 the keys of recorded tokens', () => {
  test('a key that was never announced is named once, with its first entry and how many it signed', () => {
    const reading = begin();
    expect(reading.use(first)).toBeUndefined();
    expect(reading.use(stranger)).toBeUndefined();
    expect(reading.use(stranger)).toBeUndefined();
    expect(reading.audit.unknown).toEqual([{ kid: stranger.jwk.kid, iss: ISS, firstIndex: 3, count: 2 }]);
  });

  test('a key that was announced only after its first token is named too', () => {
    const reading = begin();
    reading.use(second);
    reading.key(second, 'announced', { generation: 1 });
    reading.use(second);
    expect(reading.audit.unknown).toMatchObject([{ kid: second.jwk.kid, count: 1 }]);
  });

  test('keys of foreign issuers are their own affair, where the auditor says who these are', () => {
    const reading = begin();
    reading.use(stranger, 'urn:foreign');
    expect(reading.audit.unknown).toEqual([]);
  });

  test('tokens from before the first announcement are counted, not accused', () => {
    const reading = new Reading();
    reading.use(first);
    reading.key(first, 'announced', { generation: 0 });
    expect(reading.use(first, ISS, START - 600)).toBeUndefined();
    expect([reading.audit.usesBefore, reading.audit.unknown]).toEqual([1, []]);
  });

  test('a token from before its key was announced for, or after its end, is named, beyond what clocks may differ by', () => {
    const reading = begin();
    reading.key(second, 'announced', { generation: 1, lead_ms: HOUR_MS });
    const from = Math.floor(reading.nowMs / 1000) + 3600;
    expect(reading.use(second, ISS, from - 31)).toMatch('before it was announced for');
    expect(reading.use(second, ISS, from - 29)).toBeUndefined();
    reading.nowMs += HOUR_MS;
    reading.key(second, 'active');
    reading.key(first, 'retired');
    const end = Math.floor(reading.nowMs / 1000);
    expect(reading.use(first, ISS, end + 30)).toBeUndefined();
    expect(reading.use(first, ISS, end + 31)).toMatch('after it had ended');
  });

  test('a token that was recorded after its key was revoked is named', () => {
    const reading = begin();
    reading.key(first, 'revoked');
    reading.nowMs += 60_000;
    expect(reading.use(first, ISS, START)).toMatch('had been revoked');
  });

  test('an entry about a key that breaks a rule is named', () => {
    expect(begin().key(stranger, 'active')).toMatch('never announced');
  });
});

describe('K8 a key set is compared with the ledger', () => {
  const later = START_MS + HOUR_MS;

  test('one that has what the ledger says has no fault', () => {
    const reading = begin();
    expect(reading.audit.compareKeySet(writeKeySet([first.jwk]), later)).toEqual([]);
  });

  test('a key that was never announced, or is revoked, is named', () => {
    const reading = begin();
    reading.key(second, 'announced', { generation: 1 });
    reading.key(second, 'revoked');
    const set = writeKeySet([first.jwk, second.jwk, stranger.jwk]);
    expect(reading.audit.compareKeySet(set, later)).toEqual([
      `the key set still has the key ${second.jwk.kid}, which is revoked`,
      `the key set has the key ${stranger.jwk.kid}, which the ledger never announced`,
    ]);
  });

  test('a key that is missing is named, unless it was announced a moment ago or has retired', () => {
    const reading = begin();
    const lacks = [`the key set lacks the key ${first.jwk.kid}, which is in force`];
    expect(reading.audit.compareKeySet('{"keys":[]}', later)).toEqual(lacks);
    expect(reading.audit.compareKeySet('{"keys":[]}', reading.nowMs + 1000)).toEqual([]);
    reading.key(first, 'retired');
    expect(reading.audit.compareKeySet('{"keys":[]}', later)).toEqual([]);
  });

  test('another key, or a certificate, under a known name is named', () => {
    const reading = begin();
    const other = [`the key set has another key or certificate under ${first.jwk.kid} than the ledger`];
    expect(reading.audit.compareKeySet(writeKeySet([{ ...first.jwk, x: second.jwk.x }]), later)).toEqual(other);
    expect(reading.audit.compareKeySet(writeKeySet([{ ...first.jwk, ect_certificate: 'a.b.c' }]), later)).toEqual(
      other,
    );
  });

  test.each(['', '[]', 'null', '{"keys":1}', '{"keys":[null]}', '{"keys":[{}]}'])('%j is none', (text) => {
    expect(begin().audit.compareKeySet(text, later)).toEqual(['the key set is not a JWK Set']);
  });
});
