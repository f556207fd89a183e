import { describe, expect, test } from 'vitest';
import { EctError } from '../../src/errors.ts';
import { readKeyEntry } from '../../src/key-manager/key-entry.ts';
import { KeyHistory } from '../../src/key-manager/key-history.ts';
import { endOf } from '../../src/key-manager/key-states.ts';
import { asTrustedKey, publishedKeys } from '../../src/key-manager/published.ts';
import { EntryWriter, ISSUER, makeCertificate, makeSigner, START, START_MS, signJws } from './keys.ts';

const [first, second, delegated, other] = await Promise.all([makeSigner(), makeSigner(), makeSigner(), makeSigner()]);
const certificate = await makeCertificate(first, delegated);
const retention = { maxLifetimeSeconds: 3600, skewSeconds: 30 };
const speaksFor = () => true;

/** A ring in which the first root key is active. */
function begin(): { history: KeyHistory; writer: EntryWriter } {
  const history = new KeyHistory(ISSUER);
  const writer = new EntryWriter();
  expect(history.add(writer.write(first, 'announced', { generation: 0 }))).toBeUndefined();
  expect(history.add(writer.write(first, 'active'))).toBeUndefined();
  return { history, writer };
}

test('a key is announced, then active, then retired, then revoked', () => {
  const { history, writer } = begin();
  const states = [history.get(first.jwk.kid)?.state];
  for (const state of ['retired', 'revoked'] as const) {
    expect(history.add(writer.write(first, state))).toBeUndefined();
    states.push(history.get(first.jwk.kid)?.state);
  }
  expect(states).toEqual(['active', 'retired', 'revoked']);
  expect(history.get(first.jwk.kid)).toMatchObject({
    generation: 0,
    announcedAtMs: START_MS,
    activeAtMs: START_MS + 1000,
    retiredAtMs: START_MS + 2000,
    revoked: { atMs: START_MS + 3000, sinceMs: START_MS + 3000 },
  });
});

describe('an entry that breaks a rule changes nothing', () => {
  test('K9 a revoked key stays revoked', () => {
    const { history, writer } = begin();
    history.add(writer.write(first, 'revoked'));
    expect(history.add(writer.write(first, 'active'))).toMatch('cannot be active after it was revoked');
    expect(history.get(first.jwk.kid)?.state).toBe('revoked');
  });

  test('a key that was never announced does not become active', () => {
    const { history, writer } = begin();
    expect(history.add(writer.write(other, 'active'))).toMatch('never announced');
    expect(history.get(other.jwk.kid)).toBeUndefined();
  });

  test('a key is not active before the time that it was announced for', () => {
    const { history, writer } = begin();
    history.add(writer.write(second, 'announced', { generation: 1, lead_ms: 5000 }));
    expect(history.add(writer.write(second, 'active'))).toMatch('before it was announced for');
    writer.nowMs += 5000;
    expect(history.add(writer.write(second, 'active'))).toBeUndefined();
  });

  test('a key is announced once, and root keys by number', () => {
    const { history, writer } = begin();
    expect(history.add(writer.write(first, 'announced', { generation: 1 }))).toMatch('announced before');
    expect(history.add(writer.write(second, 'announced', { generation: 2 }))).toMatch('not the next root key');
  });

  test.each([
    ['another key under its kid', { jwk: other.jwk }],
    ['another kid than that of its key', { kid: other.jwk.kid }],
    ['no time from which it may sign', { use_from: undefined }],
    ['another place than its own', { generation: 7 }],
    ['a private member', { jwk: { ...second.jwk, x: 'AA' } }],
  ])('a leaf with %s cannot be read', (_name, leaf) => {
    expect(() => new EntryWriter().write(second, 'announced', { generation: 0 }, leaf)).toThrow(EctError);
  });

  test('a leaf that is no JSON cannot be read', () => {
    const { history: _, writer } = begin();
    const record = { index: 0, scope: '†keys', name: 'root/0', author: '', digest: new Uint8Array(32) };
    const broken = {
      ...record,
      recordedAtMs: writer.nowMs,
      leaf: Buffer.from('{'),
      salt: null,
      content: null,
      provenance: null,
    };
    expect(() => readKeyEntry(broken)).toThrow(expect.objectContaining({ reason: 'LEDGER_CORRUPT' }));
  });
});

describe('a delegated key', () => {
  test('is trusted for the certificate of an active root key', () => {
    const { history, writer } = begin();
    expect(history.add(writer.write(delegated, 'announced', { certificate }))).toBeUndefined();
    expect(history.get(delegated.jwk.kid)).toMatchObject({ generation: undefined, state: 'announced' });
  });

  const header = { alg: 'ES256', typ: 'ect-key+jwt', kid: first.jwk.kid };
  const says = { iss: ISSUER, jwk: delegated.jwk, kid: delegated.jwk.kid, iat: START, nbf: START, exp: START + 60 };
  test.each([
    ['a root that is not in the ring', signJws({ ...header, kid: second.jwk.kid }, says, second), 'not of a root key'],
    ['a root that did not sign', signJws(header, says, second), 'not of a root key'],
    ['another kid', signJws(header, { ...says, kid: other.jwk.kid }, first), 'not of a root key'],
    ['another key', signJws(header, { ...says, jwk: other.jwk, kid: other.jwk.kid }, first), 'about another key'],
    ['another typ', signJws({ ...header, typ: 'JWT' }, says, first), 'not of a root key'],
    ['another issuer', signJws(header, { ...says, iss: 'urn:other' }, first), 'for another issuer'],
  ])('is never trusted for a certificate with %s', (_name, text, fault) => {
    const { history, writer } = begin();
    expect(history.add(writer.write(delegated, 'announced', { certificate: text }))).toMatch(fault);
    expect(history.get(delegated.jwk.kid)).toBeUndefined();
  });

  test('is over where its certificate had ended when it was announced: it signs nothing, and nothing it signed is accepted', () => {
    const { history, writer } = begin();
    const ended = signJws(header, { ...says, nbf: START - 60, exp: START - 1 }, first);
    history.add(writer.write(delegated, 'announced', { certificate: ended }));
    const key = history.get(delegated.jwk.kid)!;
    expect(endOf(key)).toBeLessThan(key.announcedAtMs);
    const { signsUntil, notAfter } = asTrustedKey(key, speaksFor, retention, writer.nowMs);
    expect([signsUntil, notAfter]).toEqual([START - 1 + 30, START - 1 + 3630]);
  });

  test('is not trusted for the certificate of another delegated key', async () => {
    const { history, writer } = begin();
    history.add(writer.write(delegated, 'announced', { certificate }));
    const chained = await makeCertificate(delegated, other);
    expect(history.add(writer.write(other, 'announced', { certificate: chained }))).toMatch('not of a root key');
  });

  test('is not trusted any more where its root key was retired or revoked before it was announced', () => {
    for (const state of ['retired', 'revoked'] as const) {
      const { history, writer } = begin();
      history.add(writer.write(first, state));
      expect(history.add(writer.write(delegated, 'announced', { certificate }))).toMatch(`it was ${state}`);
    }
  });

  test('falls with its root key', () => {
    const { history, writer } = begin();
    history.add(writer.write(delegated, 'announced', { certificate }));
    history.add(writer.write(delegated, 'active'));
    history.add(writer.write(first, 'revoked', { compromised_since: START_MS + 500 }));
    expect(history.get(delegated.jwk.kid)).toMatchObject({ state: 'revoked', revoked: { sinceMs: START_MS + 500 } });
  });

  test('ends with its certificate, whether or not anybody said that it retired', () => {
    const { history, writer } = begin();
    history.add(writer.write(delegated, 'announced', { certificate }));
    const key = history.get(delegated.jwk.kid)!;
    const trusted = asTrustedKey(key, speaksFor, retention, START_MS);
    expect(trusted).toMatchObject({ signsUntil: START + 3630, notAfter: START + 3600 + 3630 });
  });
});

describe('what is published', () => {
  test('K8 a key is published from its announcement until the last token that it may have signed has expired', () => {
    const { history, writer } = begin();
    const kids = (nowMs: number) => publishedKeys(history.all(), retention, nowMs).map(({ kid }) => kid);
    history.add(writer.write(second, 'announced', { generation: 1, lead_ms: 1000 }));
    expect(kids(writer.nowMs)).toEqual([first.jwk.kid, second.jwk.kid]);
    writer.nowMs += 1000;
    history.add(writer.write(second, 'active'));
    const retiredMs = writer.nowMs;
    history.add(writer.write(first, 'retired'));
    expect(kids(retiredMs + 3_630_000 - 1)).toEqual([first.jwk.kid, second.jwk.kid]);
    expect(kids(retiredMs + 3_630_000)).toEqual([second.jwk.kid]);
  });

  test('evidence: a key is in force from its announcement, the first one from ever', () => {
    const { history, writer } = begin();
    history.add(writer.write(second, 'announced', { generation: 1 }));
    const notBefore = [first, second].map(
      ({ jwk }) => asTrustedKey(history.get(jwk.kid)!, speaksFor, retention, writer.nowMs).notBefore,
    );
    expect(notBefore).toEqual([undefined, START + 2 - 30]);
  });

  test('K9 a revoked key is not published', () => {
    const { history, writer } = begin();
    history.add(writer.write(first, 'revoked'));
    expect(publishedKeys(history.all(), retention, writer.nowMs)).toEqual([]);
  });

  test('K9 a process whose clock is late rejects a revoked key from when it learns of it', () => {
    const { history, writer } = begin();
    history.add(writer.write(first, 'revoked'));
    const key = history.get(first.jwk.kid)!;
    expect(asTrustedKey(key, speaksFor, retention, START_MS - 20_000).revokedAt).toBe(START - 20);
    expect(asTrustedKey(key, speaksFor, retention, START_MS + 60_000).revokedAt).toBe(START + 2);
  });
});
