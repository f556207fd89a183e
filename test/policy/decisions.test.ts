// Decisions are cached by what they can depend on and by nothing more; the cache never changes one.

import { describe, expect, test } from 'vitest';
import type { PermissionQuestion } from '../../src/authority/index.ts';
import { contextAttributes } from '../../src/policy/attributes.ts';
import { DecisionCache, keyOf } from '../../src/policy/decision-cache.ts';
import { NO_LIMITS, PolicyAuthorizer } from '../../src/policy/index.ts';
import type { CompiledPolicy } from '../../src/policy/policy-file.ts';
import { FULL } from '../support/full.ts';
import { authorizerFor, inForce, policyText } from '../support/policy.ts';
import { fc } from '../support/random.ts';
import { asked, CALLERS } from '../support/verify-inputs.ts';

const EXAMPLES = ['own-entries', 'gateway', 'trading', 'auditor', 'separation'].map((name) =>
  policyText(`examples/${name}.cedar`),
);

test('a remembered decision is the one that the engine makes of the same question', () => {
  for (const text of [...EXAMPLES, policyText('default.cedar')]) {
    const options = { issuer: 'urn:ect:dev', isAdministrator: () => false, onRejected: () => undefined };
    const remembering = new PolicyAuthorizer(options, inForce(text));
    const { policy } = inForce(text);
    fc.assert(
      fc.property(asked, ({ caller, question }) => {
        const forgetful = new PolicyAuthorizer(options, { policy, limits: NO_LIMITS, digest: 'test' });
        expect(remembering.authorize(caller, question)).toEqual(forgetful.authorize(caller, question));
      }),
      { numRuns: FULL ? 2_000 : 100 },
    );
  }
});

/** Counts what the engine is asked. */
function counting(text: string) {
  const { policy, ...rest } = inForce(text);
  if (policy === undefined) throw new Error('no policy');
  let calls = 0;
  const counted: CompiledPolicy = {
    ...policy,
    decide: (request) => {
      calls++;
      return policy.decide(request);
    },
  };
  const options = { issuer: 'urn:ect:dev', isAdministrator: () => false, onRejected: () => undefined };
  return { authorizer: new PolicyAuthorizer(options, { ...rest, policy: counted }), calls: () => calls };
}

const [, A] = CALLERS;

function issue(more: object): PermissionQuestion {
  const iss = 'spiffe://prod.example/a';
  const context = { iss, aud: ['x'], exec_act: 'a', wid: 'w', ttl: 60, level: 2, inp_hash: false, out_hash: false };
  return { action: 'Issue', resource: { kind: 'issuer', iss }, context: { ...context, ...more } };
}

describe('what a policy does not look at asks no new question', () => {
  test('of Issue', () => {
    const { authorizer, calls } = counting(policyText('examples/gateway.cedar'));
    for (let nth = 0; nth < 50; nth++) authorizer.authorize(A!, issue({ wid: `w${nth}`, aud: [`a${nth}`] }));
    expect(calls()).toBe(1);
    authorizer.authorize(A!, issue({ ttl: 61 }));
    authorizer.authorize(A!, issue({ exec_act: 'b' }));
    expect(calls()).toBe(3);
  });

  test('of entries: one decision for a whole page, unless the policy distinguishes issuers or workflows', () => {
    const ask = (text: string) => {
      const { authorizer, calls } = counting(text);
      for (let nth = 0; nth < 50; nth++) {
        const entry = { kind: 'task', iss: `urn:x:${nth % 5}`, wid: `w${nth % 10}` } as const;
        authorizer.authorize(A!, { action: 'ListEntries', resource: { kind: 'entry', entry }, context: {} });
      }
      return calls();
    };
    expect(ask('permit (principal, action in ECT::Action::"read", resource);')).toBe(1);
    expect(ask('permit (principal, action in ECT::Action::"read", resource in ECT::Issuer::"urn:x");')).toBe(5);
    expect(ask('permit (principal, action in ECT::Action::"read", resource in ECT::Workflow::"w1");')).toBe(10);
  });

  test('H27 a call that is rejected again and again asks the engine once', () => {
    const { authorizer, calls } = counting('forbid (principal, action, resource);');
    for (let nth = 0; nth < 20; nth++) {
      const question = issue({});
      authorizer.rejected(A!, question, authorizer.authorize(A!, question));
    }
    expect(calls()).toBe(1);
  });

  test('a replaced policy decides again', () => {
    const authorizer = authorizerFor('permit (principal, action, resource);');
    expect(authorizer.authorize(A!, issue({})).allowed).toBe(true);
    authorizer.replace(inForce('forbid (principal, action, resource);'));
    expect(authorizer.authorize(A!, issue({})).allowed).toBe(false);
  });
});

test('a context that is used as a whole counts as a whole', () => {
  const policy = (body: unknown) => [{ effect: 'permit', conditions: [{ kind: 'when', body }] }];
  const context = { Var: 'context' };
  expect(contextAttributes(policy({ '.': { left: context, attr: 'ttl' } }))).toEqual(new Set(['ttl']));
  expect(contextAttributes(policy({ has: { left: context, attr: 'ttl' } }))).toEqual(new Set(['ttl']));
  expect(contextAttributes(policy({ '==': { left: context, right: { Record: {} } } }))).toBe('all');
  expect(contextAttributes(policy({ Set: [{ '.': { left: context, attr: 'ttl' } }, context] }))).toBe('all');
});

describe('the memory', () => {
  const decision = { allowed: true, policies: [], errors: [], digest: '' };

  test('H27 is bounded in number, and keeps what was used last', () => {
    const cache = new DecisionCache(2);
    cache.put('a', decision);
    cache.put('b', decision);
    cache.get('a');
    cache.put('c', decision);
    expect(['a', 'b', 'c'].map((key) => cache.get(key) !== undefined)).toEqual([true, false, true]);
    expect(cache.size).toBe(2);
  });

  test('does not keep a question that is long', () => {
    const cache = new DecisionCache();
    cache.put('x'.repeat(2_049), decision);
    expect(cache.size).toBe(0);
  });

  test('no two lists of texts have one key', () => {
    const parts = fc.array(fc.string({ maxLength: 4 }), { maxLength: 4 });
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        expect(keyOf(one) === keyOf(other)).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
    );
  });
});
