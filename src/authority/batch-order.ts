// In which order the tokens of a batch are appended, so that a later one may follow an earlier one.

import type { Yielder } from '../concurrency/yielder.ts';
import type { VerifiedToken } from '../token/index.ts';

/** What the order rests on. */
interface Linked {
  readonly token: { readonly claims: Pick<VerifiedToken['claims'], 'jti' | 'pred'> } | undefined;
}

/**
 * Positions in the order of the batch, except that a token waits for predecessors of its own that come later: it follows the last of them
 * at once. Linear in the links. Tokens that wait for each other can never go in: they come last, and each gets its own reason.
 */
export async function planOrder(items: readonly Linked[], yielder: Yielder): Promise<readonly number[]> {
  const positions = new Map<string, number>();
  // Where several tokens claim one task, one of them at most goes in: waiting for the first is enough.
  for (const [position, { token }] of items.entries()) {
    if (token !== undefined && !positions.has(token.claims.jti)) positions.set(token.claims.jti, position);
  }
  const followers: number[][] = items.map(() => []);
  const waitsFor: number[] = [];
  for (const [position, { token }] of items.entries()) {
    const pred = token?.claims.pred ?? [];
    if (yielder.step(pred.length)) await yielder.yield();
    const awaited = pred.map((jti) => positions.get(jti)).filter((earlier) => earlier !== undefined);
    for (const earlier of awaited) followers[earlier]!.push(position);
    waitsFor.push(awaited.length);
  }
  const order: number[] = [];
  /** Positions that have been passed, and wait for nothing any more; the first one first. */
  const released: number[] = [];
  const place = (position: number, passed: number) => {
    order.push(position);
    for (const follower of followers[position]!) {
      if (--waitsFor[follower]! === 0 && follower < passed) insert(released, follower);
    }
  };
  for (const position of items.keys()) {
    if (waitsFor[position]! > 0) continue;
    place(position, position);
    for (let next = released.shift(); next !== undefined; next = released.shift()) place(next, position);
  }
  if (order.length < items.length) order.push(...[...items.keys()].filter((position) => waitsFor[position]! > 0));
  return order;
}

/** Keeps the numbers in order. Followers come in order, so a number is nearly always the last. */
function insert(numbers: number[], number: number): void {
  let at = numbers.length;
  while (at > 0 && numbers[at - 1]! > number) at--;
  numbers.splice(at, 0, number);
}
