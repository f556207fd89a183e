// The first tier: root keys, one after the other. Each is announced, becomes active when it is due, and retires when the
// next one is active. Any process may take any of these steps; the names of the entries decide who did.

import { EctError, reject } from '../errors.ts';
import type { OpenSigner, PublicJwk } from '../keys/index.ts';
import { Elapsed } from './elapsed.ts';
import type { KeyHistory } from './key-history.ts';
import type { KeyLog } from './key-log.ts';
import { inOurWords, KeyOpener } from './key-opener.ts';
import { type KeyRecord, leadMsOf } from './key-states.ts';
import { type AwaitedRoot, type KeyManagerPolicy, type KeyManagerPorts, leadOf, type RootKey } from './ports.ts';

/** What an administrator, or the schedule, wants. */
export interface RotationInput {
  /** Empty: the service makes the next key. */
  readonly nextKey: string;
  /** Use it at once, also one that is announced already, though whoever keeps the key set may not know it yet. */
  readonly urgent: boolean;
  readonly by: string;
  readonly note: string;
  /** The root key that signs, as far as the order knows: otherwise nothing is done. Empty or absent: whichever it is. */
  readonly expectedCurrentKid?: string;
  /** Of an order that may have been carried out before: the number that it was to come to. */
  readonly fromGeneration?: number;
}

/** The next key, and whether the order changed something. */
export interface Rotation {
  readonly key: KeyRecord;
  readonly changed: boolean;
}

/** By which the key of the configuration is opened; other keys by their `kid`. */
const CONFIGURED = 'configured';
/** Other processes may announce a key of theirs under the number that was free a moment ago. */
const MAX_ATTEMPTS = 5;

export class RootKeys {
  readonly #ports: KeyManagerPorts;
  readonly #policy: KeyManagerPolicy;
  readonly #log: KeyLog;
  readonly #history: KeyHistory;
  /** By `kid`: what this process has opened. */
  readonly #open = new Map<string, OpenSigner>();
  readonly #openings: KeyOpener;
  /** The key of the configuration, until it was opened and is in the ledger. */
  #awaited: AwaitedRoot | undefined;
  readonly #elapsed: Elapsed;

  /** `onLate`: told of a key that was opened between two turns. */
  constructor(ports: KeyManagerPorts, policy: KeyManagerPolicy, log: KeyLog, history: KeyHistory, onLate: () => void) {
    this.#ports = ports;
    this.#policy = policy;
    this.#log = log;
    this.#history = history;
    this.#elapsed = new Elapsed(() => ports.clock.steadyMs());
    this.#openings = new KeyOpener({
      steadyMs: () => ports.clock.steadyMs(),
      onFailed: (cause) => ports.events.keysFailed(cause),
      onLate,
    });
  }

  /**
   * The newest active root key, where this process can sign with it. While it is being opened here the one before it signs
   * on, for no longer than clocks may differ: to a verifier the two are the same.
   */
  get inForce(): OpenSigner | undefined {
    const newest = this.#newestActive();
    if (newest === undefined) return undefined;
    const signer = this.#open.get(newest.kid);
    if (signer !== undefined) return signer;
    const before = this.#history.roots().findLast((key) => this.#open.has(key.kid) && this.#hasJustRetired(key));
    return before && this.#open.get(before.kid);
  }

  /** Why nothing signs, for callers, where that is because the key that should could not be opened; undefined otherwise. */
  get whyMissing(): string | undefined {
    const newest = this.#newestActive();
    if (newest === undefined ? this.#awaited === undefined : this.#open.has(newest.kid)) return undefined;
    const isAwaited = newest === undefined || newest.locator === this.#awaited?.locator;
    const cause = this.#openings.failureOf(isAwaited ? CONFIGURED : newest.kid);
    return cause instanceof EctError ? cause.message : 'The signing key could not be opened yet.';
  }

  /**
   * Goes on without the key of the configuration: it is opened and adopted later. Throws the doubt about it where the ledger has
   * never had a root key of its locator.
   */
  await(awaited: AwaitedRoot): void {
    const isKnown = this.#history.roots().some(({ locator }) => locator === awaited.locator);
    if (awaited.doubt !== undefined && !isKnown) throw awaited.doubt;
    this.#awaited = awaited;
    this.#openings.follow(CONFIGURED, () => awaited.attempt);
  }

  /**
   * Sees to it that the key of the configuration is in the ledger. The first key of all may sign at once; a later one is
   * the next in turn. Answers whether it is the first.
   */
  async adopt({ signer, locator }: RootKey): Promise<boolean> {
    this.#open.set(signer.jwk.kid, signer);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (this.#history.get(signer.jwk.kid) !== undefined) return false;
      const isFirst = this.#history.roots().length === 0;
      const order = { urgent: isFirst, by: 'service', note: 'configured' };
      if (await this.#announce({ signer, locator }, order)) {
        if (isFirst) await this.#useNow(signer.jwk, locator, { by: 'service', note: '' });
        return isFirst;
      }
    }
    throw notAccepted();
  }

  /** Does what is due. */
  async tend(): Promise<void> {
    await this.#adoptAwaited();
    for (const key of this.#history.roots().filter(({ state }) => state === 'announced')) {
      if (this.#isPassedOver(key)) {
        await this.#record('retired', key);
        continue;
      }
      // Before its time, so that it is at hand when any process makes it active. Whoever cannot sign with it leaves that
      // step to others.
      const isOpen = await this.#tryOpen(key);
      const waitedMs = this.#elapsed.since(`announced ${key.kid}`, key.announcedAtMs, this.#ports.clock.earliestMs());
      if (isOpen && waitedMs >= leadMsOf(key)) await this.#record('active', key, { waited_ms: Math.floor(waitedMs) });
    }
    const active = this.#history.roots().filter(({ state }) => state === 'active');
    for (const old of active.slice(0, -1)) await this.#record('retired', old);
    const newest = this.#newestActive();
    if (newest !== undefined) await this.#tryOpen(newest);
    this.#closeWhatEnded();
    if (this.#isTimeToRotate(newest)) {
      await this.rotate({ nextKey: '', urgent: false, by: 'service', note: 'scheduled' });
    }
  }

  /**
   * Announces the next root key, or answers the one that is announced already. An urgent order puts that one to use, or
   * another where this process cannot sign with it: when this answers, a key signs.
   */
  async rotate(order: RotationInput): Promise<Rotation> {
    const locator = order.nextKey === '' ? undefined : this.#locatorOf(order.nextKey);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      // Asked each time: another process may be at the same order.
      const done = this.#doneBy(order, locator);
      if (done !== undefined) return { key: done, changed: false };
      if (attempt === 0) this.#demandCurrent(order);
      const pending = this.#pending;
      const isMeant = pending !== undefined && (locator === undefined || locator === pending.locator);
      if (!order.urgent) {
        if (isMeant) return { key: pending, changed: false };
        if (pending !== undefined)
          throw stateInvalid(pending, 'it is the next one: wait until it is active, or revoke it');
        return this.#announceNext(locator, order);
      }
      const next =
        isMeant && (await this.#isAtHand(pending, locator)) ? pending : await this.#announced(locator, order);
      const rotation = next && (await this.#putToUse(next, order));
      if (rotation !== undefined) return rotation;
    }
    throw notAccepted();
  }

  /** The number of the root key that an order would come to: of the announced one where that is meant, or the next. */
  planFor({ nextKey }: Pick<RotationInput, 'nextKey'>): number {
    const locator = nextKey === '' ? undefined : this.#locatorOf(nextKey);
    const pending = this.#pending;
    const isMeant = pending !== undefined && (locator === undefined || locator === pending.locator);
    return (isMeant ? pending.generation : undefined) ?? this.#history.roots().length;
  }

  /** The key that an order came to when it was carried out before. */
  #doneBy({ fromGeneration, urgent }: RotationInput, locator: string | undefined): KeyRecord | undefined {
    if (fromGeneration === undefined) return undefined;
    const since = this.#history.roots().slice(fromGeneration);
    return since.find(
      (key) => (locator === undefined || key.locator === locator) && (!urgent || key.activeAtMs !== undefined),
    );
  }

  #demandCurrent({ expectedCurrentKid: expected = '' }: RotationInput): void {
    const kid = this.#newestActive()?.kid ?? '';
    if (expected === '' || expected === kid) return;
    const message = kid === '' ? 'No root key signs now.' : 'Another root key signs than the order expects.';
    throw new EctError(reject('KEY_NOT_CURRENT', `${message} Nothing was done.`, { current_kid: kid }));
  }

  /** A key that this call announced; undefined where another process was quicker, so that its key is the next one. */
  async #announced(locator: string | undefined, order: RotationInput): Promise<KeyRecord | undefined> {
    const { key, changed } = await this.#announceNext(locator, order);
    return changed ? key : undefined;
  }

  async #announceNext(locator: string | undefined, order: RotationInput): Promise<Rotation> {
    const next =
      locator === undefined
        ? await this.#make()
        : { locator, signer: await inOurWords(() => this.#ports.openRoot(locator)) };
    const { kid } = next.signer.jwk;
    const known = this.#history.get(kid);
    if (known !== undefined) throw stateInvalid(known, 'it was announced before');
    this.#open.set(kid, next.signer);
    const changed = await this.#announce(next, order);
    // Where another process was quicker its key is the next one, and ours was never announced.
    const key = this.#history.get(kid) ?? this.#history.roots().at(-1);
    if (key === undefined) throw notAccepted();
    if (key.kid !== kid) this.#forget(kid);
    return { key, changed };
  }

  /** Whether this process can sign with the announced key. False: another can be made in its place. */
  async #isAtHand(key: KeyRecord, named: string | undefined): Promise<boolean> {
    if (await this.#tryOpen(key, true)) return true;
    if (named === undefined && this.#ports.makeRoot !== undefined) return false;
    const message =
      'The announced key cannot be opened here (event keys-failed): correct that, or name another key (`existing`).';
    throw new EctError(reject('SIGNER_MISCONFIGURED', message));
  }

  /** Undefined where the key was revoked meanwhile. */
  async #putToUse({ kid, jwk, locator = '' }: KeyRecord, order: RotationInput): Promise<Rotation | undefined> {
    const changed = await this.#useNow(jwk, locator, order);
    const key = this.#history.get(kid);
    return key?.state === 'active' ? { key, changed } : undefined;
  }

  #useNow(jwk: PublicJwk, locator: string, { by, note }: Pick<RotationInput, 'by' | 'note'>): Promise<boolean> {
    return this.#log.record({ state: 'active', jwk, locator, note, by, urgent: true });
  }

  close(): void {
    this.#openings.close();
    for (const kid of this.#open.keys()) this.#forget(kid);
  }

  async #adoptAwaited(): Promise<void> {
    const awaited = this.#awaited;
    if (awaited === undefined) return;
    const signer = await this.#openings.take(CONFIGURED, () => awaited.open());
    if (signer === undefined) return;
    // What fails from here on is for the next turn: the key stays open.
    await this.adopt({ signer, locator: awaited.locator });
    this.#openings.forget(CONFIGURED, true);
    this.#awaited = undefined;
  }

  #announce({ signer, locator }: RootKey, order: Pick<RotationInput, 'urgent' | 'by' | 'note'>): Promise<boolean> {
    const { urgent, by, note } = order;
    return this.#log.record({
      state: 'announced',
      jwk: signer.jwk,
      locator,
      note,
      by,
      generation: this.#history.roots().length,
      lead_ms: urgent ? 0 : leadOf(this.#policy),
    });
  }

  #record(state: 'active' | 'retired', { jwk, locator = '' }: KeyRecord, extra: object = {}): Promise<boolean> {
    return this.#log.record({ state, jwk, locator, note: '', by: 'service', ...extra });
  }

  #newestActive(): KeyRecord | undefined {
    return this.#history.roots().findLast(({ state }) => state === 'active');
  }

  /** The next key: announced, and no later one is active. */
  get #pending(): KeyRecord | undefined {
    return this.#history.roots().find((key) => key.state === 'announced' && !this.#isPassedOver(key));
  }

  /** Whether a later key became active first, in an urgent rotation. */
  #isPassedOver({ generation = 0 }: KeyRecord): boolean {
    return generation < (this.#newestActive()?.generation ?? -1);
  }

  #isTimeToRotate(newest: KeyRecord | undefined): boolean {
    const { rotateAfterMs } = this.#policy;
    if (rotateAfterMs === undefined || newest?.activeAtMs === undefined) return false;
    if (this.#pending !== undefined) return false;
    const activeMs = this.#elapsed.since(`active ${newest.kid}`, newest.activeAtMs, this.#ports.clock.nowMs());
    return activeMs >= rotateAfterMs - leadOf(this.#policy);
  }

  async #make(): Promise<RootKey> {
    if (this.#ports.makeRoot !== undefined) return this.#ports.makeRoot(this.#history.roots().length);
    throw new EctError(reject('ROTATION_UNSUPPORTED', 'This service does not make its own signing keys.'));
  }

  #locatorOf(nextKey: string): string {
    const locator = this.#ports.locatorOf(nextKey);
    if (locator !== undefined) return locator;
    const rejection = reject('ROTATION_UNSUPPORTED', 'This service signs with no key that a call could name.');
    const makesKeys = this.#ports.makeRoot !== undefined;
    throw new EctError(
      makesKeys
        ? { ...rejection, remedy: 'Leave `existing` (--next) out: the service makes its next key.' }
        : rejection,
    );
  }

  /** Opens a key that the ledger has; `now`: also where the last attempt failed just now, and however long it takes. */
  async #tryOpen(key: KeyRecord, now = false): Promise<boolean> {
    const { kid, locator } = key;
    if (this.#open.has(kid)) return true;
    // Opened as the key of the configuration, which nobody asks for twice.
    if (locator !== undefined && locator === this.#awaited?.locator) return false;
    const signer = await this.#openings.take(kid, () => this.#openKnown(key), now);
    if (signer === undefined) return false;
    this.#open.set(kid, signer);
    this.#openings.forget(kid, true);
    return true;
  }

  async #openKnown({ kid, locator }: KeyRecord): Promise<OpenSigner> {
    if (locator === undefined) throw new Error('nothing says where the key is');
    const signer = await this.#ports.openRoot(locator);
    if (signer.jwk.kid === kid) return signer;
    signer.close();
    const message = `Another key is in the place of the signing key: the operator puts that one back, or ${USE_NEXT}.`;
    throw new EctError(reject('SIGNER_MISCONFIGURED', message), { cause: new Error(`another key is at ${locator}`) });
  }

  #closeWhatEnded(): void {
    for (const kid of this.#open.keys()) {
      const key = this.#history.get(kid);
      const hasRetired = key?.state === 'retired' && !this.#hasJustRetired(key);
      if (hasRetired || key?.state === 'revoked') this.#forget(kid);
    }
  }

  #hasJustRetired({ state, retiredAtMs = 0 }: KeyRecord): boolean {
    const { skewSeconds } = this.#policy.retention;
    if (state !== 'retired') return false;
    // Not by a date that lies far ahead: then the clock of whoever recorded it was wrong.
    return Math.abs(this.#ports.clock.nowMs() - retiredAtMs) < skewSeconds * 1000;
  }

  #forget(kid: string): void {
    this.#openings.forget(kid, false);
    this.#open.get(kid)?.close();
    this.#open.delete(kid);
  }
}

/** What makes another key sign. */
export const USE_NEXT = 'puts the next key to use (`ect keys rotate --urgent`)';

function notAccepted(): EctError {
  return new EctError(reject('LEDGER_CORRUPT', 'The ledger has entries about keys that contradict each other.'));
}

export function stateInvalid({ kid, state }: KeyRecord, why: string): EctError {
  return new EctError(reject('KEY_STATE_INVALID', `The key is ${state}: ${why}.`, { kid, state }));
}
