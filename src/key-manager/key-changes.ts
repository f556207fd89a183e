// Changes of keys by an administrator: retirement and revocation. Each is one entry of the ledger.

import { EctError, reject } from '../errors.ts';
import type { KeyHistory } from './key-history.ts';
import type { KeyLog } from './key-log.ts';
import type { KeyRecord } from './key-states.ts';

/** A key after a change, and whether this call changed it. */
export interface KeyChange {
  readonly key: KeyRecord;
  /** Whether this call changed it. */
  readonly changed: boolean;
}

/** Which key changes, by whom, and why. */
export interface KeyChangeInput {
  readonly kid: string;
  readonly by: string;
  readonly note: string;
  /** The provenance of the entry (LedgerRecord), if a caller requested it. */
  readonly provenance?: Uint8Array | undefined;
}

/** Whether a `kid` is a thumbprint, as those of this service are. */
const KID = /^[A-Za-z0-9_-]{43}$/;

export class KeyChanges {
  readonly #log: KeyLog;
  readonly #history: KeyHistory;

  constructor(log: KeyLog, history: KeyHistory) {
    this.#log = log;
    this.#history = history;
  }

  /** Retires a key that is not compromised. Its tokens stay valid until they expire. */
  async retire({ kid, by, note, provenance }: KeyChangeInput): Promise<KeyChange> {
    const key = await this.find(kid);
    if (key.state === 'retired') return { key, changed: false };
    if (key.state !== 'active') throw stateInvalid(key, 'only an active key can retire');
    const isNewest = key.generation !== undefined && key === this.#history.activeRoot();
    if (isNewest) throw stateInvalid(key, 'no other key signs: rotate it, and it retires by itself');
    const statement = { state: 'retired', jwk: key.jwk, locator: key.locator ?? '', by, note } as const;
    return this.#record(statement, provenance);
  }

  /** Revokes a key as compromised, since a time (milliseconds) or as of now. */
  async revoke(input: KeyChangeInput, sinceMs?: number): Promise<KeyChange> {
    return this.#revoke(await this.find(input.kid), input, sinceMs);
  }

  /** The same for a key of this service. Returns whether this call changed it. */
  async revokeOwn(input: KeyChangeInput, sinceMs: number): Promise<boolean> {
    const key = await this.findOwn(input.kid);
    return key !== undefined && (await this.#revoke(key, input, sinceMs)).changed;
  }

  /** A key of this service, as the ledger has it. KEY_NOT_FOUND if no key ever had this `kid`. */
  async find(kid: string): Promise<KeyRecord> {
    const key = await this.#log.findPastKey(kid);
    if (key === undefined) throw new EctError(reject('KEY_NOT_FOUND', 'No key of this service has this kid.', { kid }));
    return key;
  }

  /** The same; undefined for a `kid` of another party. */
  async findOwn(kid: string): Promise<KeyRecord | undefined> {
    return KID.test(kid) ? this.#log.findPastKey(kid) : undefined;
  }

  async #revoke(key: KeyRecord, input: KeyChangeInput, sinceMs: number | undefined): Promise<KeyChange> {
    const { by, note, provenance } = input;
    if (key.state === 'revoked') return { key, changed: false };
    const since = sinceMs === undefined ? {} : { compromised_since: sinceMs };
    const statement = { state: 'revoked', jwk: key.jwk, locator: key.locator ?? '', by, note, ...since } as const;
    return this.#record(statement, provenance);
  }

  async #record(...record: Parameters<KeyLog['record']>): Promise<KeyChange> {
    const [statement] = record;
    const changed = await this.#log.record(...record);
    return { key: await this.find(statement.jwk.kid), changed };
  }
}

/** In metadata the state is as `KeyState` of the API names it, without its prefix, like a reason. */
export function stateInvalid({ kid, state }: KeyRecord, why: string): EctError {
  const metadata = { kid, state: state.toUpperCase() };
  return new EctError(reject('KEY_STATE_INVALID', `The key is ${state}: ${why}.`, metadata));
}
