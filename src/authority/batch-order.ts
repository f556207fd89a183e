// In which order the tokens of a batch are appended, so that a later one may follow an earlier one.

import type { Yielder } from '../concurrency/yielder.ts';
import type { VerifiedToken } from '../token/index.ts';

/** What the order rests on. */
interface Linked {
  readonly token: { readonly claims: Pick<VerifiedToken['claims'], 'jti' | 'pred'> } | undefined;
}

/**
 * Positions in an order in which a token comes after the predecessors of its own that are in the batch; linear in the links.
 * Tokens that wait for each other can never go in: they come last, and each gets its own reason.
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
  const order = [...items.keys()].filter((position) => waitsFor[position] === 0);
  for (const position of order) {
    for (const follower of followers[position]!) if (--waitsFor[follower]! === 0) order.push(follower);
  }
  if (order.length < items.length) order.push(...[...items.keys()].filter((position) => waitsFor[position]! > 0));
  return order;
}
