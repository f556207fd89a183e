// How the stores of a service are opened, and its ledger over one of them.

import { existsSync, statSync } from 'node:fs';
import type { IdempotencyStore, PendingRecordings, ReplayGuard } from '../authority/index.ts';
import type { ReadSharedTime, TrustedClock } from '../clock/index.ts';
import type { Config } from '../config/index.ts';
import { type DataDir, StartError } from '../data-directory/data-dir.ts';
import { type DocumentStore, HistoryLost, Ledger, type LedgerKey, type LedgerStore } from '../ledger/index.ts';
import { GuardedLedgerStore } from '../stores/guarded-ledger-store.ts';
import { MarkFile } from '../stores/mark-file.ts';
import {
  MemoryIdempotencyStore,
  MemoryLedgerStore,
  MemoryPendingRecordings,
  MemoryReplayGuard,
} from '../stores/memory/index.ts';
import {
  checkAtStart,
  checkOnceAtStart,
  expiringKeyKindFault,
  ledgerKindFault,
  type ScrubOptions,
  SqliteIdempotencyStore,
  SqliteLedgerStore,
  SqlitePendingRecordings,
  SqliteReplayGuard,
  type WritableStore,
} from '../stores/sqlite/index.ts';
import type { Events } from '../telemetry/events.ts';
import type { StorageHealth } from '../telemetry/storage-health.ts';

/** How many request ids, and how many uses of tokens, a service in memory remembers. */
const MEMORY_CAPACITY = 1_000_000;

/** What a service remembers, in files or in memory. */
export interface Stores {
  readonly ledger: LedgerStore;
  /** In the same store as the ledger. */
  readonly documents: DocumentStore;
  /** In memory nothing outlives the process. */
  readonly mark: MarkFile | undefined;
  /** Undefined where there is none, and where it is in Redis. */
  readonly replay: ReplayGuard | undefined;
  readonly idempotency: IdempotencyStore;
  readonly pendingRecordings: PendingRecordings;
  /** The name of a file that was deleted or replaced under the running service. */
  replacedFile(): string | undefined;
  /** Those that are files. */
  readonly writes: readonly WritableStore[];
  /** How many entries one commit takes at most; undefined: as many as the ledger takes by itself. */
  readonly maxBatch: number | undefined;
  /** What readiness shows of a store that is no file. */
  checks(): Readonly<Record<string, boolean>>;
  /** Whether this process does what one of all replicas does for the others; undefined where there are no others. */
  readonly tidiesForAll: (() => boolean) | undefined;
  /** Reads the clock of the shared stores; undefined if the stores are not shared. */
  readonly readSharedTime: ReadSharedTime | undefined;
  /** What the operator can do about a ledger that is not what was shown; undefined where that was found out before. */
  readonly describeLoss: ((loss: HistoryLost) => string) | undefined;
  close(): Promise<void>;
}

/** What files are opened with. */
export interface StoreSurroundings {
  readonly dir: DataDir | undefined;
  /** The place of this process in `ledger.mark`. */
  readonly slot: number;
  readonly earliest: () => number;
  /** The same in milliseconds, and the time that is trusted, for the results of pending recordings. */
  readonly kept: { readonly nowMs: () => number; readonly earliestMs: () => number };
  readonly health: StorageHealth | undefined;
}

/** Opens them, and creates files where there are none. StartError where a file is none of ours. */
export function openStores({ replay }: Config, { dir, slot, earliest, kept, health }: StoreSurroundings): Stores {
  if (dir !== undefined) rejectOtherFiles(dir);
  const ledger = dir === undefined ? new MemoryLedgerStore() : SqliteLedgerStore.open(dir.ledger, health);
  const requestIds =
    dir === undefined
      ? new MemoryIdempotencyStore(MEMORY_CAPACITY)
      : SqliteIdempotencyStore.open(dir.once, earliest, health);
  const isElsewhere = replay.guard === 'off' || replay.guard === 'redis';
  const guard = isElsewhere ? undefined : openGuard(replay, dir, earliest, health);
  const pendingRecordings =
    dir === undefined
      ? new MemoryPendingRecordings()
      : SqlitePendingRecordings.open(dir.once, { leaseMs: Date.now, ...kept }, health);
  const mark = dir && MarkFile.open(dir.mark, slot);
  return {
    ledger: health === undefined ? ledger : new GuardedLedgerStore(ledger, health.ledgerDamage),
    documents: ledger,
    mark,
    replay: guard,
    idempotency: requestIds,
    pendingRecordings,
    maxBatch: undefined,
    checks: () => ({}),
    describeLoss: undefined,
    readSharedTime: undefined,
    tidiesForAll: undefined,
    replacedFile: () => ledger.replacedFile() ?? requestIds.replacedFile(),
    writes: [ledger, requestIds, guard, pendingRecordings].flatMap((store) =>
      store !== undefined && 'writes' in store ? [store.writes] : [],
    ),
    close: async () => {
      await Promise.all([ledger.close(), requestIds.close(), guard?.close(), pendingRecordings.close(), mark?.close()]);
    },
  };
}

/**
 * Rejects a file of uses that was emptied, and returns whether it is missing although the ledger has entries: then what was used before is
 * not known any more. It is asked before the stores are opened, which make the file.
 */
export async function isOnceForgotten({ ledger, once }: DataDir): Promise<boolean> {
  const isMissing = !existsSync(once);
  if (!existsSync(ledger) || statSync(ledger).size === 0 || !(isMissing || statSync(once).size === 0)) return false;
  const store = SqliteLedgerStore.openReadOnly(ledger, !existsSync(`${ledger}-wal`));
  try {
    if (((await store.head())?.size ?? 0) === 0) return false;
  } finally {
    await store.close();
  }
  if (isMissing) return true;
  const next = 'Restore it from a backup, or remove it when every token that was used under it has expired.';
  throw new StartError(
    `${once} is empty although the ledger has entries: used tokens would be accepted again. ${next}`,
  );
}

/** A file instead of a store that never was one is not taken for a damaged store. */
function rejectOtherFiles({ ledger, once }: DataDir): void {
  const faults = [
    ...(existsSync(ledger) ? [ledgerKindFault(ledger)] : []),
    ...(existsSync(once) ? [expiringKeyKindFault(once)] : []),
  ].filter((fault) => fault !== undefined);
  if (faults.length > 0) throw new StartError(`${faults.join('; ')}: move it away, or set ECT_DATA_DIR.`);
}

function openGuard(
  replay: Config['replay'],
  dir: DataDir | undefined,
  earliest: () => number,
  health: StorageHealth | undefined,
): MemoryReplayGuard | SqliteReplayGuard {
  if (replay.guard === 'bounded') return new MemoryReplayGuard(replay.capacity);
  if (dir === undefined) return new MemoryReplayGuard(MEMORY_CAPACITY);
  return SqliteReplayGuard.open(dir.once, earliest, health);
}

/** Before calls are taken: what is found then stops writing like what the scrub finds later. Returns what was examined of the ledger. */
export async function checkFiles(
  dir: DataDir,
  key: LedgerKey,
  { ledgerDamage, onceDamage }: StorageHealth,
): Promise<{ readonly examined: number; readonly size: number }> {
  for (const fault of checkOnceAtStart(dir.once)) onceDamage.found({ index: null, fault });
  const { faults, examined, size } = await checkAtStart(dir.ledger, key.verifierKey);
  for (const fault of faults) ledgerDamage.found(fault);
  return { examined, size };
}

/** Nothing where the operator wants no scrub. */
export function scrubOrder(
  { ledger: { scrubEntriesPerSecond } }: Config,
  dir: DataDir,
  { verifierKey }: LedgerKey,
): ScrubOptions | undefined {
  if (scrubEntriesPerSecond === 0) return undefined;
  return { file: dir.ledger, onceFile: dir.once, verifierKey, entriesPerSecond: scrubEntriesPerSecond };
}

export async function openLedger(
  { ledger: store, mark, maxBatch, describeLoss }: Stores,
  key: LedgerKey,
  clock: TrustedClock,
  events: Events,
): Promise<Ledger> {
  const ledger = await Ledger.open({
    store,
    key,
    ...(mark === undefined ? {} : { mark }),
    ...(maxBatch === undefined ? {} : { maxBatch }),
    nowMs: clock.steadyMs,
    stampMs: clock.stampEntryMs,
    onCommit: ({ entries, durationMs, size }) => events.ledgerCommitted({ entries, durationMs, size: BigInt(size) }),
  }).catch((error: unknown) => {
    if (!(error instanceof HistoryLost) || describeLoss === undefined) throw error;
    throw new StartError(describeLoss(error), { cause: error });
  });
  events.ledgerOpened(BigInt(ledger.size));
  if (mark?.isNew === true && ledger.size > 0) events.markMade(BigInt(ledger.size));
  if (mark !== undefined && mark.damagedPages > 0) events.markDamaged(mark.damagedPages);
  return ledger;
}
