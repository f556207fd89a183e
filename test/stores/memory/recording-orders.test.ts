// Recording orders in memory: the contract.

import { MemoryRecordingOrders } from '../../../src/stores/memory/index.ts';
import { recordingOrdersContract } from '../../contracts/recording-orders.ts';

recordingOrdersContract('MemoryRecordingOrders', async (limits) => {
  const orders = new MemoryRecordingOrders(limits);
  return { orders, dispose: () => orders.close() };
});
