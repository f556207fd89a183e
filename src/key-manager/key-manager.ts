// The key manager: which key signs, which keys are trusted, and every change of their states. The ledger decides: a change is recorded
// first, and takes effect when it is read back, in this process as in all others.

import { EctError, reject } from '../errors.ts';
import type { Signer, SignerChoice, TrustedKey } from '../keys/index.ts';
import { Delegation, retireEnded } from './delegation.ts';
import { type KeyChange, type KeyChangeInput, KeyChanges } from './key-changes.ts';
import type { KeyEntry } from './key-entry.ts';
import { KeyHistory } from './key-history.ts';
import { KeyLog, type KeyPage, type KeyQuery } from './key-log.ts';
import { KeyPublisher } from './key-publisher.ts';
import type { KeyRecord } from './key-states.ts';
import { type AwaitedRoot, type KeyManagerPolicy, type KeyManagerPorts, keepableFor, type RootKey } from './ports.ts';
import { asTrustedKey, retentionMs } from './published.ts';
import { ReportedFailures } from './reported-failures.ts';
import { RootKeys } from './root-keys.ts';
import type { RotationInput } from './root-rotation.ts';

export class KeyManager implements SignerChoice {
  readonly #ports: KeyManagerPorts;
  readonly #policy: KeyManagerPolicy;
  readonly #history: KeyHistory;
  readonly #log: KeyLog;
  readonly #roots: RootKeys;
  readonly #changes: KeyChanges;
  readonly #publisher: KeyPublisher;
  readonly #failures: ReportedFailures;
  readonly #direct: { readonly issuers: ReadonlySet<string>; readonly actions: ReadonlySet<string> };
  #delegation: Delegation | undefined;
  #root: Signer | undefined;
  #current: Signer | undefined;
  #currentEndsAtMs = Number.POSITIVE_INFINITY;
  /** When the last read of the ledger started, in monotonic time. */
  #readAtMs = 0;
  #isMissing = false;
  #isOpen = false;
  /** Changes from before the start are not reported. */
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
    this.#changes = new KeyChanges(this.#log, this.#history);
    this.#publisher = new KeyPublisher(this.#history, policy, (keys) => ports.onTrust(keys));
    this.#failures = new ReportedFailures({
      onFailed: (cause, isNews) => ports.events.keysFailed(cause, isNews),
      onRecovered: () => ports.events.keysRecovered(),
    });
    this.#direct = { issuers: new Set(policy.direct.issuers), actions: new Set(policy.direct.actions) };
  }

  /**
   * Reads the keys from the ledger, adds the configured key if it is missing, and starts to follow the ledger. An error fails the start;
   * a key that is awaited is added later.
   */
  static async open(
    ports: KeyManagerPorts,
    policy: KeyManagerPolicy,
    configured: RootKey | AwaitedRoot,
  ): Promise<KeyManager> {
    const keyManager = new KeyManager(ports, policy);
    await keyManager.#start(configured).catch((error: unknown) => {
      // The start may be repeated: nothing of this attempt may go on, such as a key that is being opened.
      keyManager.#isOpen = false;
      keyManager.#roots.close();
      throw error;
    });
    return keyManager;
  }

  /** The hot path of every token: no promise, no allocation. */
  for(iss: string, execAct: string): Signer {
    const { issuers, actions } = this.#direct;
    const isDirect = actions.has(execAct) || issuers.has(iss);
    const signer = isDirect ? this.#root : this.#current;
    if (signer === undefined) throw this.#noKey();
    // Reading the clock is the most expensive part of this.
    if (!isDirect && this.#currentEndsAtMs !== Number.POSITIVE_INFINITY) this.#holdToEnd();
    return signer;
  }

  #noKey(): EctError {
    return signerUnavailable(this.#roots.whyMissing);
  }

  /** Limits the lifetime to that of the certificate. */
  #holdToEnd(): void {
    if (this.#currentEndsAtMs <= this.#ports.clock.nowMs()) throw signerUnavailable();
  }

  /** Whether keys of this service may verify a token with this `iss`. */
  speakFor(iss: string): boolean {
    return this.#policy.speaksFor(iss);
  }

  /** Whether signing is likely to succeed now. */
  isReady(): boolean {
    if (this.#current === undefined || this.#currentEndsAtMs <= this.#ports.clock.nowMs()) return false;
    return this.#current !== this.#root || this.#roots.inForce?.isReady() === true;
  }

  /** The `kid` of the key that signs now; empty if none does. */
  get signingKid(): string {
    return this.#current?.jwk.kid ?? '';
  }

  /** The JWK Set document, byte for byte. */
  get keySet(): string {
    return this.#publisher.keySet;
  }

  /**
   * Seconds for which the key set may be cached from now on. 0 if the ledger could not be read for too long, and before there is a
   * key: the first one signs immediately, so no verifier may cache a set without it.
   */
  get keySetMaxAgeSeconds(): number {
    if (this.#history.roots().length === 0) return 0;
    return Math.floor(keepableFor(this.#policy, this.#readAtMs, this.#ports.clock.steadyMs()) / 1000);
  }

  /** The keys of the key set. */
  get published(): readonly KeyRecord[] {
    return this.#publisher.published;
  }

  /** Every key that can still matter, in the order of the announcements. */
  get all(): readonly KeyRecord[] {
    return this.#history.all();
  }

  /** Keys from the ledger entry `startIndex` on, in the order of the announcements; `past`: including those that ended long ago. */
  async list({ startIndex, limit, past }: KeyQuery): Promise<KeyPage> {
    if (past) return this.#log.announcedSince(startIndex, limit);
    const keys = this.all.filter(({ announcedIndex }) => announcedIndex >= startIndex);
    return { keys: keys.slice(0, limit), next: keys[limit]?.announcedIndex };
  }

  /** A key of this service that is no longer in the key ring. Undefined for a `kid` of another party, which costs a few lookups. */
  async findPastKey(kid: string): Promise<TrustedKey | undefined> {
    const key = await this.#changes.findOwn(kid);
    return key && asTrustedKey(key, this.#policy.speaksFor, this.#policy.retention, this.#ports.clock.nowMs());
  }

  rotate(input: RotationInput): Promise<KeyChange> {
    return this.#inTurn(() => this.#roots.rotation.rotate(input));
  }

  /** The number of the root key that a rotation would activate now: of the announced one, or of the next. Rejects what would be rejected. */
  planRotation(input: RotationInput): Promise<number> {
    return this.#inTurn(() => this.#roots.rotation.planFor(input));
  }

  /** Announces a key that the operator provides while the service runs, unless it is known. */
  async adopt(key: RootKey): Promise<void> {
    await this.#inTurn(() => this.#roots.adopt(key));
  }

  /** Retires a key that is not compromised. Its tokens stay valid until they expire. */
  retire(input: KeyChangeInput): Promise<KeyChange> {
    return this.#inTurn(() => this.#changes.retire(input));
  }

  /** Revokes a key as compromised, since a time (milliseconds) or as of now. None of its tokens is accepted any more. */
  revoke(input: KeyChangeInput, sinceMs?: number): Promise<KeyChange> {
    return this.#inTurn(() => this.#changes.revoke(input, sinceMs));
  }

  /** The same for a key of this service. Returns whether this call changed it. */
  revokeOwn(input: KeyChangeInput, sinceMs: number): Promise<boolean> {
    return this.#inTurn(() => this.#changes.revokeOwn(input, sinceMs));
  }

  /** The current state of a key of this service. KEY_NOT_FOUND if no key ever had this `kid`. */
  find(kid: string): Promise<KeyRecord> {
    return this.#inTurn(() => this.#changes.find(kid));
  }

  /** Reads the ledger now and performs the steps that are due. Failures are reported as events and tried again. */
  refresh(): Promise<void> {
    return this.#inTurn(() => undefined).catch((cause: unknown) => this.#failures.failed(cause));
  }

  /** Stops the periodic work. The delegated key of this process retires, because no other process has it. */
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
    const isFirst = await this.#roots.begin(configured);
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

  #schedule(): void {
    const look = () =>
      void this.refresh().then(() => {
        if (this.#isOpen) this.#schedule();
      });
    this.#timer = setTimeout(look, this.#policy.refreshMs);
    this.#timer.unref();
  }

  /** One change at a time. Even if it fails, the changes that were read take effect. */
  #inTurn<T>(change: () => T | Promise<T>): Promise<T> {
    const turn = this.#turn.then(async () => {
      try {
        await this.#look();
        return await change();
      } finally {
        this.#applyStates();
        // The change is recorded, even if other due steps fail.
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
    // Due steps append entries, which must wait for a trusted clock.
    if (!this.#ports.clock.isTrusted) return;
    await this.#roots.tend();
    await this.#delegation?.tend(this.#roots.inForce);
    if (this.#ports.tidiesForAll?.() !== true) return;
    await retireEnded(
      this.#log,
      this.#history,
      this.#ports.clock.earliestMs() - this.#policy.retention.skewSeconds * 1000,
    );
  }

  /** Applies the states of the ledger. */
  #applyStates(): void {
    const root = this.#roots.inForce;
    this.#root = root;
    const delegated = this.#delegation?.inForce;
    this.#current =
      delegated?.signer ?? (this.#delegation === undefined || this.#delegation.isComing ? root : undefined);
    this.#currentEndsAtMs = delegated?.endsAtMs ?? Number.POSITIVE_INFINITY;
    // Never opened, or opened and now unused.
    const isMissing =
      root === undefined ? this.#roots.whyMissing !== undefined : this.#current === root && !root.isReady();
    if (isMissing !== this.#isMissing) this.#ports.events.signingKeyMissing(isMissing);
    this.#isMissing = isMissing;
    this.#publisher.update(this.#ports.clock.nowMs(), this.#ports.clock.earliestMs());
  }

  #noteEntry({ index, kid, state, iss: by }: KeyEntry, fault: string | undefined): void {
    this.#publisher.noteEntry();
    const { events } = this.#ports;
    if (fault !== undefined) events.keysFailed(new Error(`Entry ${index} does not count: ${fault}.`));
    else if (this.#hasRead) events.keyChanged({ kid, state, by });
  }
}

const NO_KEY =
  'No signing key is in force now: an administrator can put the next one to use (`ect keys rotate --urgent`).';

function signerUnavailable(why = NO_KEY): EctError {
  return new EctError(reject('SIGNER_UNAVAILABLE', why));
}
