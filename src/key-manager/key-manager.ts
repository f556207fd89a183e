// The key manager of the signing keys: which key signs, which are trusted, and every change of that. What the ledger says is
// what holds: a change is recorded first and takes effect when it is read back, in this process as in every other.

import { EctError, reject } from '../errors.ts';
import { type Signer, type SignerChoice, type TrustedKey, writeKeySet } from '../keys/index.ts';
import { Delegation } from './delegation.ts';
import type { KeyEntry } from './key-entry.ts';
import { KeyHistory } from './key-history.ts';
import { KeyLog, type KeyPage } from './key-log.ts';
import type { KeyRecord } from './key-states.ts';
import { type AwaitedRoot, type KeyManagerPolicy, type KeyManagerPorts, keepableFor, type RootKey } from './ports.ts';
import { asPublishedJwk, asTrustedKey, forgottenAt, publishedKeys, retentionMs } from './published.ts';
import { ReportedFailures } from './reported-failures.ts';
import { RootKeys, type RotationInput, stateInvalid } from './root-keys.ts';

/** What became of an order about a key. */
export interface KeyChange {
  readonly key: KeyRecord;
  /** Whether this call changed it. */
  readonly changed: boolean;
}

/** Who orders something, and why. */
interface Order {
  readonly kid: string;
  readonly by: string;
  readonly note: string;
}

export class KeyManager implements SignerChoice {
  readonly #ports: KeyManagerPorts;
  readonly #policy: KeyManagerPolicy;
  readonly #history: KeyHistory;
  readonly #log: KeyLog;
  readonly #roots: RootKeys;
  readonly #failures: ReportedFailures;
  readonly #direct: { readonly issuers: ReadonlySet<string>; readonly actions: ReadonlySet<string> };
  #trusted = new WeakMap<KeyRecord, TrustedKey>();
  #delegation: Delegation | undefined;
  #root: Signer | undefined;
  #current: Signer | undefined;
  #currentEndsAtMs = Number.POSITIVE_INFINITY;
  #published: readonly KeyRecord[] = [];
  #keySet = writeKeySet([]);
  #forgetAtMs = 0;
  #settledAtMs = 0;
  /** When the last look at the ledger began, by the clock that nobody sets. */
  #readAtMs = 0;
  #hasNews = true;
  #isMissing = false;
  #isOpen = false;
  /** What was there before is no news. */
  #hasRead = false;
  #turn: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  private constructor(ports: KeyManagerPorts, policy: KeyManagerPolicy) {
    this.#ports = ports;
    this.#policy = policy;
    this.#history = new KeyHistory(policy.delegatedLifeMs === undefined ? undefined : policy.issuer);
    this.#log = new KeyLog(ports.ledger, this.#history, (entry, fault) => this.#noteEntry(entry, fault));
    this.#roots = new RootKeys(ports, policy, this.#log, this.#history, () => {
      if (this.#isOpen) void this.refresh();
    });
    this.#failures = new ReportedFailures({
      onFailed: (cause, isNews) => ports.events.keysFailed(cause, isNews),
      onRecovered: () => ports.events.keysRecovered(),
    });
    this.#direct = { issuers: new Set(policy.direct.issuers), actions: new Set(policy.direct.actions) };
  }

  /**
   * Reads the ring from the ledger, puts the configured key into it where it is not there, and begins to follow the
   * ledger. What fails now fails the start; a key that is awaited is put there later.
   */
  static async open(
    ports: KeyManagerPorts,
    policy: KeyManagerPolicy,
    configured: RootKey | AwaitedRoot,
  ): Promise<KeyManager> {
    const keyManager = new KeyManager(ports, policy);
    await keyManager.#start(configured);
    return keyManager;
  }

  /** The hot path of every token: no promise, no allocation. */
  for(iss: string, execAct: string): Signer {
    const { issuers, actions } = this.#direct;
    const isDirect = actions.has(execAct) || issuers.has(iss);
    const signer = isDirect ? this.#root : this.#current;
    if (signer === undefined) throw this.#noKey();
    // Asking for the time is the dearest part of this.
    if (!isDirect && this.#currentEndsAtMs !== Number.POSITIVE_INFINITY) this.#holdToEnd();
    return signer;
  }

  #noKey(): EctError {
    const { whyMissing } = this.#roots;
    return whyMissing === undefined ? noKeyInForce() : new EctError(reject('SIGNER_UNAVAILABLE', whyMissing));
  }

  /** Not a millisecond longer than its certificate allows. */
  #holdToEnd(): void {
    if (this.#currentEndsAtMs <= this.#ports.clock.nowMs()) throw noKeyInForce();
  }

  /** Whether a token in the name of `iss` verifies under keys of ours. */
  speakFor(iss: string): boolean {
    return this.#policy.speaksFor(iss);
  }

  /** Whether signing is likely to succeed now. */
  isReady(): boolean {
    if (this.#current === undefined || this.#currentEndsAtMs <= this.#ports.clock.nowMs()) return false;
    return this.#current !== this.#root || this.#roots.inForce?.isReady() === true;
  }

  /** The key that signs now; empty where none does. */
  get signingKid(): string {
    return this.#current?.jwk.kid ?? '';
  }

  /** The JWK Set document, byte for byte. */
  get keySet(): string {
    return this.#keySet;
  }

  /**
   * Seconds for which anybody may keep the key set from now on; 0 where the ledger could not be read for too long, and before there
   * is a key: the first one signs at once, so nobody may keep a set without it.
   */
  get keySetMaxAgeSeconds(): number {
    if (this.#history.roots().length === 0) return 0;
    return Math.floor(keepableFor(this.#policy, this.#readAtMs, this.#ports.clock.steadyMs()) / 1000);
  }

  /** The keys of the key set. */
  get published(): readonly KeyRecord[] {
    return this.#published;
  }

  /** Every key that can still matter, in the order in which they were announced. */
  get all(): readonly KeyRecord[] {
    return this.#history.all();
  }

  /** Keys from the ledger entry `startIndex` on, in the order in which they were announced; `past`: those that ended long ago too. */
  async list({ startIndex, limit, past }: KeyQuery): Promise<KeyPage> {
    if (past) return this.#log.announcedSince(startIndex, limit);
    const keys = this.all.filter(({ announcedIndex }) => announcedIndex >= startIndex);
    return { keys: keys.slice(0, limit), next: keys[limit]?.announcedIndex };
  }

  /** A key of ours that is in the ring no more, for evidence. Undefined for a `kid` that is none, which costs a look or a few. */
  async findPastKey(kid: string): Promise<TrustedKey | undefined> {
    const key = KID.test(kid) ? await this.#log.findPastKey(kid) : undefined;
    return key && asTrustedKey(key, this.#policy.speaksFor, this.#policy.retention, this.#ports.clock.nowMs());
  }

  rotate(order: RotationInput): Promise<KeyChange> {
    return this.#inTurn(() => this.#roots.rotate(order));
  }

  /** The number of the root key that an order would come to now: the one that is announced, or the next. */
  planRotation(order: Pick<RotationInput, 'nextKey'>): Promise<number> {
    return this.#inTurn(() => this.#roots.planFor(order));
  }

  /** Announces a key that the operator provides while the service runs, unless it is known. */
  async adopt(key: RootKey): Promise<void> {
    await this.#inTurn(() => this.#roots.adopt(key));
  }

  /** Ends a key without an accusation. Its tokens hold until they expire. */
  retire({ kid, by, note }: Order): Promise<KeyChange> {
    return this.#inTurn(async () => {
      const key = await this.#find(kid);
      if (key.state === 'retired') return { key, changed: false };
      if (key.state !== 'active') throw stateInvalid(key, 'only an active key can retire');
      const isNewest = key.generation !== undefined && key === this.#newestRoot();
      if (isNewest) throw stateInvalid(key, 'nothing else signs, so rotate, and it retires by itself');
      return this.#change({ state: 'retired', jwk: key.jwk, locator: key.locator ?? '', by, note });
    });
  }

  /** Declares a key compromised, since a time (milliseconds) or as of now. None of its tokens is accepted any more. */
  revoke(order: Order, sinceMs?: number): Promise<KeyChange> {
    return this.#inTurn(async () => this.#revoke(await this.#find(order.kid), order, sinceMs));
  }

  /** The same, where the key is one of ours. Answers whether this call changed it. */
  revokeOwn(order: Order, sinceMs: number): Promise<boolean> {
    return this.#inTurn(async () => {
      const key = KID.test(order.kid) ? await this.#log.findPastKey(order.kid) : undefined;
      return key !== undefined && (await this.#revoke(key, order, sinceMs)).changed;
    });
  }

  async #revoke(key: KeyRecord, { by, note }: Order, sinceMs: number | undefined): Promise<KeyChange> {
    if (key.state === 'revoked') return { key, changed: false };
    const since = sinceMs === undefined ? {} : { compromised_since: sinceMs };
    return this.#change({ state: 'revoked', jwk: key.jwk, locator: key.locator ?? '', by, note, ...since });
  }

  /** A key of ours as the ledger has it now. KEY_NOT_FOUND where there never was one of this `kid`. */
  find(kid: string): Promise<KeyRecord> {
    return this.#inTurn(() => this.#find(kid));
  }

  /** Looks at the ledger now and does what is due. What fails is an event and is tried again. */
  refresh(): Promise<void> {
    return this.#inTurn(() => undefined).catch((cause: unknown) => this.#failures.failed(cause));
  }

  /** Ends what it does by itself. The delegated key of this process retires, since nobody else has it. */
  async close(): Promise<void> {
    this.#isOpen = false;
    clearTimeout(this.#timer);
    await this.#turn.catch(() => undefined);
    await this.#delegation?.end().catch((cause: unknown) => this.#ports.events.keysFailed(cause));
    this.#roots.close();
  }

  async #start(configured: RootKey | AwaitedRoot): Promise<void> {
    const { clock } = this.#ports;
    const beganMs = clock.steadyMs();
    const fault = await this.#log.begin(retentionMs(this.#policy.retention), clock.earliestMs());
    if (fault !== undefined) this.#ports.events.keysFailed(new Error(`Every entry about keys was read: ${fault}.`));
    this.#readAtMs = beganMs;
    this.#hasRead = true;
    const isFirst = await this.#begin(configured);
    const { delegatedLifeMs } = this.#policy;
    if (delegatedLifeMs !== undefined) {
      const policy = { ...this.#policy, delegatedLifeMs };
      this.#delegation = new Delegation(this.#ports, policy, this.#log, this.#history, isFirst);
    }
    this.#isOpen = true;
    await this.#tend();
    this.#applyStates();
    this.#schedule();
  }

  async #begin(configured: RootKey | AwaitedRoot): Promise<boolean> {
    if (!('attempt' in configured)) return this.#roots.adopt(configured);
    this.#roots.await(configured);
    return false;
  }

  #schedule(): void {
    const look = () =>
      void this.refresh().then(() => {
        if (this.#isOpen) this.#schedule();
      });
    this.#timer = setTimeout(look, this.#policy.refreshMs);
    this.#timer.unref();
  }

  /** One change at a time. Whatever comes of it, what is known by then takes effect. */
  #inTurn<T>(change: () => T | Promise<T>): Promise<T> {
    const turn = this.#turn.then(async () => {
      try {
        await this.#look();
        return await change();
      } finally {
        this.#applyStates();
        // What was ordered stands, whatever becomes of what is due besides.
        await this.#tend().catch((cause: unknown) => this.#failures.failed(cause));
        this.#applyStates();
        this.#failures.roundEnded();
      }
    });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #look(): Promise<void> {
    const beganMs = this.#ports.clock.steadyMs();
    try {
      await this.#log.refresh();
    } catch (cause) {
      this.#failures.failed(cause);
      throw cause;
    }
    this.#readAtMs = beganMs;
  }

  async #tend(): Promise<void> {
    // What is due is recorded, and that has to wait for a clock that is trusted.
    if (!this.#ports.clock.isTrusted) return;
    await this.#roots.tend();
    await this.#delegation?.tend(this.#roots.inForce);
    if (this.#ports.tidiesForAll?.() === true) await this.#retireEnded();
  }

  /** Delegated keys whose certificates have ended: the process that had one is gone, or would have said so itself. */
  async #retireEnded(): Promise<void> {
    const endedBeforeMs = this.#ports.clock.earliestMs() - this.#policy.retention.skewSeconds * 1000;
    for (const { state, certificate, jwk, locator = '' } of this.#history.all()) {
      if (certificate === undefined || (state !== 'announced' && state !== 'active')) continue;
      if (certificate.says.exp * 1000 > endedBeforeMs) continue;
      await this.#log.record({ state: 'retired', jwk, locator, by: 'service', note: 'its certificate has ended' });
    }
  }

  /** Puts into effect what the ledger says. */
  #applyStates(): void {
    const { clock } = this.#ports;
    const nowMs = clock.nowMs();
    const earliestMs = clock.earliestMs();
    const root = this.#roots.inForce;
    this.#root = root;
    const delegated = this.#delegation?.inForce;
    this.#current =
      delegated?.signer ?? (this.#delegation === undefined || this.#delegation.isComing ? root : undefined);
    this.#currentEndsAtMs = delegated?.endsAtMs ?? Number.POSITIVE_INFINITY;
    // Not opened since the start, or opened and now out of use.
    const isMissing =
      root === undefined ? this.#roots.whyMissing !== undefined : this.#current === root && !root.isReady();
    if (isMissing !== this.#isMissing) this.#ports.events.signingKeyMissing(isMissing);
    this.#isMissing = isMissing;
    const wentBack = nowMs < this.#settledAtMs;
    this.#settledAtMs = nowMs;
    if (!this.#hasNews && !wentBack && earliestMs < this.#forgetAtMs) return;
    this.#hasNews = false;
    // A key that was learned of when the clock was ahead was not in force before that time; it is now.
    if (wentBack) this.#trusted = new WeakMap();
    const { retention, speaksFor } = this.#policy;
    this.#history.letGo((key) => forgottenAt(key, retention) <= earliestMs);
    const held = this.#history.all();
    this.#published = publishedKeys(held, retention, earliestMs);
    this.#forgetAtMs = held
      .map((key) => forgottenAt(key, retention))
      .reduce((least, atMs) => (atMs > earliestMs ? Math.min(least, atMs) : least), Number.POSITIVE_INFINITY);
    this.#keySet = writeKeySet(this.#published.map(asPublishedJwk));
    this.#ports.onTrust(
      held.map((key) => {
        const known = this.#trusted.get(key) ?? asTrustedKey(key, speaksFor, retention, nowMs);
        this.#trusted.set(key, known);
        return known;
      }),
    );
  }

  #noteEntry({ index, kid, state, iss: by }: KeyEntry, fault: string | undefined): void {
    this.#hasNews = true;
    const { events } = this.#ports;
    if (fault !== undefined) events.keysFailed(new Error(`Entry ${index} does not count: ${fault}.`));
    else if (this.#hasRead) events.keyChanged({ kid, state, by });
  }

  async #change(statement: Parameters<KeyLog['record']>[0]): Promise<KeyChange> {
    const changed = await this.#log.record(statement);
    return { key: await this.#find(statement.jwk.kid), changed };
  }

  async #find(kid: string): Promise<KeyRecord> {
    const key = await this.#log.findPastKey(kid);
    if (key === undefined) throw new EctError(reject('KEY_NOT_FOUND', 'No key of this service has this kid.', { kid }));
    return key;
  }

  #newestRoot(): KeyRecord | undefined {
    return this.#history.roots().findLast(({ state }) => state === 'active');
  }
}

/** A `kid` of ours: a thumbprint. */
const KID = /^[A-Za-z0-9_-]{43}$/;

/** Which keys to list. */
export interface KeyQuery {
  /** 0, or what the page before answered. */
  readonly startIndex: number;
  readonly limit: number;
  readonly past: boolean;
}

function noKeyInForce(): EctError {
  return new EctError(
    reject(
      'SIGNER_UNAVAILABLE',
      'No signing key is in force now: an administrator can put the next one to use (`ect keys rotate --urgent`).',
    ),
  );
}
