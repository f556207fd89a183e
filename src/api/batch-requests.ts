// The inputs of a batch with a request id. Each is read once, before any item is processed.

import { type AuthorityContext, type BatchItem, type IssueInput, lockBatch } from '../authority/index.ts';
import type { Call } from '../calls/call.ts';
import { createYielder } from '../concurrency/yielder.ts';
import { EctError } from '../errors.ts';
import type { BatchIssueItem, IssueRequest } from '../gen/ect/v1/authority_pb.ts';

/** The cost of reading one input, in steps of the yielder. */
const STEPS_PER_INPUT = 250;

/**
 * Reads the inputs and locks the request id for them. Returns a function that returns the input of an index, with the key under which its
 * result is stored, or throws the reason why it cannot be read. Throws IDEMPOTENCY_CONFLICT if the id was used for other items.
 */
export async function lockBatchRequest(
  context: AuthorityContext,
  requestId: string,
  items: readonly BatchIssueItem[],
  call: Call,
  read: (request: IssueRequest) => IssueInput,
): Promise<(request: IssueRequest, place: number) => IssueInput> {
  const inputs: (IssueInput | EctError | undefined)[] = [];
  const yielder = createYielder(call);
  for (const { request } of items) {
    if (yielder.step(STEPS_PER_INPUT)) await yielder.yield();
    inputs.push(request && readOrReject(() => read(request)));
  }
  const held = items.map(({ reference, request }, place): BatchItem => {
    const input = inputs[place];
    return { reference, isDryRun: request?.dryRun === true, input: input instanceof EctError ? undefined : input };
  });
  const keyOf = await lockBatch(context, call.caller, requestId, held, call);
  return (_request, place) => {
    const input = inputs[place];
    if (input instanceof EctError) throw input;
    if (input === undefined) throw new TypeError('an item without a request has no input');
    return input.requestId === '' ? { ...input, requestId: keyOf(place) } : input;
  };
}

function readOrReject(read: () => IssueInput): IssueInput | EctError {
  try {
    return read();
  } catch (error) {
    if (error instanceof EctError) return error;
    throw error;
  }
}
