// Examines a ledger before a service accepts calls: a small one completely, of a large one the newest entries. The scrub and `ect audit`
// examine the rest.

import { statSync } from 'node:fs';
import { ExpiringKeyExaminer } from './expiring-key-examiner.ts';
import { EXPIRING_KEY_TABLES } from './expiring-key-layout.ts';
import { type Damage, LedgerExaminer } from './ledger-examiner.ts';

/** Files up to this size are examined completely: SQLite's own check takes a third of a second. */
const SMALL_BYTES = 32 * 1024 * 1024;
/** The time for the entries. */
const BUDGET_MS = 500;
/** The minimum number, whatever the time: a crash or a failed write-back damages the newest entries first. */
const LEAST_ENTRIES = 256;

/** The result of the check. */
export interface StartCheck {
  readonly faults: readonly Damage[];
  /** How many entries were examined, the newest ones, of how many. */
  readonly examined: number;
  readonly size: number;
}

/**
 * Takes less than a second, however large the ledger is. `isAtRest`, here and below: no process has the file open for writing, so no file
 * is created beside it.
 */
export async function checkAtStart(path: string, verifierKey: string, isAtRest = false): Promise<StartCheck> {
  const examiner = LedgerExaminer.open(path, isAtRest);
  try {
    const size = await examiner.size();
    const faults: Damage[] = [];
    const endMs = performance.now() + BUDGET_MS;
    let examined = 0;
    while (examined < size && (examined < LEAST_ENTRIES || performance.now() < endMs)) {
      const fault = examiner.entryFault(size - ++examined);
      if (fault !== undefined) faults.push(fault);
    }
    const isSmall = statSync(path).size <= SMALL_BYTES;
    if (isSmall) faults.push(...(await examiner.wholeFaults(size, verifierKey)));
    return { faults, examined, size };
  } finally {
    examiner.close();
  }
}

/** Rows of one read. */
const ROWS_AT_ONCE = 1_000;

/** The same for `once.db`, because a lost use would be accepted a second time. Returns the faults. */
export function checkOnceAtStart(path: string, isAtRest = false): readonly string[] {
  const examiner = ExpiringKeyExaminer.open(path, isAtRest);
  try {
    const isSmall = statSync(path).size <= SMALL_BYTES;
    const faults = [...examiner.wholeFaults(SMALL_BYTES)];
    const endMs = performance.now() + BUDGET_MS;
    for (const table of EXPIRING_KEY_TABLES) {
      // The newest rows first.
      for (let end = examiner.lastRow(table); end > 0; end -= ROWS_AT_ONCE) {
        if (!isSmall && performance.now() >= endMs) break;
        faults.push(...examiner.rowsFrom(table, Math.max(0, end - ROWS_AT_ONCE), ROWS_AT_ONCE).faults);
      }
    }
    return faults;
  } finally {
    examiner.close();
  }
}
