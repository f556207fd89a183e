// Accepts a loss of a ledger in a database that replicas share: it was restored to an earlier time, or failed over to a standby that
// lacked commits. Each replica knows what it has published itself.

import { asLossCandidate } from '../authority/index.ts';
import type { AcceptedLossFacts } from '../cli/ledger.ts';
import type { TrustedClock } from '../clock/index.ts';
import { postgresTarget } from '../config-files/postgres-target.ts';
import { type DataDir, readGivenLedgerKey, StartError } from '../data-directory/data-dir.ts';
import { describeSharedLoss } from '../data-directory/history-check.ts';
import { checkHistory, HistoryLost, Ledger, type LedgerKey, type LedgerStore } from '../ledger/index.ts';
import { MarkFile } from '../stores/mark-file.ts';
import { databaseSettings, ledgerKeySetting } from './database-settings.ts';

export type Env = Readonly<Record<string, string | undefined>>;

const CONNECTIONS = 2;
/** With a greater difference a replica records nothing (docs/decisions/30), so this command does not either. */
const MAX_DIFFERENCE_MS = 30_000;

/** Whether the settings are those of a replica with a database. */
export function isOverDatabase(env: Env): boolean {
  return env['ECT_STORE'] === 'postgres';
}

/**
 * States in the ledger of the database the entries that the mark of this replica contains and the ledger has lost. The caller must own
 * the directory. Other replicas may run; this command acts as another replica.
 */
export async function recordSharedLoss(
  env: Env,
  dir: DataDir,
  note: string,
  clock: TrustedClock,
): Promise<AcceptedLossFacts> {
  const key = await readGivenLedgerKey(ledgerKeySetting(env));
  const target = await postgresTarget(databaseSettings(env));
  // Other recoveries do not load the driver.
  const { MovedLedger, PostgresDatabase, PostgresLedgerStore, readServerTime, UnfitDatabase } = await import(
    '../stores/postgres/index.ts'
  );
  const database = new PostgresDatabase({ ...target, program: 'ect-accept-loss' }, CONNECTIONS);
  const store = new PostgresLedgerStore(database);
  try {
    await database.examine();
    const movedTo = await new MovedLedger(database).target();
    if (movedTo !== undefined)
      throw new StartError(`The ledger in the database was copied to ${movedTo}: it goes on there.`);
    const { readMs, steadyMs } = await readServerTime(database, clock.steadyMs);
    rejectOtherTime(clock.stampEntryMs(0) - (readMs + clock.steadyMs() - steadyMs));
    return await record(store, dir, key, note, clock);
  } catch (error) {
    throw error instanceof UnfitDatabase ? new StartError(error.message, { cause: error }) : error;
  } finally {
    await store.close();
    await database.close();
  }
}

async function record(
  store: LedgerStore,
  dir: DataDir,
  key: LedgerKey,
  note: string,
  clock: TrustedClock,
): Promise<AcceptedLossFacts> {
  const { kind, shown } = await findSharedLoss(store, dir, key);
  if (shown === undefined || kind === 'gone') {
    throw new StartError(describeSharedLoss(new HistoryLost(kind, shown, 0), dir));
  }
  const ledger = await Ledger.open({ store, key, nowMs: clock.steadyMs, stampMs: () => clock.stampEntryMs(0) });
  const { record: entry } = await ledger.append(asLossCandidate(shown, note));
  // From here on the loss is stated. Until the mark is replaced a start fails, and this command finds the entry.
  const head = await store.head();
  if (head !== undefined) await MarkFile.replace(dir.mark, head);
  return { index: entry.index, shownSize: shown.size, verifierKey: key.verifierKey };
}

async function findSharedLoss(store: LedgerStore, dir: DataDir, { verifierKey }: LedgerKey): Promise<HistoryLost> {
  try {
    await checkHistory(store, MarkFile.read(dir.mark), verifierKey);
  } catch (error) {
    if (error instanceof HistoryLost) return error;
    throw error;
  }
  throw new StartError(
    `The ledger in the database lacks nothing that the replica with the data directory ${dir.path} has shown: start it.`,
  );
}

/** Rejects a wrong clock, because the time of an entry cannot be changed. */
function rejectOtherTime(differenceMs: number): void {
  if (Math.abs(differenceMs) <= MAX_DIFFERENCE_MS) return;
  const seconds = Math.round(differenceMs / 1_000);
  throw new StartError(
    `The clock of this machine is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} the clock of the database, and the entry ` +
      'of the loss would have this time for ever. Nothing was changed. Set the clock that is wrong (NTP), and repeat the command.',
  );
}
