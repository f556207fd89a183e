// What the tests of the raw matrix share: two doors over the willing service, and how its requests are made.

import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { IssueRequestSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import { errorInfoOf, frame } from '../support/rpc-clients.ts';
import { GRPC, type RawCall } from './raw-call.ts';
import { callBoth, DOORS, type Seen, startTwoDoors, type TwoDoors } from './two-doors.ts';
import { type Reached, willingService } from './willing-service.ts';

export const ISSUE = '/ect.v1.AuthorityService/Issue';

/** The doors of one test file. After each test, every event must have been seen by it. */
export interface WillingDoors {
  readonly doors: TwoDoors;
  /** Calls that reached the procedure, at each door, in the order of DOORS. */
  readonly reached: readonly [lean: Reached, connect: Reached, node: Reached];
  /** Makes a call at both doors, which must agree. */
  call(raw: RawCall): Promise<Seen>;
}

export function useWillingDoors(waitFor?: () => Promise<void>): WillingDoors {
  const reached = [[], [], []] as [Reached, Reached, Reached];
  const held: { doors?: TwoDoors } = {};
  const doors = (): TwoDoors => held.doors ?? expect.fail('the doors are not open yet');
  beforeAll(async () => {
    held.doors = await startTwoDoors((door) => [willingService(reached[DOORS.indexOf(door)]!, waitFor)]);
  });
  afterEach(() => doors().expectNoFurtherEvents());
  afterAll(() => held.doors?.[Symbol.asyncDispose]());
  return {
    get doors() {
      return doors();
    },
    reached,
    call: (raw) => callBoth(doors(), raw),
  };
}

export function message(execAct: string): Uint8Array {
  return toBinary(IssueRequestSchema, create(IssueRequestSchema, { execAct }));
}

/** A call of Issue as every client makes it. */
export function issueCall(execAct: string, headers: RawCall['headers'] = {}): RawCall {
  return { path: ISSUE, headers: { ...GRPC, ...headers }, body: [frame(message(execAct))] };
}

/** A request of exactly so many bytes, more than 130. */
export function sized(bytes: number): Uint8Array {
  const exact = message('x'.repeat(bytes - 3));
  expect(exact).toHaveLength(bytes);
  return exact;
}

/** The reason in the answer, which is the one in the event too. */
export function reasonOf({ answer, events }: Seen): string {
  const reason = errorInfoOf(answer.details)?.reason ?? '';
  expect(events[0]?.['reason'] ?? '').toBe(reason);
  return reason;
}
