// Creates the context of the procedures of the authority.

import { type AuthorityContext, type Notices, Recordings, readPending } from '../authority/index.ts';
import type { TrustedClock } from '../clock/index.ts';
import type { Config } from '../config/index.ts';
import type { KeyManager } from '../key-manager/index.ts';
import { type KeyRing, SignatureBatcher } from '../keys/index.ts';
import type { Ledger } from '../ledger/index.ts';
import type { Stores } from '../startup/open-stores.ts';
import { tokenPolicy } from '../startup/token-policy.ts';
import { SignatureCache } from '../token/index.ts';
import type { PolicyParts } from './policy.ts';

export function compose(
  config: Config,
  keys: KeyRing,
  signers: KeyManager,
  ledger: Ledger,
  stores: Stores,
  clock: TrustedClock,
  notices: Notices,
  { authorizer, policies, isAdministrator }: PolicyParts,
): AuthorityContext {
  const context: AuthorityContext = {
    policy: {
      token: tokenPolicy(config),
      graph: config.graph,
      issuer: config.issuer,
      defaultTtlSeconds: config.token.defaultTtlSeconds,
      ledgerAudience: config.ledger.audience,
      replayTtlSeconds: config.replay.ttlSeconds,
    },
    keys,
    signers,
    ownKeys: signers,
    signatures: new SignatureCache(),
    batcher: new SignatureBatcher(),
    ledger,
    recordings: new Recordings({
      pendingRecordings: stores.pendingRecordings,
      ledger,
      notices,
      earliest: () => context.earliest(),
      reread: (recording) => readPending(context, recording),
      kept: () => policies.kept(),
    }),
    replay: stores.replay,
    idempotency: stores.idempotency,
    authorizer,
    policies,
    isAdministrator,
    notices,
    now: () => Math.floor(clock.nowMs() / 1000),
    stamp: () => Math.floor(clock.stampMs() / 1000),
    earliest: () => Math.floor(clock.earliestMs() / 1000),
    forgotten: () => Math.floor(clock.forgottenMs() / 1000),
  };
  return context;
}
