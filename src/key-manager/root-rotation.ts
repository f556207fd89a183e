// A rotation of the root key by an administrator or the schedule: the next key is created or opened, announced, and in an urgent rotation
// activated at once.

import { EctError, reject } from '../errors.ts';
import type { OpenSigner, PublicJwk } from '../keys/index.ts';
import { stateInvalid } from './key-changes.ts';
import type { KeyHistory } from './key-history.ts';
import type { KeyLog } from './key-log.ts';
import { inOurWords } from './key-opener.ts';
import type { KeyRecord } from './key-states.ts';
import type { OpenRoots } from './open-roots.ts';
import { type KeyManagerPolicy, type KeyManagerPorts, leadOf, type RootKey } from './ports.ts';

/** The request of an administrator, or of the schedule. */
export interface RotationInput {
  /** Empty: the service creates the next key. */
  readonly nextKey: string;
  /** Activates the key at once, also one that is announced already, although verifiers that cache the key set may not know it yet. */
  readonly urgent: boolean;
  readonly by: string;
  readonly note: string;
  /** The provenance of the entry (LedgerRecord), if a caller requested it. */
  readonly provenance?: Uint8Array | undefined;
  /** The root key that signs, as far as the caller knows: if another one does, nothing is done. Empty or absent: any. */
  readonly expectedCurrentKid?: string;
  /** Of a rotation that may have been done before: the number of its key. */
  readonly fromGeneration?: number;
  /** Identifies the request, if it has a request id; it is recorded with what the request does. */
  readonly request?: string;
}

type Announcement = Pick<RotationInput, 'urgent' | 'by' | 'note' | 'provenance' | 'request'>;

/** The next key, and whether this call changed something. */
export interface Rotation {
  readonly key: KeyRecord;
  readonly changed: boolean;
}

/** Another process may have announced a key under the number that was free a moment ago. */
export const MAX_ATTEMPTS = 5;

export class RootRotation {
  readonly #ports: KeyManagerPorts;
  readonly #policy: KeyManagerPolicy;
  readonly #log: KeyLog;
  readonly #history: KeyHistory;
  readonly #open: OpenRoots;

  constructor(ports: KeyManagerPorts, policy: KeyManagerPolicy, log: KeyLog, history: KeyHistory, open: OpenRoots) {
    this.#ports = ports;
    this.#policy = policy;
    this.#log = log;
    this.#history = history;
    this.#open = open;
  }

  /**
   * Announces the next root key, or returns the one that is announced already. An urgent rotation activates that one, or another if this
   * process cannot sign with it: when this returns, a key signs.
   */
  async rotate(input: RotationInput): Promise<Rotation> {
    const locator = input.nextKey === '' ? undefined : this.#locatorOf(input.nextKey);
    let announced: string | undefined;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      // Checked each time, because another process may do the same rotation, or another one.
      const done = this.#doneBy(input, locator);
      if (done !== undefined) return { key: done, changed: done.kid === announced };
      this.#demandCurrent(input);
      const pending = this.#history.nextRoot();
      const isMeant = pending !== undefined && (locator === undefined || locator === pending.locator);
      if (!input.urgent) {
        if (isMeant) return { key: pending, changed: false };
        if (pending !== undefined) throw notNext(pending);
        return this.#announceNext(locator, input);
      }
      let next = isMeant && (await this.#isAtHand(pending, locator)) ? pending : undefined;
      if (next === undefined) {
        next = await this.#announced(locator, input);
        announced = next?.kid;
      }
      const rotation = next && (await this.#putToUse(next, input));
      if (rotation === undefined) continue;
      // Another process may have activated what this call announced: it is due at once.
      const changed = rotation.changed || rotation.key.kid === announced;
      if (changed || !isExpecting(input)) return { ...rotation, changed };
    }
    throw notAccepted();
  }

  /**
   * The number of the root key that a rotation would activate: of the announced one where that is meant, or the next. Rejects what `rotate`
   * would reject of it now, and changes nothing.
   */
  async planFor(input: RotationInput): Promise<number> {
    const locator = input.nextKey === '' ? undefined : this.#locatorOf(input.nextKey);
    this.#demandCurrent(input);
    const pending = this.#history.nextRoot();
    if (pending !== undefined && (locator === undefined || locator === pending.locator)) {
      // It is activated now: a key that does not open here is reported before the request id is used.
      if (input.urgent) await this.#isAtHand(pending, locator);
      return pending.generation ?? this.#history.roots().length;
    }
    if (pending !== undefined && !input.urgent) throw notNext(pending);
    if (locator === undefined) this.#demandMaker();
    else await this.#demandUnknown(locator);
    return this.#history.roots().length;
  }

  /** Opens a key that a request names, and rejects one that was announced before. */
  async #demandUnknown(locator: string): Promise<void> {
    const signer = await inOurWords(() => this.#ports.openRoot(locator));
    const { kid } = signer.jwk;
    this.#closeUnused(signer);
    const known = this.#history.get(kid);
    if (known !== undefined) throw stateInvalid(known, 'it was announced before');
  }

  /** One that is open here already may be the same object, or another one of the same key. */
  #closeUnused(signer: OpenSigner): void {
    if (this.#open.get(signer.jwk.kid) !== signer) signer.close();
  }

  /**
   * The key of a rotation that was done before. If the request expects a current key, only what it has done itself counts; if it is not
   * urgent, also what another one has done that was not urgent either.
   */
  #doneBy(input: RotationInput, locator: string | undefined): KeyRecord | undefined {
    const { fromGeneration, urgent, request } = input;
    if (fromGeneration === undefined) return undefined;
    const isDone = (key: KeyRecord) => {
      if (locator !== undefined && key.locator !== locator) return false;
      if (urgent && key.activeAtMs === undefined) return false;
      if (!isExpecting(input) || (request !== undefined && key.requests.includes(request))) return true;
      return !urgent && !key.isUrgent;
    };
    return this.#history.roots().slice(fromGeneration).find(isDone);
  }

  #demandCurrent({ expectedCurrentKid: expected = '' }: RotationInput): void {
    const kid = this.#history.activeRoot()?.kid ?? '';
    if (expected === '' || expected === kid) return;
    const message = kid === '' ? 'No root key signs now.' : 'Another root key signs than the request expects.';
    throw new EctError(reject('KEY_NOT_CURRENT', `${message} Nothing was done.`, { current_kid: kid }));
  }

  /** A key that this call announced; undefined if another process announced its key first. */
  async #announced(locator: string | undefined, input: RotationInput): Promise<KeyRecord | undefined> {
    const { key, changed } = await this.#announceNext(locator, input);
    return changed ? key : undefined;
  }

  async #announceNext(locator: string | undefined, input: RotationInput): Promise<Rotation> {
    const next =
      locator === undefined
        ? await this.#make()
        : { locator, signer: await inOurWords(() => this.#ports.openRoot(locator)) };
    const { kid } = next.signer.jwk;
    const known = this.#history.get(kid);
    if (known !== undefined) {
      this.#closeUnused(next.signer);
      throw stateInvalid(known, 'it was announced before');
    }
    this.#open.add(next.signer);
    const changed = await this.announce(next, input);
    // Another process announced its key first, and ours never was.
    const key = this.#history.get(kid) ?? this.#history.roots().at(-1);
    if (key === undefined) throw notAccepted();
    if (key.kid !== kid) this.#open.close(kid);
    return { key, changed };
  }

  /** Whether this process can sign with the announced key. If not, it creates another one, or SIGNER_MISCONFIGURED is thrown. */
  async #isAtHand(key: KeyRecord, named: string | undefined): Promise<boolean> {
    if (await this.#open.tryOpen(key, true)) return true;
    if (named === undefined && this.#ports.makeRoot !== undefined) return false;
    const message =
      'The announced key cannot be opened here (event keys-failed): correct that, or name another key (`existing`).';
    throw new EctError(reject('SIGNER_MISCONFIGURED', message));
  }

  /** Undefined if the key was revoked meanwhile. */
  async #putToUse({ kid, jwk, locator = '' }: KeyRecord, input: RotationInput): Promise<Rotation | undefined> {
    const changed = await this.useNow(jwk, locator, input);
    const key = this.#history.get(kid);
    return key?.state === 'active' ? { key, changed } : undefined;
  }

  /** Activates an announced key now, although verifiers that cache the key set may not know it yet. */
  useNow(jwk: PublicJwk, locator: string, input: Omit<Announcement, 'urgent'>): Promise<boolean> {
    const { by, note, provenance } = input;
    return this.#log.record({ state: 'active', jwk, locator, note, by, urgent: true, ...requestOf(input) }, provenance);
  }

  /** Records a key as the next one. Returns whether this call did; another process may have been first. */
  announce({ signer, locator }: RootKey, input: Announcement): Promise<boolean> {
    const { urgent, by, note, provenance } = input;
    const generation = this.#history.roots().length;
    const lead_ms = urgent ? 0 : leadOf(this.#policy);
    const statement = { state: 'announced', jwk: signer.jwk, locator, note, by, generation, lead_ms } as const;
    return this.#log.record({ ...statement, ...requestOf(input) }, provenance);
  }

  async #make(): Promise<RootKey> {
    return this.#demandMaker()(this.#history.roots().length);
  }

  #demandMaker(): NonNullable<KeyManagerPorts['makeRoot']> {
    if (this.#ports.makeRoot !== undefined) return this.#ports.makeRoot;
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
}

function isExpecting({ expectedCurrentKid = '' }: RotationInput): boolean {
  return expectedCurrentKid !== '';
}

function requestOf({ request }: Pick<RotationInput, 'request'>): Pick<RotationInput, 'request'> {
  return request === undefined ? {} : { request };
}

function notNext(pending: KeyRecord): EctError {
  return stateInvalid(pending, 'it is the next one: wait until it is active, or revoke it');
}

export function notAccepted(): EctError {
  return new EctError(reject('LEDGER_CORRUPT', 'The ledger has entries about keys that contradict each other.'));
}
