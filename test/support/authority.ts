// A whole authority in memory: real keys, a real ledger, real guards, and a clock that the test sets.

import { generateKeyPairSync } from 'node:crypto';
import {
  type AuthorityContext,
  type Notices,
  type PendingRecordings,
  Recordings,
  readPending,
} from '../../src/authority/index.ts';
import { KeyRing, SignatureBatcher } from '../../src/keys/index.ts';
import { generateLedgerKey, Ledger, type LedgerStore, openLedgerKey } from '../../src/ledger/index.ts';
import { LocalSigner } from '../../src/signers/local/index.ts';
import {
  MemoryIdempotencyStore,
  MemoryLedgerStore,
  MemoryPendingRecordings,
  MemoryReplayGuard,
} from '../../src/stores/memory/index.ts';
import { isWithin, SignatureCache } from '../../src/token/index.ts';
import { Clock } from './clock.ts';
import { policy } from './tokens.ts';

export const ISSUER = 'urn:ect:test';

export interface TestAuthority {
  readonly context: AuthorityContext;
  readonly pending: PendingRecordings;
  readonly signer: LocalSigner;
  readonly clock: Clock;
  /** What was reported to the operator, in order. */
  readonly noticed: readonly Readonly<Record<string, string | undefined>>[];
}

/** Makes an authority whose ledger is in `store`. */
export async function makeAuthority(
  store: LedgerStore = new MemoryLedgerStore(),
  overrides: Partial<AuthorityContext['policy']> = {},
): Promise<TestAuthority> {
  const clock = new Clock();
  const noticed: Readonly<Record<string, string | undefined>>[] = [];
  const signer = await LocalSigner.open(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
  const key = openLedgerKey(generateLedgerKey('test.example/ledger'));
  const speaksFor = (iss: string) => isWithin(iss, ISSUER) || iss.startsWith('spiffe://');
  const notices: Notices = {
    equivocated: ({ iss, wid, jti }, seenBy) => void noticed.push({ event: 'equivocated', iss, wid, jti, seenBy }),
    levelRejected: (minimum) => void noticed.push({ event: 'level rejected', minimum }),
    backgroundAppend: ({ jti }, reason) => void noticed.push({ event: 'background append', jti, reason }),
  };
  const ledger = await Ledger.open({ store, key, nowMs: clock.nowMs });
  const pending = new MemoryPendingRecordings();
  const context: AuthorityContext = {
    policy: {
      token: policy,
      graph: { predecessorPolicy: true, reviewActions: ['human_review'] },
      issuer: ISSUER,
      defaultTtlSeconds: 600,
      ledgerAudience: '',
      replayTtlSeconds: 3600,
      ...overrides,
    },
    keys: new KeyRing([{ kid: signer.jwk.kid, publicKey: signer.publicKey, speaksFor }]),
    signers: { for: () => signer },
    signatures: new SignatureCache(),
    batcher: new SignatureBatcher(),
    ledger,
    // The lease has expired at once, so the next sweep takes up what failed.
    recordings: new Recordings({
      pendingRecordings: pending,
      ledger,
      notices,
      earliest: clock.earliest,
      reread: (order) => readPending(context, order),
      leaseMs: 0,
    }),
    replay: new MemoryReplayGuard(1000),
    idempotency: new MemoryIdempotencyStore(1000),
    notices,
    now: clock.now,
    stamp: clock.stamp,
    earliest: clock.earliest,
    forgotten: clock.forgotten,
  };
  return { context, pending, signer, clock, noticed };
}
