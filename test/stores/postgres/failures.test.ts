// Which failures of a database a start may wait out.

import { DatabaseError } from 'pg';
import { expect, test } from 'vitest';
import { DatabaseUnavailable } from '../../../src/stores/database-unavailable.ts';
import { DatabaseDown, translated } from '../../../src/stores/postgres/failures.ts';
import { LEDGER } from '../../../src/stores/store-reasons.ts';

const ofServer = (code: string) => Object.assign(new DatabaseError('m', 1, 'error'), { code });

test.each([
  ['57P01', true],
  ['08006', true],
  ['53300', true],
  ['42501', false],
  ['42P01', false],
  ['28P01', false],
  ['3D000', false],
])('of a server that says %s: %s', (code, isPassing) => {
  for (const error of [ofServer(code), new DatabaseDown('m', { cause: ofServer(code) })]) {
    const failure = translated(error, LEDGER);
    expect(failure).toMatchObject({ reason: 'LEDGER_UNAVAILABLE' });
    expect(failure instanceof DatabaseUnavailable).toBe(isPassing);
  }
});
