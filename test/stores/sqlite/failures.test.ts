// What an error of SQLite means, for errors that no test can bring about.

import { expect, test } from 'vitest';
import { forbidsWriting, translated } from '../../../src/stores/sqlite/failures.ts';

const REASONS = { unavailable: 'LEDGER_UNAVAILABLE', corrupt: 'LEDGER_CORRUPT', what: 'ledger' } as const;

function sqliteError(errcode: number): Error {
  return Object.assign(new Error('driver'), { code: 'ERR_SQLITE_ERROR', errcode });
}

test.each([
  ['SQLITE_FULL', 13, 'STORAGE_FULL', false],
  ['SQLITE_IOERR_SHMSIZE: the index of the write-ahead file cannot grow', 4874, 'STORAGE_FULL', false],
  ['SQLITE_IOERR_WRITE', 778, 'LEDGER_UNAVAILABLE', true],
  ['SQLITE_IOERR_FSYNC', 1034, 'LEDGER_UNAVAILABLE', true],
  ['SQLITE_BUSY', 5, 'LEDGER_UNAVAILABLE', false],
  ['SQLITE_CORRUPT', 11, 'LEDGER_CORRUPT', true],
])('L15: %s', (_title, errcode, reason, endsWrites) => {
  const error = sqliteError(errcode);
  expect(translated(error, REASONS)).toMatchObject({ reason });
  expect(forbidsWriting(error)).toBe(endsWrites);
});
