// What callers do while a service ends, and what they were answered.

import { status as codes } from '@grpc/grpc-js';
import type { Issued, Recorded } from '../../interop/answers.ts';
import { CallError, dial, type GrpcClient } from '../../interop/grpc-js-client.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const ORDER = { exec_act: 'review', aud: ['urn:example:reviewer'] };
const L3 = { ...ORDER, level: 'LEVEL_L3' };
const CALLERS = 4;

/** What is to be in the ledger from now on, by `jti`. */
export interface Answered {
  readonly recorded: Map<string, string>;
  /** Tokens that left before their entries. A stop writes these, a kill need not. */
  readonly promised: Map<string, string>;
  /** Calls that ended in another way than with an answer or UNAVAILABLE. */
  readonly faults: string[];
  refusals: number;
}

/** Calls until it is stopped or rejected. With `rotates` keys are rotated all the while. */
export class Load implements Disposable {
  readonly answered: Answered = { recorded: new Map(), promised: new Map(), faults: [], refusals: 0 };
  readonly over: Promise<unknown>;
  readonly #client: GrpcClient;
  #isOver = false;

  constructor(address: string, rotates: boolean) {
    this.#client = dial(address);
    const callers = Array.from({ length: CALLERS }, () => this.#repeat(() => this.#record()));
    if (rotates) callers.push(this.#repeat(() => this.#rotate()));
    this.over = Promise.all(callers);
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#client[Symbol.dispose]();
  }

  async #repeat(work: () => Promise<void>): Promise<void> {
    try {
      while (!this.#isOver) await work();
    } catch (error) {
      this.answered.refusals++;
      const isClear = error instanceof CallError && error.code === codes.UNAVAILABLE;
      if (!isClear) this.answered.faults.push(String(error));
    }
  }

  async #record(): Promise<void> {
    const { recorded, promised } = this.answered;
    const issue = (request: object) => this.#client.call<Issued>(`${AUTHORITY}/Issue`, request);
    const atOnce = await issue(L3);
    recorded.set(atOnce.claims.jti, atOnce.token);
    const later = await issue({ ...L3, record_mode: 'RECORD_MODE_ASYNC' });
    promised.set(later.claims.jti, later.token);
    const { token, claims } = await issue(ORDER);
    await this.#client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token });
    recorded.set(claims.jti, token);
  }

  async #rotate(): Promise<void> {
    await this.#client.call('ect.v1.AdminService/RotateKey', { note: 'test' });
  }
}

/** Which of these the ledger does not hold. */
export async function missingOf(address: string, tokens: ReadonlyMap<string, string>): Promise<readonly string[]> {
  using client = dial(address);
  const missing = await Promise.all(
    [...tokens].map(async ([jti, token]) => {
      const found = await client.call<Recorded>('ect.v1.LedgerService/GetEntry', { task: { jti } }).catch(String);
      if (typeof found === 'string') return [`${jti}: ${found}`];
      return found.entry.task.token === token ? [] : [`${jti}: another token`];
    }),
  );
  return missing.flat();
}
