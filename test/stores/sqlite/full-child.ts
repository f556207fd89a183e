// Commits until the disk rejects, under a limit of the file size. Prints what the store answers before and after.

import { SqliteLedgerStore } from '../../../src/stores/sqlite/index.ts';
import { candidate, EMPTY_HEAD, honestSeal } from '../../support/honest-seal.ts';

const [path] = process.argv.slice(2) as [string];

const store = SqliteLedgerStore.open(path);
await store.initialise(EMPTY_HEAD, 'test+key');
for (let turn = 0; ; turn++) {
  try {
    await store.commit([candidate(`task ${turn}`, { content: 'x'.repeat(5_000) })], honestSeal());
    console.log(`committed ${turn}`);
  } catch (error) {
    console.log(`rejected ${(error as { reason: string }).reason}: ${(error as Error).message}`);
    break;
  }
}
await store.commit([candidate('small')], honestSeal()).catch((error) => {
  console.log(`rejected ${error.reason}: ${error.message}`);
});
console.log(`reads ${(await store.head())?.size} ${(await store.find('', 'task 0'))?.content?.length}`);
