// Records tasks without a pause, as fast as the disk takes them. Prints the size of the ledger after each commit.

import { filesIn } from '../../src/data-directory/data-dir.ts';
import { task } from '../stores/sqlite/recorded-ledger.ts';
import { openOwnLedger } from './ledgers.ts';

/** No other task has such a number. */
const UNUSED = 10_000_000;
const [dataDir = ''] = process.argv.slice(2);
const ledger = await openOwnLedger(filesIn(dataDir));
for (let number = UNUSED; ; number += 16) {
  await Promise.all(Array.from({ length: 16 }, (_, at) => ledger.append(task(number + at))));
  process.stdout.write(`${ledger.size()}\n`);
}
