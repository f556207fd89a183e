// A clock that stands until it is moved. Seconds for tokens, milliseconds for the ledger.

import { NOW } from './tokens.ts';

export class Clock {
  seconds = NOW;

  now = (): number => this.seconds;
  nowMs = (): number => this.seconds * 1000;

  advance(seconds: number): void {
    this.seconds += seconds;
  }
}
