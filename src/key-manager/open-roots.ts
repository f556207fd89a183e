// The root keys that this process can sign with. Each was opened from the configuration, or by its locator in the ledger.

import { EctError, reject } from '../errors.ts';
import type { OpenSigner } from '../keys/index.ts';
import { KeyOpener } from './key-opener.ts';
import type { KeyRecord } from './key-states.ts';
import type { AwaitedRoot, KeyManagerPorts, RootKey } from './ports.ts';

/** The name of the configured key for the opener; other keys have their `kid`. */
const CONFIGURED = 'configured';

export class OpenRoots {
  readonly #openRoot: KeyManagerPorts['openRoot'];
  /** By `kid`. */
  readonly #open = new Map<string, OpenSigner>();
  readonly #openings: KeyOpener;
  /** The configured key, until it is opened and in the ledger. */
  #awaited: AwaitedRoot | undefined;

  /** `onLate`: called for a key that was opened between two turns. */
  constructor(ports: KeyManagerPorts, onLate: () => void) {
    this.#openRoot = (locator) => ports.openRoot(locator);
    this.#openings = new KeyOpener({
      steadyMs: () => ports.clock.steadyMs(),
      onFailed: (cause) => ports.events.keysFailed(cause),
      onLate,
    });
  }

  get(kid: string): OpenSigner | undefined {
    return this.#open.get(kid);
  }

  has(kid: string): boolean {
    return this.#open.has(kid);
  }

  kids(): Iterable<string> {
    return this.#open.keys();
  }

  /** Adds a key that was opened or created elsewhere. It is closed here. */
  add(signer: OpenSigner): void {
    this.#open.set(signer.jwk.kid, signer);
  }

  /** Continues without the configured key, and opens it later. */
  await(awaited: AwaitedRoot): void {
    this.#awaited = awaited;
    this.#openings.follow(CONFIGURED, () => awaited.attempt);
  }

  /** The configured key after it was opened, until it is adopted: if that fails, it stays open for the next turn. */
  async takeAwaited(): Promise<RootKey | undefined> {
    const awaited = this.#awaited;
    if (awaited === undefined) return undefined;
    const signer = await this.#openings.take(CONFIGURED, () => awaited.open());
    return signer && { signer, locator: awaited.locator };
  }

  awaitedIsAdopted(): void {
    this.#openings.forget(CONFIGURED, true);
    this.#awaited = undefined;
  }

  /** Opens a key of the ledger; `now`: even if the last attempt has just failed, and however long it takes. */
  async tryOpen(key: KeyRecord, now = false): Promise<boolean> {
    const { kid, locator } = key;
    if (this.#open.has(kid)) return true;
    // It was opened as the configured key, which is requested only once.
    if (locator !== undefined && locator === this.#awaited?.locator) return false;
    const signer = await this.#openings.take(kid, () => this.#openKnown(key), now);
    if (signer === undefined) return false;
    this.#open.set(kid, signer);
    this.#openings.forget(kid, true);
    return true;
  }

  /** The rejection for callers if `newest`, which should sign, could not be opened; undefined otherwise. */
  whyMissing(newest: KeyRecord | undefined): string | undefined {
    if (newest === undefined ? this.#awaited === undefined : this.#open.has(newest.kid)) return undefined;
    const isAwaited = newest === undefined || newest.locator === this.#awaited?.locator;
    const cause = this.#openings.failureOf(isAwaited ? CONFIGURED : newest.kid);
    return cause instanceof EctError ? cause.message : 'The signing key could not be opened yet.';
  }

  close(kid: string): void {
    this.#openings.forget(kid, false);
    this.#open.get(kid)?.close();
    this.#open.delete(kid);
  }

  closeAll(): void {
    this.#openings.close();
    for (const kid of this.#open.keys()) this.close(kid);
  }

  async #openKnown({ kid, locator }: KeyRecord): Promise<OpenSigner> {
    if (locator === undefined) throw new Error('nothing says where the key is');
    const signer = await this.#openRoot(locator);
    if (signer.jwk.kid === kid) return signer;
    signer.close();
    const message = `Another key is in the place of the signing key: the operator puts that one back, or ${USE_NEXT}.`;
    throw new EctError(reject('SIGNER_MISCONFIGURED', message), { cause: new Error(`another key is at ${locator}`) });
  }
}

/** What makes another key sign. */
export const USE_NEXT = 'puts the next key to use (`ect keys rotate --urgent`)';
