// Pending recordings in memory: the contract.

import { MemoryPendingRecordings } from '../../../src/stores/memory/index.ts';
import { pendingRecordingsContract } from '../../contracts/pending-recordings.ts';

pendingRecordingsContract('MemoryPendingRecordings', async (limits) => {
  const pending = new MemoryPendingRecordings(limits);
  return { pending, dispose: () => pending.close() };
});
