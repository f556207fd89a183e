// Commits to the ledger of a file: names of its own and names that its siblings use too. Prints what each commit added.

import { SqliteLedgerStore } from '../../../src/stores/sqlite/index.ts';
import { candidate, EMPTY_HEAD, honestSeal } from '../../support/honest-seal.ts';

const [path, who, commits] = process.argv.slice(2) as [string, string, string];

const store = SqliteLedgerStore.open(path);
// The first process initialises the file; the others find it initialised.
await store.initialise(EMPTY_HEAD, 'test+key').catch((error) => {
  if (error.reason !== 'LEDGER_CORRUPT') throw error;
});
for (let turn = 0; turn < Number(commits); turn++) {
  const { placements } = await store.commit(
    [candidate(`${who} ${turn}`), candidate(`shared ${turn}`, { content: who })],
    honestSeal(turn),
  );
  for (const { added, record } of placements) if (added) console.log(`${record.index} ${record.name}`);
}
await store.close();
