// Ledgers of any size, made without a service.

import { type DataDir, openDataDir, readOrCreateLedgerKey } from '../../src/data-directory/data-dir.ts';
import { type Candidate, Ledger } from '../../src/ledger/index.ts';
import { SqliteIdempotencyStore, SqliteLedgerStore } from '../../src/stores/sqlite/index.ts';
import { task } from '../stores/sqlite/recorded-ledger.ts';

/** A data directory with a ledger of so many tasks; some have the same name. Answers how many entries it has. */
export async function makeLedger(dataDir: string, tasks: number): Promise<number> {
  const dir = await openDataDir(dataDir);
  const ledger = await openOwnLedger(dir);
  for (let from = 0; from < tasks; from += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, tasks - from) }, (_, at) => from + at);
    await Promise.all(numbers.map((number) => ledger.append(task(number))));
  }
  await ledger.close();
  await SqliteIdempotencyStore.open(dir.once).close();
  return ledger.size();
}

const AT_ONCE = 2_048;

/** The ledger of a directory, to be written by this process. */
export async function openOwnLedger(dir: DataDir) {
  const key = await readOrCreateLedgerKey(dir);
  const store = SqliteLedgerStore.open(dir.ledger);
  const ledger = await Ledger.open({ store, key, nowMs: Date.now });
  return {
    append: (candidate: Candidate) => ledger.append(candidate),
    size: () => ledger.size,
    close: () => store.close(),
  };
}
