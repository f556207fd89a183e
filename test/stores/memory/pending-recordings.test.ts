// Recording orders in memory: the contract.

import { MemoryPendingRecordings } from '../../../src/stores/memory/index.ts';
import { pendingRecordingsContract } from '../../contracts/pending-recordings.ts';

pendingRecordingsContract('MemoryPendingRecordings', async (limits) => {
  const orders = new MemoryPendingRecordings(limits);
  return { orders, dispose: () => orders.close() };
});
