// What the tests of the raw matrix share: two transports over the willing service, and how its requests are made.

import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { IssueRequestSchema } from '../../../src/gen/ect/v1/authority_pb.ts';
import { errorInfoOf, frame } from '../../support/rpc-clients.ts';
import { type BothTransports, callBoth, type Seen, startBothTransports, TRANSPORTS } from './both-transports.ts';
import { permissiveService, type Reached } from './permissive-service.ts';
import { GRPC, type RawCall } from './raw-call.ts';

export const ISSUE = '/ect.v1.AuthorityService/Issue';

/** The transports of one test file. After each test, every event must have been seen by it. */
export interface PermissiveTransports {
  readonly transports: BothTransports;
  /** Calls that reached the procedure, at each transport, in the order of DOORS. */
  readonly reached: readonly [lean: Reached, connect: Reached, node: Reached];
  /** Makes a call at both transports, which must agree. */
  call(raw: RawCall): Promise<Seen>;
}

export function usePermissiveTransports(waitFor?: () => Promise<void>): PermissiveTransports {
  const reached = [[], [], []] as [Reached, Reached, Reached];
  const held: { transports?: BothTransports } = {};
  const transports = (): BothTransports => held.transports ?? expect.fail('the transports are not open yet');
  beforeAll(async () => {
    held.transports = await startBothTransports((transport) => [
      permissiveService(reached[TRANSPORTS.indexOf(transport)]!, waitFor),
    ]);
  });
  afterEach(() => transports().expectNoFurtherEvents());
  afterAll(() => held.transports?.[Symbol.asyncDispose]());
  return {
    get transports() {
      return transports();
    },
    reached,
    call: (raw) => callBoth(transports(), raw),
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
