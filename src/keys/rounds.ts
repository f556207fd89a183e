// Signatures are made and checked in rounds: those of all calls and items that have come so far, one right after the other.
// A signature on the curve goes through tables that push everything else out of a core's nearest caches, so that parsing
// between two of them takes three times as long as parsing after parsing.

import type { Signer, SignerChoice } from './signer.ts';

/** Signatures in one round: nothing else is done for some 2 ms. */
const ROUND = 32;

interface Place {
  readonly work: () => unknown;
  readonly resolve: (result: never) => void;
  readonly reject: (thrown: unknown) => void;
}

export class Rounds {
  #line: Place[] = [];
  readonly #begin = () => this.#run();

  /**
   * Does a piece of work in the next round: when it is full, and at the latest when this turn of the event loop has read what
   * there was to be read. Answers what the work answers, after the whole round.
   */
  do<T>(work: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#line.push({ work, resolve, reject });
      if (this.#line.length === 1) setImmediate(this.#begin);
      else if (this.#line.length === ROUND) this.#run();
    });
  }

  #run(): void {
    const line = this.#line;
    this.#line = [];
    const results: unknown[] = [];
    for (const { work, reject } of line) {
      try {
        results.push(work());
      } catch (thrown) {
        reject(thrown);
        results.push(undefined);
      }
    }
    for (const [at, { resolve }] of line.entries()) resolve(results[at] as never);
  }
}

/** The same signers, which sign in rounds. */
export function signInRounds(choice: SignerChoice, rounds: Rounds): SignerChoice {
  const known = new WeakMap<Signer, Signer>();
  return {
    for: (iss, execAct) => {
      const signer = choice.for(iss, execAct);
      let gathered = known.get(signer);
      if (gathered === undefined) {
        gathered = { jwk: signer.jwk, sign: (input, until) => rounds.do(() => signer.sign(input, until)) };
        known.set(signer, gathered);
      }
      return gathered;
    },
  };
}
