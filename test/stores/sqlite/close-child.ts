// Closes a ledger while its pages are being moved, when nothing else keeps the process alive.

import { SqliteLedgerStore } from '../../../src/stores/sqlite/index.ts';
import { candidate, EMPTY_HEAD, honestSeal } from '../../support/honest-seal.ts';

const [path] = process.argv.slice(2) as [string];

const store = SqliteLedgerStore.open(path);
await store.initialise(EMPTY_HEAD, 'test+key');
// One commit of 20 MiB: the move begins with it, and the close comes at once.
await store.commit([candidate('large', { content: 'x'.repeat(20 * 2 ** 20) })], honestSeal());
await store.close();
console.log('closed');
