// A ledger store whose writes fail on demand, in both possible ways: nothing was stored, or everything was stored and only the answer was
// lost.

import { EctError, reject } from '../../src/errors.ts';
import type {
  Candidate,
  CommitResult,
  Head,
  LedgerRecord,
  LedgerStore,
  Reach,
  RecordQuery,
  Seal,
} from '../../src/ledger/index.ts';

/** `lost`: it fails and did not persist. `landed`: it fails, but did persist. */
export type WriteFault = 'lost' | 'landed';

/** Passes all calls on to a real store, except those that the test makes fail. */
export class FaultyStore implements LedgerStore {
  protected readonly inner: LedgerStore;
  readonly #writeFaults: (WriteFault | 'none')[] = [];
  #failReads = false;
  /** How many calls of each method reached the inner store. */
  readonly calls = new Map<string, number>();

  constructor(inner: LedgerStore) {
    this.inner = inner;
  }

  /** Sets the outcome of the next writes, in turn. Later writes succeed. */
  plan(...faults: readonly (WriteFault | 'none')[]): void {
    this.#writeFaults.push(...faults);
  }

  /** Makes every read fail, or succeed again. */
  failReads(fail: boolean): void {
    this.#failReads = fail;
  }

  initialise(head: Head, identity: string): Promise<void> {
    return this.#write('initialise', () => this.inner.initialise(head, identity));
  }

  commit(candidates: readonly Candidate[], seal: Seal): Promise<CommitResult> {
    return this.#write(
      'commit',
      () => this.inner.commit(candidates, seal),
      async () => {
        // The storage fails after the seal has run and signed: the hardest case.
        const abandoned = new Error('abandoned');
        const sealThenFail: Seal = (head, fresh) => {
          seal(head, fresh);
          throw abandoned;
        };
        await this.inner.commit(candidates, sealThenFail).catch((error: unknown) => {
          if (error !== abandoned) throw error;
        });
      },
    );
  }

  head = () => this.#read('head', () => this.inner.head());
  identity = () => this.#read('identity', () => this.inner.identity());
  at = (index: number) => this.#read('at', () => this.inner.at(index));
  find = (scope: string, name: string) => this.#read('find', () => this.inner.find(scope, name));
  lookUp = (scope: string, names: readonly string[], reach: Reach) =>
    this.#read('lookUp', () => this.inner.lookUp(scope, names, reach));
  list = (query: RecordQuery, signal?: AbortSignal): Promise<readonly LedgerRecord[]> =>
    this.#read('list', () => this.inner.list(query, signal));
  nodes = (wanted: Parameters<LedgerStore['nodes']>[0]) => this.#read('nodes', () => this.inner.nodes(wanted));

  close(): Promise<void> {
    return this.inner.close();
  }

  async #read<T>(method: string, run: () => Promise<T>): Promise<T> {
    if (this.#failReads) throw unavailable();
    this.#count(method);
    return run();
  }

  async #write<T>(method: string, run: () => Promise<T>, lose: () => Promise<void> = async () => {}): Promise<T> {
    const fault = this.#writeFaults.shift() ?? 'none';
    this.#count(method);
    if (fault === 'lost') {
      await lose();
      throw unavailable();
    }
    const result = await run();
    if (fault === 'landed') throw unavailable();
    return result;
  }

  #count(method: string): void {
    this.calls.set(method, (this.calls.get(method) ?? 0) + 1);
  }
}

function unavailable(): EctError {
  return new EctError(reject('LEDGER_UNAVAILABLE', 'The test made the storage fail.'));
}
