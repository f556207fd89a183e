// How often a start begins again.

import { expect, test } from 'vitest';
import { readConfig } from '../../src/config/index.ts';
import { StartError } from '../../src/data-directory/data-dir.ts';
import { EctError, reject } from '../../src/errors.ts';
import { startWithDatabase } from '../../src/service/start-again.ts';
import { StartStopped } from '../../src/service/start-errors.ts';
import { DatabaseUnavailable } from '../../src/stores/database-unavailable.ts';

const config = readConfig({
  ECT_STORE: 'postgres',
  ECT_POSTGRES_URL: 'postgres://ect_service:canary@a.example.org,b.example.org:5433/ect',
  ECT_LOCAL_KEY_FILE: '/keys/signing-key.pem',
  ECT_LEDGER_KEY_FILE: '/keys/ledger.key',
});
const lost = () =>
  new DatabaseUnavailable(reject('LEDGER_UNAVAILABLE', 'The database of the ledger cannot be reached.'));

/** A start that fails with each error in turn, and then succeeds. */
function failing(...errors: readonly Error[]) {
  let attempts = 0;
  const start = () => {
    const error = errors[attempts++];
    return error === undefined ? Promise.resolve('started') : Promise.reject(error);
  };
  return { start, attempts: () => attempts };
}

test('L20: a start whose database is lost twice begins again each time', async () => {
  const { start, attempts } = failing(lost(), lost());
  expect(await startWithDatabase(config, start, undefined)).toBe('started');
  expect(attempts()).toBe(3);
});

test('L20: a database that is lost three times is named with its servers and the setting, without the password', async () => {
  const { start, attempts } = failing(lost(), lost(), lost());
  await expect(startWithDatabase(config, start, undefined)).rejects.toMatchObject({
    name: 'StartError',
    message:
      'The database of the ledger cannot be reached. The start was begun 3 times, and each time the connection to the database "ect" at ' +
      'a.example.org:5432 or b.example.org:5433 (ECT_POSTGRES_URL) was lost before the service took calls: start the service again when the ' +
      'database stays.',
  });
  expect(attempts()).toBe(3);
});

test('what is no loss of the database ends the start at once', async () => {
  const damage = new EctError(reject('LEDGER_CORRUPT', 'The head is gone from the store.'));
  const { start, attempts } = failing(damage);
  await expect(startWithDatabase(config, start, undefined)).rejects.toBe(damage);
  expect(attempts()).toBe(1);
});

test('L17: a start that is asked to stop does not begin again', async () => {
  const { start, attempts } = failing(lost());
  await expect(startWithDatabase(config, start, AbortSignal.abort())).rejects.toBeInstanceOf(StartStopped);
  expect(attempts()).toBe(1);
});

test.each([
  ['the last attempt at a database', [lost(), lost(), lost()]],
  ['what an operator would have to correct', [lost(), new StartError('Nothing answers.')]],
])('L17: a start that is asked to stop in %s is stopped, as at any other step', async (_, errors) => {
  const asked = new AbortController();
  const { start } = failing(...errors);
  let left = errors.length;
  const stopped = () => {
    if (--left === 0) asked.abort();
    return start();
  };
  await expect(startWithDatabase(config, stopped, asked.signal)).rejects.toBeInstanceOf(StartStopped);
});

test('damage that a start finds is reported, also if it is asked to stop', async () => {
  const damage = new EctError(reject('LEDGER_CORRUPT', 'The head is gone from the store.'));
  await expect(startWithDatabase(config, failing(damage).start, AbortSignal.abort())).rejects.toBe(damage);
});
