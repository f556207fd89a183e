// The keys of all foreign issuers: which of them verify tokens, and which authenticate callers. Keys are found by (issuer, kid); the same
// `kid` of two issuers is two keys.

import { type Rejection, reject } from '../errors.ts';
import type { TrustedKey } from '../keys/index.ts';
import { type CallerTrust, type Issuer, type LoadedSource, tokenKey } from './issuer.ts';
import type { ForeignKey, KeySetContent } from './key-set.ts';
import { type LoadOptions, loadKeySet } from './load-key-set.ts';
import { type KeySetPorts, RemoteKeySet, type Wanted } from './remote-key-set.ts';

/** Called for the keys of an issuer. */
export interface ForeignKeyEvents {
  foreignKeysTaken(iss: string, content: KeySetContent, isNews: boolean): void;
  foreignKeysFailed(iss: string, why: string, isNews: boolean): void;
  foreignKeysExpired(iss: string): void;
  /** The operator removed it from the file. */
  foreignIssuerRemoved(iss: string): void;
}

export interface ForeignIssuersPorts {
  /** Monotonic time in milliseconds. */
  readonly nowMs: () => number;
  readonly events: ForeignKeyEvents;
  /** Called with the keys that verify tokens whenever they have changed. */
  readonly onTokenKeys: (keys: readonly TrustedKey[]) => void;
  readonly fetching?: LoadOptions;
}

/** The keys of an issuer whose JWTs authenticate callers. */
export interface CallerIssuer {
  readonly iss: string;
  readonly trust: CallerTrust;
  /** The current keys. Empty: no verdict about any JWT is possible. */
  readonly keys: ReadonlyMap<string, ForeignKey>;
  /** For an unknown `kid`. */
  want(): Wanted;
}

interface IssuerKeys {
  readonly issuer: Issuer;
  readonly keys: ReadonlyMap<string, ForeignKey>;
  /** Undefined: the keys are in the file of the operator. */
  readonly remote: RemoteKeySet | undefined;
  /** Its keys in the key ring. A key that stays is the same object, so that caches for it stay valid. */
  readonly tokenKeys: WeakMap<ForeignKey, TrustedKey>;
}

const LOOK_MS = 1_000;
/** How long a start waits for keys. */
const START_MS = 2_000;

export class ForeignIssuers {
  readonly #ports: ForeignIssuersPorts;
  #issuers: readonly IssuerKeys[] = [];
  /** Issuers that authenticate callers: by `iss`, and trust domains by their name. */
  #callers: ReadonlyMap<string, CallerIssuer> = new Map();
  #timer: NodeJS.Timeout | undefined;

  constructor(issuers: readonly Issuer[], ports: ForeignIssuersPorts) {
    this.#ports = ports;
    this.replace(issuers);
  }

  /** Replaces the trusted issuers. Keys of a source that is still named stay. */
  replace(issuers: readonly Issuer[]): void {
    const removed = new Set(this.#issuers.map(({ issuer }) => issuer.iss));
    const before = new Map<string, Loaded>();
    for (const { issuer, remote } of this.#issuers) if (remote) before.set(nameOf(issuer), { issuer, remote });
    this.#issuers = issuers.map((issuer) => this.#keysOf(issuer, before));
    const kept = new Set(this.#issuers.map(({ remote }) => remote));
    for (const { remote } of before.values()) if (!kept.has(remote)) remote.stop();
    for (const { iss } of issuers) removed.delete(iss);
    for (const iss of removed) this.#ports.events.foreignIssuerRemoved(iss);
    this.#callers = new Map(this.#issuers.flatMap(asCallerIssuer));
    this.#reportTokenKeys();
    if (this.#timer !== undefined) this.look();
  }

  /** Starts to fetch periodically. Waits for the first keys, but not for long, because an issuer may be down. */
  async start(): Promise<void> {
    this.look();
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, START_MS);
    await Promise.race([this.settled(), over]);
    clearTimeout(timer);
  }

  /** Fetches keys that are due, and drops those that are too old. */
  look(): void {
    for (const { remote } of this.#issuers) remote?.look();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const { remote } of this.#issuers) remote?.stop();
  }

  /** Resolves when all running fetches have ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#issuers.flatMap(({ remote }) => (remote === undefined ? [] : [remote.settled()])));
  }

  /**
   * Called if no key of an issuer of `iss` has the `kid` of a token. Both are attacker-controlled: their only effect is one fetch for
   * each cooldown. Returns the rejection if no verdict about the token is possible.
   */
  missed(iss: string): Rejection | undefined {
    let rejection: Rejection | undefined;
    for (const { issuer, remote } of this.#issuers) {
      if (remote === undefined || issuer.tokens?.speaksFor(iss) !== true) continue;
      const wanted = remote.want();
      if (remote.keys.size === 0) rejection ??= keysUnavailable(wanted);
    }
    return rejection;
  }

  /** The current keys of an issuer. */
  keysOf(iss: string): ReadonlyMap<string, ForeignKey> {
    return this.#issuers.find(({ issuer }) => issuer.iss === iss)?.keys ?? new Map<string, ForeignKey>();
  }

  /** Whether a caller may have this name, or might have had it. */
  mayName(iss: string): boolean {
    for (const { issuer } of this.#issuers) {
      const identity = issuer.callers?.identity ?? issuer.pastCallers;
      if (identity === undefined) continue;
      if (iss.startsWith(identity.kind === 'spiffe' ? `${SPIFFE}${identity.trustDomain}/` : identity.prefix))
        return true;
    }
    return false;
  }

  /** The trusted issuer of a caller: the one of this name, or the one of the trust domain of the SPIFFE ID `sub`. */
  callerIssuer(iss: unknown, sub: unknown): CallerIssuer | undefined {
    const named = typeof iss === 'string' && !iss.startsWith(SPIFFE) ? this.#callers.get(iss) : undefined;
    if (named !== undefined || typeof sub !== 'string' || !sub.startsWith(SPIFFE)) return named;
    const end = sub.indexOf('/', SPIFFE.length);
    return end < 0 ? undefined : this.#callers.get(sub.slice(0, end));
  }

  #keysOf(issuer: Issuer, before: ReadonlyMap<string, Loaded>): IssuerKeys {
    const { source } = issuer;
    if (source.kind === 'inline') {
      const keys = new Map(source.keys.map((key) => [key.kid, key]));
      return { issuer, keys, remote: undefined, tokenKeys: new WeakMap() };
    }
    const known = before.get(nameOf(issuer))?.remote;
    const remote = known ?? this.#open(issuer.iss, source, sameSource(issuer.iss, source, before));
    return {
      issuer,
      get keys() {
        return remote.keys;
      },
      remote,
      tokenKeys: new WeakMap(),
    };
  }

  #open(iss: string, source: LoadedSource, before: RemoteKeySet | undefined): RemoteKeySet {
    const { nowMs, events, fetching } = this.#ports;
    const ports: KeySetPorts = {
      nowMs,
      load: (signal) => loadKeySet(iss, source, { ...fetching, signal }),
      events: {
        taken: (content, isNews) => {
          if (isNews) this.#reportTokenKeys();
          events.foreignKeysTaken(iss, content, isNews);
        },
        failed: (why, isNews) => events.foreignKeysFailed(iss, why, isNews),
        expired: () => {
          this.#reportTokenKeys();
          events.foreignKeysExpired(iss);
        },
      },
    };
    return new RemoteKeySet(source.times, ports, before);
  }

  #reportTokenKeys(): void {
    this.#ports.onTokenKeys(this.#issuers.flatMap(tokenKeysOf));
  }
}

const SPIFFE = 'spiffe://';

interface Loaded {
  readonly issuer: Issuer;
  readonly remote: RemoteKeySet;
}

/** The keys of an issuer that were fetched from the same place under other rules. */
function sameSource(
  iss: string,
  { kind, place }: LoadedSource,
  before: ReadonlyMap<string, Loaded>,
): RemoteKeySet | undefined {
  const found = [...before.values()].find(
    ({ issuer: { iss: name, source } }) =>
      name === iss && source.kind === kind && 'place' in source && source.place === place,
  );
  return found?.remote;
}

/** Equal names mean the same keys. */
function nameOf({ iss, source }: Issuer): string {
  return source.kind === 'inline' ? `inline ${iss}` : JSON.stringify([iss, source]);
}

function tokenKeysOf({ issuer: { tokens }, keys, tokenKeys }: IssuerKeys): readonly TrustedKey[] {
  if (tokens === undefined) return [];
  return [...keys.values()].flatMap((key) => {
    const made = tokenKeys.get(key) ?? tokenKey(key, tokens);
    if (made === undefined) return [];
    tokenKeys.set(key, made);
    return [made];
  });
}

function asCallerIssuer(issuerKeys: IssuerKeys): readonly (readonly [string, CallerIssuer])[] {
  const { issuer, remote } = issuerKeys;
  const { iss, callers } = issuer;
  if (callers === undefined) return [];
  const caller: CallerIssuer = {
    iss,
    trust: callers,
    get keys() {
      return issuerKeys.keys;
    },
    want: () => remote?.want() ?? { state: 'cooling', forMs: Number.POSITIVE_INFINITY },
  };
  return [[iss, caller]];
}

/** For an issuer without keys: they are being fetched, or could not be. */
export function keysUnavailable(wanted: Wanted): Rejection {
  const seconds = wanted.state === 'loading' ? 1 : Math.max(1, Math.ceil(wanted.forMs / 1000));
  return reject('ISSUER_KEYS_UNAVAILABLE', 'The keys of the issuer cannot be fetched.', {
    retry_after_seconds: String(seconds),
  });
}
