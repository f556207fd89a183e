// Which keys verify tokens: ours, which change with the ledger, and foreign ones, which change with their issuers.

import { type FindPastKey, KeyRing, type OnMissed, type TrustedKey } from '../keys/index.ts';

/** A ring whose two halves are replaced apart from each other. */
export class TrustedKeys {
  readonly keys: KeyRing;
  #own: readonly TrustedKey[] = [];
  #foreign: readonly TrustedKey[] = [];

  /** `findPastKey` finds one of our keys that ended long ago; `onMissed` looks for a foreign one that is new. */
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

  /** Of several keys that fit a token the first one counts, so a foreign key never stands in front of ours. */
  #update(): void {
    this.keys.replace([...this.#own, ...this.#foreign]);
  }
}
