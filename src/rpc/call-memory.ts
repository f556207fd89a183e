// What a call on a Node response keeps in memory, its request and its answer, held against the budget of the process.

import type { Account, MemoryBudget } from '../limits/index.ts';
import type { NodeResponse } from './refusals.ts';

/** Reserves so many more bytes until the response is over. Answers whether there is room. */
export type Reserve = (bytes: number) => boolean;

/** To be called before anything is awaited. When others need the room more, the response is destroyed. */
export function callMemory(budget: MemoryBudget, account: Account, response: NodeResponse): Reserve {
  const reservation = budget.open(account, () => response.destroy());
  response.once('close', () => reservation.close());
  return (bytes) => reservation.grow(bytes);
}
