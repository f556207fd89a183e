// The orders of a batch that has a request id: each is read once, before anything is done for any of them.

import { type AuthorityParts, type BatchItem, holdBatch, type IssueOrder } from '../authority/index.ts';
import { EctError } from '../errors.ts';
import type { BatchIssueItem, IssueRequest } from '../gen/ect/v1/authority_pb.ts';
import { createPace } from '../pace.ts';
import type { Call } from './call.ts';

/** What it costs to read an order, in steps. */
const STEPS_PER_ORDER = 250;

/**
 * Reads the orders and holds the id for them. Answers the order of each place, under the key that it is remembered by, or throws why
 * it cannot be read. IDEMPOTENCY_CONFLICT where the id stands for other items.
 */
export async function holdOrders(
  parts: AuthorityParts,
  requestId: string,
  items: readonly BatchIssueItem[],
  call: Call,
  read: (request: IssueRequest) => IssueOrder,
): Promise<(request: IssueRequest, place: number) => IssueOrder> {
  const orders: (IssueOrder | EctError | undefined)[] = [];
  const pace = createPace(call);
  for (const { request } of items) {
    if (pace.step(STEPS_PER_ORDER)) await pace.rest();
    orders.push(request && readOrRefuse(() => read(request)));
  }
  const held = items.map(({ reference, request }, place): BatchItem => {
    const order = orders[place];
    return { reference, isDryRun: request?.dryRun === true, order: order instanceof EctError ? undefined : order };
  });
  const keyOf = await holdBatch(parts, call.caller, requestId, held, call);
  return (_request, place) => {
    const order = orders[place];
    if (order instanceof EctError) throw order;
    if (order === undefined) throw new TypeError('a place without a request has no order');
    return order.requestId === '' ? { ...order, requestId: keyOf(place) } : order;
  };
}

function readOrRefuse(read: () => IssueOrder): IssueOrder | EctError {
  try {
    return read();
  } catch (error) {
    if (error instanceof EctError) return error;
    throw error;
  }
}
