// Every way in which a call can end with a rejection, at both transports: the same status, message and details.

import { describe, expect, test } from 'vitest';
import { REASONS } from '../../../src/errors.ts';
import { errorInfoOf, frame } from '../../support/rpc-clients.ts';
import { issueCall, reasonOf, usePermissiveTransports } from './permissive-transports.ts';

const willing = usePermissiveTransports();

describe('every reason has the same status, message and details', () => {
  test.each(Object.keys(REASONS))('%s', async (reason) => {
    const seen = await willing.call(issueCall(reason));
    expect(seen.answer).toMatchObject({ status: 200, contentType: 'application/grpc', further: [], resetCode: 0 });
    // An outermost INTERNAL is logged as a bug; here it is one that was ordered.
    expect(reasonOf(seen)).toBe(reason);
  });
});

test.each(['bug', 'impossible'])(
  'S1: %s is INTERNAL at both, is logged once, and nothing of the inside leaves',
  async (execAct) => {
    const bugs = () => willing.transports.both.map((side) => side.bugs().length);
    const before = bugs();
    const { answer } = await willing.call(issueCall(execAct));
    expect(errorInfoOf(answer.details)?.reason).toBe('INTERNAL');
    expect(answer.grpcMessage).toBe('the service failed. Report this as a bug, with the time of the call.');
    expect(bugs()).toEqual(before.map((count) => count + 1));
  },
);

test('an answer that rejects is OK, and its event has the reason', async () => {
  const { answer, events } = await willing.call({
    path: '/ect.v1.AuthorityService/Verify',
    body: [frame(new Uint8Array())],
  });
  expect(answer.grpcStatus).toBe('0');
  expect(events).toMatchObject([{ outcome: 'refused', code: 'OK', reason: 'TOKEN_EXPIRED' }]);
});
