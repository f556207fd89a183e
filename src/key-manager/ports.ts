// The ports of the key manager, and its policy, which the operator configures.

import type { OpenSigner, TrustedKey } from '../keys/index.ts';
import type { Ledger } from '../ledger/index.ts';
import type { KeyState } from './key-entry.ts';
import type { Retention } from './published.ts';

/** A root key in this process. */
export interface RootKey {
  readonly signer: OpenSigner;
  /** The locator with which another process, or this one after a restart, can open the key. */
  readonly locator: string;
}

/** The configured root key, if the start continues before it could be opened. */
export interface AwaitedRoot {
  readonly locator: string;
  /** The attempt of the start: it has failed, or is still running. */
  readonly attempt: Promise<OpenSigner>;
  /** Tries again. */
  open(): Promise<OpenSigner>;
  /** Fails the start after all, if the ledger has never had a root key with this locator. */
  readonly startError: Error | undefined;
}

/** The clock of the service, in milliseconds. */
export interface KeyManagerClock {
  /** Since the epoch. */
  nowMs(): number;
  /** The earliest plausible time, since the epoch. Expiries are checked against it. */
  earliestMs(): number;
  /** Monotonic, for durations. */
  steadyMs(): number;
  /** Whether anything can be recorded now: the ledger dates nothing while the clock is not trusted. */
  readonly isTrusted: boolean;
}

export interface KeyManagerPorts {
  readonly ledger: Ledger;
  readonly clock: KeyManagerClock;
  /** Opens a root key by its locator. Rejects if this process cannot, by EctError if callers should get the reason; tried again later. */
  openRoot(locator: string): Promise<OpenSigner>;
  /** The locator of a key that an administrator names; undefined if this service accepts none. */
  locatorOf(nextKey: string): string | undefined;
  /** Creates root key number `generation`, or finds it if another process created it. Undefined: another party creates root keys. */
  readonly makeRoot: ((generation: number) => Promise<RootKey>) | undefined;
  /** Creates a P-256 key that exists only in this process. */
  makeDelegated(): Promise<OpenSigner>;
  /** Whether this process does the background work of the ledger. Undefined: it does none. */
  readonly tidiesForAll?: (() => boolean) | undefined;
  /** Called for the trusted keys whenever they have changed. */
  onTrust(keys: readonly TrustedKey[]): void;
  readonly events: {
    /** A change of state was read from the ledger, made by this process or another. */
    keyChanged(change: { readonly kid: string; readonly state: KeyState; readonly by: string }): void;
    /** An operation on keys failed and will be tried again. `isNews`: it did not fail in this way the last time. */
    keysFailed(cause: unknown, isNews?: boolean): void;
    /** A failure is over. */
    keysRecovered(): void;
    /** No key signs any more, because the signing key cannot be opened or does not respond; or this condition has ended. */
    signingKeyMissing(isMissing: boolean): void;
  };
}

/** The settings of the operator. */
export interface KeyManagerPolicy {
  /** The issuer that delegated keys are certified for. */
  readonly issuer: string;
  /** Whether a key of this service may sign with this `iss`. */
  readonly speaksFor: (iss: string) => boolean;
  /** How long the key set may be cached. */
  readonly keySetMaxAgeMs: number;
  /** How often the ledger is read for changes. */
  readonly refreshMs: number;
  readonly retention: Retention;
  /** The age at which a root key is replaced; undefined: never automatically. */
  readonly rotateAfterMs: number | undefined;
  /** Two tiers: lifetime of a delegated key. Undefined: the root key signs tokens itself. */
  readonly delegatedLifeMs: number | undefined;
  /** Two tiers: the issuers whose tokens the root key signs anyway. */
  readonly direct: { readonly issuers: readonly string[]; readonly actions: readonly string[] };
}

/**
 * How long the key set that was read from the ledger at `readAtMs` may be cached, in milliseconds; both times are monotonic. A key may
 * have been announced right after the read, and signs after its announcement period, so the result decreases with the age of the read.
 */
export function keepableFor(policy: KeyManagerPolicy, readAtMs: number, nowMs: number): number {
  return Math.max(0, Math.min(policy.keySetMaxAgeMs, readAtMs + leadOf(policy) - nowMs));
}

/** How long a key is announced before it signs: as long as a key set without it may be cached. */
export function leadOf({ keySetMaxAgeMs, refreshMs }: KeyManagerPolicy): number {
  // Another process may serve the old set until its next read of the ledger, and a read takes some time.
  return keySetMaxAgeMs + 2 * refreshMs;
}
