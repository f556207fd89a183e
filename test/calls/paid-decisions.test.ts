// A caller pays for the decisions that no cache knows, so that cheap calls of others do not wait.

import { describe, expect, test, vi } from 'vitest';
import type { Caller, PermissionQuestion } from '../../src/authority/index.ts';
import { createCalls } from '../../src/calls/calls.ts';
import { createResources, DEFAULT_PROCESS_LIMITS } from '../../src/limits/index.ts';
import { PolicyAuthorizer } from '../../src/policy/index.ts';
import { inForce } from '../support/policy.ts';
import { arrival, caller, noRequest, setUp } from './arrivals.ts';

const POLICY = 'permit (principal, action, resource) when { context has exec_act && context.exec_act != "x" };';

function make() {
  const options = { issuer: 'urn:ect:dev', isAdministrator: () => false, onRejected: () => undefined };
  const authorizer = new PolicyAuthorizer(options, inForce(POLICY));
  const resources = createResources(DEFAULT_PROCESS_LIMITS);
  const charge = vi.spyOn(resources.scheduler, 'charge');
  const { service, events, endOfStreams, identify } = setUp(() => ({}));
  const calls = createCalls({ events, identify, endOfStreams: endOfStreams.signal, authorizer, resources });
  const decide = (asking: Caller, exec_act: string) => {
    const question: PermissionQuestion = {
      action: 'Issue',
      resource: { kind: 'issuer', iss: 'a:b' },
      context: { exec_act },
    };
    return authorizer.authorize(asking, question);
  };
  const askingService = { ...service, asksItself: ['getKeySet'] };
  return { calls, charge, decide, service: askingService };
}

describe('a decision', () => {
  test('of the engine is charged to the account of the call that asked for it, a cached one is not', async () => {
    const { calls, charge, decide, service } = make();
    const call = calls.open(arrival, 'unary', undefined);
    await calls.run(service, 'getKeySet', noRequest, call);
    decide(call.caller, 'a');
    expect(charge.mock.calls).toEqual([[call.account, expect.any(Number)]]);
    decide(call.caller, 'a');
    expect(charge).toHaveBeenCalledTimes(1);
    decide(call.caller, 'b');
    expect(charge).toHaveBeenCalledTimes(2);
  });

  test('that was held up by a pause of the machine counts four times the usual one at most', async () => {
    const { calls, charge, decide, service } = make();
    const call = calls.open(arrival, 'unary', undefined);
    await calls.run(service, 'getKeySet', noRequest, call);
    const now = vi.spyOn(performance, 'now');
    const decideIn = (ms: number, exec_act: string) => {
      let readings = 0;
      now.mockImplementation(() => (readings++ === 0 ? 1_000 : 1_000 + ms));
      decide(call.caller, exec_act);
    };
    try {
      for (let nth = 0; nth < 200; nth++) decideIn(1, `usual ${nth}`);
      decideIn(1_000, 'held up');
    } finally {
      now.mockRestore();
    }
    expect(charge.mock.lastCall?.[1]).toBeCloseTo(4, 3);
  });

  test('for a caller without a call is charged to nobody', () => {
    const { charge, decide } = make();
    decide(caller, 'a');
    expect(charge).not.toHaveBeenCalled();
  });
});
