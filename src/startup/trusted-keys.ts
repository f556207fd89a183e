// The keys that verify tokens: the service's own, which change with the ledger, and foreign ones, which change with their issuers.

import { type FindPastKey, KeyRing, type OnMissed, type TrustedKey } from '../keys/index.ts';

/** A key ring of two parts that are replaced independently. */
export class TrustedKeys {
  readonly keys: KeyRing;
  #own: readonly TrustedKey[] = [];
  #foreign: readonly TrustedKey[] = [];

  /** `findPastKey` finds one of the service's own keys that ended long ago; `onMissed` looks for a new foreign key. */
  constructor(findPastKey?: FindPastKey, onMissed?: OnMissed) {
    this.keys = new KeyRing([], findPastKey, onMissed);
  }

  replaceOwn(own: readonly TrustedKey[]): void {
    this.#own = own;
    this.#update();
  }

  replaceForeign(foreign: readonly TrustedKey[]): void {
    this.#foreign = foreign;
    this.#update();
  }

  /** The first key that fits a token is used, so the service's own keys come before foreign ones. */
  #update(): void {
    this.keys.replace([...this.#own, ...this.#foreign]);
  }
}
