// A ledger of tasks on the disk, as the service writes them, and everything that it answers.

import { hash } from 'node:crypto';
import { EctError } from '../../../src/errors.ts';
import { type Candidate, generateLedgerKey, Ledger, type LedgerKey, openLedgerKey } from '../../../src/ledger/index.ts';
import { SqliteLedgerStore } from '../../../src/stores/sqlite/index.ts';

/** Issuers whose keys this ledger does not announce: name them to an audit as foreign. */
export const ISSUERS = ['urn:example:a', 'urn:example:b'] as const;
const RECORDED_AT_MS = 1_772_000_000_000;

/** The task of this number. Every fifth name is used in several workflows. */
export function task(number: number): Candidate {
  const jti = `task-${number % 5 === 0 ? 0 : number}-${'n'.repeat(number % 7)}`;
  const wid = number % 3 === 0 ? `flow-${number}` : `flow-${number % 4}`;
  const iss = ISSUERS[number % 2]!;
  const content = Buffer.from(`token ${number} ${'x'.repeat(200 + 40 * (number % 20))}`);
  return {
    scope: wid,
    name: jti,
    author: iss,
    digest: hash('sha256', content, 'buffer'),
    content,
    leaf: ({ recordedAtMs, commitment }) =>
      Buffer.from(
        JSON.stringify({
          commitment,
          depth: 1,
          iat: 1_772_000_000,
          iss,
          jti,
          kid: 'k',
          level: 'L3',
          pred: [],
          recorded_at: recordedAtMs,
          v: 1,
          wid,
        }),
      ),
  };
}

/** Writes a ledger of `size` tasks, and closes it. */
export async function recordLedger(path: string, size: number): Promise<LedgerKey> {
  const key = openLedgerKey(generateLedgerKey('flips.example'));
  const store = SqliteLedgerStore.open(path);
  const ledger = await Ledger.open({ store, key, nowMs: () => RECORDED_AT_MS });
  for (let number = 0; number < size; number++) await ledger.append(task(number));
  await store.close();
  return key;
}

/** Everything that the ledger at `path` answers: reads, proofs, lists, and what becomes of each task handed in again. */
export async function answersOf(path: string, key: LedgerKey, size: number): Promise<readonly string[]> {
  const answers: string[] = [];
  const ask = async (question: () => Promise<unknown>) => {
    answers.push(
      await question().then(
        (answer) => JSON.stringify(answer, bytesAsHex),
        (error: unknown) => {
          if (error instanceof EctError) return error.reason;
          throw error;
        },
      ),
    );
  };
  let store: SqliteLedgerStore | undefined;
  try {
    const opened = SqliteLedgerStore.open(path);
    store = opened;
    const ledger = await Ledger.open({ store, key, nowMs: () => RECORDED_AT_MS });
    await ask(() => ledger.checkpoint());
    for (let number = 0; number < size; number++) {
      const { scope, name } = task(number);
      await ask(() => ledger.at(number));
      await ask(() => ledger.find(scope, name));
      await ask(() => ledger.lookUp('elsewhere', [name], 'nearest'));
      await ask(async () => ledger.receiptFor((await ledger.at(number))!));
      await ask(() => ledger.list({ scope, startIndex: 0, limit: size, withContent: false }));
    }
    for (const author of ISSUERS) {
      await ask(() => ledger.list({ author, startIndex: 0, limit: size, withContent: true }));
    }
    for (let number = 0; number < size; number++) await ask(() => outcomeOf(ledger, number));
    for (const number of [size, size, size + 1, size + 1]) await ask(() => outcomeOf(ledger, number));
    await ask(async () => (await ledger.checkpoint()).size);
    // What was written last is answered too.
    await ask(async () => (await ledger.at(size + 1))?.name);
  } catch (error) {
    if (!(error instanceof EctError)) throw error;
    answers.push(error.reason);
  } finally {
    await store?.close();
  }
  return answers;
}

async function outcomeOf(ledger: Ledger, number: number): Promise<unknown> {
  const { outcome, record } = await ledger.append(task(number));
  return [outcome, record.index];
}

function bytesAsHex(_name: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
}
