// The ports of the key manager, and its policy, which the operator configures.

import type { OpenSigner, TrustedKey } from '../keys/index.ts';
import type { Ledger } from '../ledger/index.ts';
import type { KeyState } from './key-entry.ts';
import type { Retention } from './published.ts';

/** A root key as this process holds it. */
export interface RootKey {
  readonly signer: OpenSigner;
  /** With this locator another process, or this one after a restart, can open the key. */
  readonly locator: string;
}

/** The root key of the configuration, where the start goes on before it could be opened. */
export interface AwaitedRoot {
  readonly locator: string;
  /** What the start tried: it has failed, or is still under way. */
  readonly attempt: Promise<OpenSigner>;
  /** Tries again. */
  open(): Promise<OpenSigner>;
  /** Ends the start after all, where the ledger has never had a root key of this locator. */
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
  /** Whether anything can be recorded now: the ledger dates nothing by a clock that is not trusted. */
  readonly isTrusted: boolean;
}

export interface KeyManagerPorts {
  readonly ledger: Ledger;
  readonly clock: KeyManagerClock;
  /**
   * Opens a root key by its locator. Rejects where this process cannot, by EctError where there is something to say to callers;
   * tried again later.
   */
  openRoot(locator: string): Promise<OpenSigner>;
  /** The locator of a key that an administrator names; undefined where this service takes none. */
  locatorOf(nextKey: string): string | undefined;
  /**
   * Makes root key number `generation`, or finds it where another process made it. Undefined: root keys are made by
   * another party.
   */
  readonly makeRoot: ((generation: number) => Promise<RootKey>) | undefined;
  /** Makes a P-256 key that lives in this process and nowhere else. */
  makeDelegated(): Promise<OpenSigner>;
  /** Whether this process does the work that one of the processes with this ledger does for all. Undefined: it does no such work. */
  readonly tidiesForAll?: (() => boolean) | undefined;
  /** Called for the trusted keys whenever they have changed. */
  onTrust(keys: readonly TrustedKey[]): void;
  readonly events: {
    /** A change of state was read from the ledger, of this process or another. */
    keyChanged(change: { readonly kid: string; readonly state: KeyState; readonly by: string }): void;
    /** Something about keys failed; it is tried again. `isNews`: it did not fail in this way the last time. */
    keysFailed(cause: unknown, isNews?: boolean): void;
    /** What failed is over. */
    keysRecovered(): void;
    /** From now on no key signs, because the signing key cannot be opened or does not respond; or this condition has ended. */
    signingKeyMissing(isMissing: boolean): void;
  };
}

/** What an operator decides. */
export interface KeyManagerPolicy {
  /** The issuer that delegated keys are certified for. */
  readonly issuer: string;
  /** Whether a key of ours may sign in the name of `iss`. */
  readonly speaksFor: (iss: string) => boolean;
  /** How long the key set may be cached. */
  readonly keySetMaxAgeMs: number;
  /** How often the ledger is asked for changes. */
  readonly refreshMs: number;
  readonly retention: Retention;
  /** Age at which a root key is replaced; undefined: never by itself. */
  readonly rotateAfterMs: number | undefined;
  /** Two tiers: lifetime of a delegated key. Undefined: the root key signs tokens itself. */
  readonly delegatedLifeMs: number | undefined;
  /** In two tiers: whose tokens the root key signs itself all the same. */
  readonly direct: { readonly issuers: readonly string[]; readonly actions: readonly string[] };
}

/**
 * How long the key set that was read from the ledger at `readAtMs` may be cached, in milliseconds; both times are of the monotonic
 * clock. A key may have been announced right after that, and signs when its announcement period is over, so the longer ago the
 * read was, the shorter the result.
 */
export function keepableFor(policy: KeyManagerPolicy, readAtMs: number, nowMs: number): number {
  return Math.max(0, Math.min(policy.keySetMaxAgeMs, readAtMs + leadOf(policy) - nowMs));
}

/** How long a key is announced before it signs: as long as a key set without it may be cached. */
export function leadOf({ keySetMaxAgeMs, refreshMs }: KeyManagerPolicy): number {
  // Another process may serve the old set until its next read of the ledger, and a read takes some time.
  return keySetMaxAgeMs + 2 * refreshMs;
}
