// A key manager with real keys, a real ledger in memory and a clock that the test sets. Nothing happens by itself: tests say when it
// reads the ledger.

import { generateKeyPairSync } from 'node:crypto';
import { onTestFinished } from 'vitest';
import type { AuthorityContext } from '../../src/authority/index.ts';
import {
  type AwaitedRoot,
  KeyManager,
  type KeyManagerPolicy,
  type KeyManagerPorts,
  type RootKey,
} from '../../src/key-manager/index.ts';
import { KeyRing, type OpenSigner, type TrustedKey } from '../../src/keys/index.ts';
import { generateLedgerKey, Ledger, type LedgerKey, type LedgerStore, openLedgerKey } from '../../src/ledger/index.ts';
import { LocalSigner } from '../../src/signers/local/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { ISSUER, makeAuthority } from './authority.ts';
import { Clock } from './clock.ts';

/** How long keys are announced before they sign, in seconds. */
export const LEAD = 300;
/** The longest lifetime of a token, and the allowed clock skew, in seconds. */
export const LIFETIME = 3600;
export const SKEW = 30;
/** The ledger is read periodically, but so seldom that it never happens within a test. */
const REFRESH_MS = 100_000;

/** Root keys that several processes can open, by their locator. */
export class KeyCupboard {
  readonly #keys = new Map<string, Promise<LocalSigner>>();

  async make(locator: string): Promise<RootKey> {
    const signer = this.#keys.get(locator) ?? makeLocalSigner();
    this.#keys.set(locator, signer);
    return { signer: await signer, locator };
  }

  open(locator: string): Promise<OpenSigner> {
    return this.#keys.get(locator) ?? Promise.reject(new Error('no such key'));
  }
}

/** What several processes share. */
export interface Shared {
  readonly clock: Clock;
  readonly store: LedgerStore;
  readonly key: LedgerKey;
  readonly cupboard: KeyCupboard;
}

export function share(store: LedgerStore = new MemoryLedgerStore()): Shared {
  const key = openLedgerKey(generateLedgerKey('test.example/ledger'));
  return { clock: new Clock(), store, key, cupboard: new KeyCupboard() };
}

export interface TestKeyManager {
  readonly keyManager: KeyManager;
  readonly ledger: Ledger;
  /** The key ring of verifiers, which the key manager updates. */
  readonly ring: KeyRing;
  readonly failures: unknown[];
}

export interface KeyManagerChanges {
  readonly policy?: Partial<KeyManagerPolicy>;
  readonly ports?: Partial<KeyManagerPorts>;
  /** The locator of the configured key. */
  readonly configured?: string;
  /** A key of the test's own, instead of the configured one. */
  readonly configuredRoot?: RootKey | AwaitedRoot;
}

/** Opens the key manager of one process. It is closed at the end of the test. */
export async function openKeyManager(shared: Shared, changes?: KeyManagerChanges): Promise<TestKeyManager> {
  const opened = await startKeyManager(shared, changes);
  onTestFinished(() => opened.keyManager.close());
  return opened;
}

/** Opens the key manager of one process. The caller closes it. */
export async function startKeyManager(shared: Shared, changes: KeyManagerChanges = {}): Promise<TestKeyManager> {
  const { clock, cupboard, store, key } = shared;
  const ledger = await Ledger.open({ store, key, nowMs: clock.nowMs });
  const ring = new KeyRing([]);
  const failures: unknown[] = [];
  const ports: KeyManagerPorts = {
    ledger,
    clock,
    openRoot: (locator) => cupboard.open(locator),
    locatorOf: () => undefined,
    makeRoot: (generation) => cupboard.make(`test:${generation}`),
    makeDelegated: makeLocalSigner,
    onTrust: (keys: readonly TrustedKey[]) => ring.replace(keys),
    events: {
      keyChanged: () => undefined,
      keysFailed: (cause) => failures.push(cause),
      keysRecovered: () => undefined,
      signingKeyMissing: () => undefined,
    },
    ...changes.ports,
  };
  const policy: KeyManagerPolicy = {
    issuer: ISSUER,
    speaksFor: (iss) => iss.startsWith(ISSUER),
    keySetMaxAgeMs: LEAD * 1000 - 2 * REFRESH_MS,
    refreshMs: REFRESH_MS,
    retention: { maxLifetimeSeconds: LIFETIME, skewSeconds: SKEW },
    rotateAfterMs: undefined,
    delegatedLifeMs: undefined,
    direct: { issuers: [], actions: [] },
    ...changes.policy,
  };
  const root = changes.configuredRoot ?? (await cupboard.make(changes.configured ?? 'test:0'));
  const keyManager = await KeyManager.open(ports, policy, root);
  return { keyManager, ledger, ring, failures };
}

/** The context of an authority in the same process: its keys, its ledger and its clock are those of the key manager. */
export async function contextOf({ clock }: Shared, opened: TestKeyManager): Promise<AuthorityContext> {
  const { keyManager, ledger, ring } = opened;
  const { context } = await makeAuthority();
  const { now, stamp, earliest, forgotten } = clock;
  const own = { keys: ring, signers: keyManager, ownKeys: keyManager };
  return { ...context, ...own, ledger, now, stamp, earliest, forgotten };
}

export function makeLocalSigner(): Promise<LocalSigner> {
  return LocalSigner.open(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
}
