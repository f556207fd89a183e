// The key events of years, as two tiers record them, written into a ledger without waiting: real keys, real certificates and a real tree,
// each entry with its own time.

import { createECDH, hash } from 'node:crypto';
import { certify } from '../../src/key-manager/certificate.ts';
import { asKeyCandidate, type KeyStatement } from '../../src/key-manager/key-entry.ts';
import type { Kid, OpenSigner, PublicJwk } from '../../src/keys/index.ts';
import { signCheckpoint } from '../../src/ledger/checkpoint.ts';
import { commitEach } from '../../src/ledger/entry.ts';
import { type Head, Ledger, type Seal } from '../../src/ledger/index.ts';
import { growTree, leafHash, rootOf } from '../../src/ledger/tree.ts';
import type { Shared } from './key-manager.ts';

/** The time between two delegated keys: 8 workers with hourly keys record about 600 events a day. */
const STEP_MS = 432_000;
const LIFE_MS = 3_600_000;
/** After how many steps a key becomes active, and retires. */
const ACTIVE_AFTER = 1;
const RETIRED_AFTER = 9;
const AT_ONCE = 3000;

interface Event {
  readonly atMs: number;
  readonly statement: KeyStatement;
}

export interface KeyEvents {
  /** The minimum number of delegated keys. */
  readonly count: number;
  readonly issuer: string;
  /** The root keys. The second one replaces the first in the middle. */
  readonly roots: readonly [OpenSigner, OpenSigner];
}

/** What was written. The delegated keys are in the order of their announcements. */
export interface Written {
  readonly events: number;
  readonly kids: readonly Kid[];
  /** When each was announced, in milliseconds. */
  readonly announcedAtMs: readonly number[];
}

/** Writes events up to now into an empty ledger. The last keys are in use. */
export async function writeKeyEvents(shared: Shared, { count, issuer, roots }: KeyEvents): Promise<Written> {
  await Ledger.open({ store: shared.store, key: shared.key, nowMs: shared.clock.nowMs });
  const steps = Math.ceil(count / 3);
  const startMs = shared.clock.nowMs() - steps * STEP_MS;
  const half = Math.floor(steps / 2);
  const jwks: PublicJwk[] = [];
  let events = 0;
  let waiting: Event[] = [];
  const flush = async () => {
    await commitAt(shared, waiting);
    events += waiting.length;
    waiting = [];
  };
  const put = (atMs: number, statement: Omit<KeyStatement, 'note' | 'by'>) =>
    waiting.push({ atMs, statement: { note: '', by: 'service', ...statement } });
  const putRoot = (atMs: number, generation: number) => {
    const { jwk } = roots[generation]!;
    put(atMs, { state: 'announced', jwk, locator: `test:${generation}`, generation, lead_ms: 0 });
    put(atMs, { state: 'active', jwk, locator: `test:${generation}` });
  };
  const until = { signal: new AbortController().signal };

  for (let step = 0; step < steps; step++) {
    const atMs = startMs + step * STEP_MS;
    if (step === 0) putRoot(atMs, 0);
    if (step === half) {
      putRoot(atMs, 1);
      put(atMs, { state: 'retired', jwk: roots[0].jwk, locator: 'test:0' });
    }
    const jwk = makeJwk();
    jwks.push(jwk);
    const nbf = Math.floor(atMs / 1000);
    const certificate = await certify(
      roots[step < half ? 0 : 1],
      { jwk, iss: issuer, nbf, exp: nbf + (STEP_MS + LIFE_MS) / 1000 },
      until,
    );
    const memory = { locator: 'memory:process' };
    put(atMs, { state: 'announced', jwk, certificate, lead_ms: 300_000, ...memory });
    const active = jwks[step - ACTIVE_AFTER];
    if (active !== undefined) put(atMs, { state: 'active', jwk: active, ...memory });
    const retired = jwks[step - RETIRED_AFTER];
    if (retired !== undefined) put(atMs, { state: 'retired', jwk: retired, ...memory });
    if (waiting.length >= AT_ONCE) await flush();
  }
  await flush();
  return { events, kids: jwks.map(({ kid }) => kid), announcedAtMs: jwks.map((_, step) => startMs + step * STEP_MS) };
}

async function commitAt({ store, key }: Shared, events: readonly Event[]): Promise<void> {
  const candidates = events.map(({ statement }) => asKeyCandidate(statement));
  const commitments = commitEach(candidates);
  const seal: Seal = (base: Head) => {
    const records = candidates.map(({ scope, name, author, digest, content, leaf }, offset) => {
      const { salt, commitment, provenance } = commitments[offset]!;
      const recordedAtMs = events[offset]!.atMs;
      const bytes = leaf({ recordedAtMs, commitment });
      const placed = { index: base.size + offset, scope, name, author, digest, recordedAtMs };
      return { ...placed, leaf: bytes, salt, content, provenance };
    });
    const { size, frontier, nodes } = growTree(
      base,
      records.map(({ leaf }) => leafHash(leaf)),
    );
    const checkpoint = signCheckpoint(key, { size, root: rootOf(frontier) });
    return { records, nodes, head: { size, frontier, recordedAtMs: events.at(-1)!.atMs, checkpoint } };
  };
  await store.commit(candidates, seal);
}

/** Makes a key that signs nothing: a point on the curve, whose private key is not needed. */
function makeJwk(): PublicJwk {
  const point = createECDH('prime256v1').generateKeys();
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((half) => half.toString('base64url')) as [
    string,
    string,
  ];
  const kid = hash('sha256', `{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`, 'base64url') as Kid;
  return { kty: 'EC', crv: 'P-256', x, y, kid, alg: 'ES256', use: 'sig' };
}
