// The ledger in memory.

import { MemoryLedgerStore } from '../../../src/stores/memory/index.ts';
import { ledgerStoreContract } from '../../contracts/ledger-store.ts';

ledgerStoreContract('MemoryLedgerStore', async () => {
  const store = new MemoryLedgerStore();
  return { store, dispose: () => store.close() };
});
