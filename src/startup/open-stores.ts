// Opens the stores of a service, and its ledger in one of them.

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

/** How many request ids and uses of tokens a service without files can store. */
const MEMORY_CAPACITY = 1_000_000;

/** The stores of a service. */
export interface Stores {
  readonly ledger: LedgerStore;
  /** In the same store as the ledger. */
  readonly documents: DocumentStore;
  /** Undefined in memory, where nothing survives the process. */
  readonly mark: MarkFile | undefined;
  /** Undefined if there is no replay guard, or if it is in Redis. */
  readonly replay: ReplayGuard | undefined;
  readonly idempotency: IdempotencyStore;
  readonly pendingRecordings: PendingRecordings;
  /** Returns the name of a file that was deleted or replaced while the service ran. */
  replacedFile(): string | undefined;
  /** The stores that are files. */
  readonly writes: readonly WritableStore[];
  /** The maximum number of entries in one commit; undefined: the default of the ledger. */
  readonly maxBatch: number | undefined;
  /** Returns the readiness of stores that are not files. */
  checks(): Readonly<Record<string, boolean>>;
  /** Whether this process does the work that one replica does for all; undefined if there are no other replicas. */
  readonly tidiesForAll: (() => boolean) | undefined;
  /** Reads the clock of the shared stores; undefined if the stores are not shared. */
  readonly readSharedTime: ReadSharedTime | undefined;
  /** Returns what the operator can do if the ledger lacks published entries; undefined if that was checked before. */
  readonly describeLoss: ((loss: HistoryLost) => string) | undefined;
  close(): Promise<void>;
}

/** What the file stores need from the service. */
export interface StoreSurroundings {
  readonly dir: DataDir | undefined;
  /** The slot of this process in `ledger.mark`. */
  readonly slot: number;
  readonly earliest: () => number;
  /** The wall clock and the trusted time in milliseconds, for the results of pending recordings. */
  readonly kept: { readonly nowMs: () => number; readonly earliestMs: () => number };
  readonly health: StorageHealth | undefined;
}

/** Opens the stores, and creates missing files. Throws StartError if an existing file is not a store. */
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
 * Rejects an empty file of uses. Returns whether the file is missing although the ledger has entries: then the earlier uses are not
 * known. Call it before the stores are opened, because that creates the file.
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

/** Rejects other files in place of a store, so that they are not reported as damaged stores. */
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

/**
 * Checks the files before calls are accepted. Damage stops writing, as it does when the scrub finds it later. Returns which part of the
 * ledger was examined.
 */
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

/** Returns the options of the scrub; undefined if the operator has disabled it. */
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
