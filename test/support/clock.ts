// A clock that stands until it is moved. Seconds for tokens, milliseconds for the ledger.

import { NOW } from './tokens.ts';

export class Clock {
  seconds = NOW;
  /** Seconds that passed. */
  #passed = 0;
  /** What the time is ahead of the earliest that it can be. */
  lagSeconds = 0;
  isTrusted = true;
  #forgotten = 0;

  now = (): number => this.seconds;
  stamp = this.now;
  earliest = (): number => this.seconds - this.lagSeconds;
  forgotten = (): number => Math.max(this.#forgotten, this.earliest());
  nowMs = (): number => this.seconds * 1000;
  earliestMs = (): number => this.earliest() * 1000;
  steadyMs = (): number => this.#passed * 1000;

  advance(seconds: number): void {
    this.seconds += seconds;
    this.#passed += seconds;
  }

  /** The wall clock jumped, and is trusted all the same. Forward: nobody knows whether that time has passed. */
  jump(seconds: number): void {
    this.#forgotten = this.forgotten();
    this.seconds += seconds;
    this.lagSeconds = Math.max(0, this.lagSeconds + seconds);
  }
}
