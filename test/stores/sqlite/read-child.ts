// Opens a new file and an old one for writing, then the old one for reading, as somebody who may write neither.

import { SqliteLedgerStore } from '../../../src/stores/sqlite/index.ts';

const [path, newPath] = process.argv.slice(2) as [string, string];

// Root may write everywhere; `nobody` may not.
if (process.getuid?.() === 0) process.setuid?.(65_534);

for (const file of [newPath, path]) {
  try {
    SqliteLedgerStore.open(file);
    console.log(`opened ${file}`);
  } catch (error) {
    console.log(`${(error as { reason: string }).reason} ${(error as Error).message}`);
  }
}
const store = SqliteLedgerStore.openReadOnly(path);
console.log(`size ${(await store.head())?.size}, entry 0 ${(await store.at(0))?.name}`);
await store.close();
