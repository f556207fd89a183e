// The first tier: root keys, one after another. Each is announced, becomes active when it is due, and retires when the next one is
// active. Any process may take any of these steps; the unique names of the entries decide which one did.

import type { OpenSigner } from '../keys/index.ts';
import { Elapsed } from './elapsed.ts';
import type { KeyHistory } from './key-history.ts';
import type { KeyLog } from './key-log.ts';
import { type KeyRecord, leadMsOf } from './key-states.ts';
import { OpenRoots } from './open-roots.ts';
import { type AwaitedRoot, type KeyManagerPolicy, type KeyManagerPorts, leadOf, type RootKey } from './ports.ts';
import { MAX_ATTEMPTS, notAccepted, RootRotation } from './root-rotation.ts';

export class RootKeys {
  readonly #ports: KeyManagerPorts;
  readonly #policy: KeyManagerPolicy;
  readonly #log: KeyLog;
  readonly #history: KeyHistory;
  readonly #open: OpenRoots;
  /** What makes the next root key sign. */
  readonly rotation: RootRotation;
  readonly #elapsed: Elapsed;

  /** `onLate`: called for a key that was opened between two turns. */
  constructor(ports: KeyManagerPorts, policy: KeyManagerPolicy, log: KeyLog, history: KeyHistory, onLate: () => void) {
    this.#ports = ports;
    this.#policy = policy;
    this.#log = log;
    this.#history = history;
    this.#elapsed = new Elapsed(() => ports.clock.steadyMs());
    this.#open = new OpenRoots(ports, onLate);
    this.rotation = new RootRotation(ports, policy, log, history, this.#open);
  }

  /**
   * The newest active root key, if this process can sign with it. While it is being opened here the previous one still signs, at most for
   * the clock skew: verifiers accept both.
   */
  get inForce(): OpenSigner | undefined {
    const newest = this.#history.activeRoot();
    if (newest === undefined) return undefined;
    const signer = this.#open.get(newest.kid);
    if (signer !== undefined) return signer;
    const before = this.#history.roots().findLast((key) => this.#open.has(key.kid) && this.#hasJustRetired(key));
    return before && this.#open.get(before.kid);
  }

  /** The rejection for callers if no key signs because the signing key could not be opened; undefined otherwise. */
  get whyMissing(): string | undefined {
    return this.#open.whyMissing(this.#history.activeRoot());
  }

  /** Starts with the configured key. Returns whether it is the first key of the ledger. */
  async begin(configured: RootKey | AwaitedRoot): Promise<boolean> {
    if (!('attempt' in configured)) return this.adopt(configured);
    this.#await(configured);
    return false;
  }

  /**
   * Continues without the configured key, which is opened and adopted later. Throws `startError` if the ledger has never had a root key
   * with its locator.
   */
  #await(awaited: AwaitedRoot): void {
    const isKnown = this.#history.roots().some(({ locator }) => locator === awaited.locator);
    if (awaited.startError !== undefined && !isKnown) throw awaited.startError;
    this.#open.await(awaited);
  }

  /**
   * Adds the configured key to the ledger if it is missing. The first key of all may sign at once; a later one is the next in the
   * rotation. Returns whether it is the first.
   */
  async adopt({ signer, locator }: RootKey): Promise<boolean> {
    this.#open.add(signer);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (this.#history.get(signer.jwk.kid) !== undefined) return false;
      const isFirst = this.#history.roots().length === 0;
      const input = { urgent: isFirst, by: 'service', note: 'configured' };
      if (await this.rotation.announce({ signer, locator }, input)) {
        if (isFirst) await this.rotation.useNow(signer.jwk, locator, { by: 'service', note: '' });
        return isFirst;
      }
    }
    throw notAccepted();
  }

  /** Performs the steps that are due. */
  async tend(): Promise<void> {
    const awaited = await this.#open.takeAwaited();
    if (awaited !== undefined) {
      await this.adopt(awaited);
      this.#open.awaitedIsAdopted();
    }
    for (const key of this.#history.roots().filter(({ state }) => state === 'announced')) {
      if (this.#history.isPassedOver(key)) {
        await this.#record('retired', key);
        continue;
      }
      // Opened early, so that it is available when any process makes it active. A process that cannot sign with it leaves
      // that step to others.
      const isOpen = await this.#open.tryOpen(key);
      const waitedMs = this.#elapsed.since(`announced ${key.kid}`, key.announcedAtMs, this.#ports.clock.earliestMs());
      if (isOpen && waitedMs >= leadMsOf(key)) await this.#record('active', key, { waited_ms: Math.floor(waitedMs) });
    }
    const active = this.#history.roots().filter(({ state }) => state === 'active');
    for (const old of active.slice(0, -1)) await this.#record('retired', old);
    const newest = this.#history.activeRoot();
    if (newest !== undefined) await this.#open.tryOpen(newest);
    this.#closeWhatEnded();
    if (this.#isTimeToRotate(newest)) {
      await this.rotation.rotate({ nextKey: '', urgent: false, by: 'service', note: 'scheduled' });
    }
  }

  close(): void {
    this.#open.closeAll();
  }

  #record(state: 'active' | 'retired', { jwk, locator = '' }: KeyRecord, extra: object = {}): Promise<boolean> {
    return this.#log.record({ state, jwk, locator, note: '', by: 'service', ...extra });
  }

  #isTimeToRotate(newest: KeyRecord | undefined): boolean {
    const { rotateAfterMs } = this.#policy;
    if (rotateAfterMs === undefined || newest?.activeAtMs === undefined) return false;
    if (this.#history.nextRoot() !== undefined) return false;
    const activeMs = this.#elapsed.since(`active ${newest.kid}`, newest.activeAtMs, this.#ports.clock.nowMs());
    return activeMs >= rotateAfterMs - leadOf(this.#policy);
  }

  #closeWhatEnded(): void {
    for (const kid of this.#open.kids()) {
      const key = this.#history.get(kid);
      const hasRetired = key?.state === 'retired' && !this.#hasJustRetired(key);
      if (hasRetired || key?.state === 'revoked') this.#open.close(kid);
    }
  }

  #hasJustRetired({ state, retiredAtMs = 0 }: KeyRecord): boolean {
    const { skewSeconds } = this.#policy.retention;
    if (state !== 'retired') return false;
    // Not if the date is far ahead: then the clock of the process that recorded it was wrong.
    return Math.abs(this.#ports.clock.nowMs() - retiredAtMs) < skewSeconds * 1000;
  }
}
