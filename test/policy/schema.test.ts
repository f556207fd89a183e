// The published schema: what policies may say, and that the service asks nothing that it does not describe.

import { describe, expect, test } from 'vitest';
import { ACTIONS } from '../../src/authority/index.ts';
import { requestOf } from '../../src/policy/authorizer.ts';
import { callerEntity } from '../../src/policy/entities.ts';
import { loadCedar } from '../../src/policy/index.ts';
import { FULL } from '../support/full.ts';
import { authorizerFor, policyText } from '../support/policy.ts';
import { fc } from '../support/random.ts';
import { asked, ISSUERS } from '../support/verify-inputs.ts';

const { readPolicy, requestFaults } = await loadCedar();

test('the schema has an action for each method that can be permitted, and no other', () => {
  const declared = [...policyText('ect.cedarschema').matchAll(/^ {2}action ((?:"\w+"(?:, )?)+)(?: in| appliesTo)/gm)];
  const names = declared.flatMap(([, list = '']) => list.split(', ').map((name) => name.slice(1, -1)));
  expect(names.toSorted()).toEqual([...ACTIONS].toSorted());
});

test('S10 every question that the service asks is one that the schema describes', () => {
  fc.assert(
    fc.property(asked, ({ caller, isAdministrator, question }) => {
      const principal = callerEntity(caller, isAdministrator ? ['administrators'] : [], ISSUERS[0]);
      expect(requestFaults(requestOf(caller, principal, question))).toEqual([]);
    }),
    { numRuns: FULL ? 2_000 : 150 },
  );
});

test('an action is in the group that the schema says', () => {
  const schema = policyText('ect.cedarschema');
  for (const group of ['write', 'verify', 'read', 'administer']) {
    const authorizer = authorizerFor(`permit (principal, action in ECT::Action::"${group}", resource);`);
    const declared = [...schema.matchAll(/^ {2}action ((?:"\w+"(?:, )?)+) in \["(\w+)"\]/gm)]
      .filter(([, , of]) => of === group)
      .flatMap(([, list = '']) => list.split(', ').map((name) => name.slice(1, -1)));
    const permitted = new Set<string>();
    fc.assert(
      fc.property(asked, ({ caller, question }) => {
        if (authorizer.authorize(caller, question).allowed) permitted.add(question.action);
      }),
      { numRuns: FULL ? 2_000 : 500 },
    );
    expect([...permitted].toSorted(), group).toEqual(declared.toSorted());
  }
});

describe('S10 a policy that cannot mean what it says is rejected, with its place', () => {
  test.each([
    ['a word that is no policy', 'permit everything;', 1],
    ['an action that there is not', 'permit (principal, action == ECT::Action::"Isue", resource);', 1],
    ['a kind of caller that there is not', 'permit (principal is ECT::User, action, resource);', 1],
    [
      'a circumstance that the action does not have',
      'permit (principal, action == ECT::Action::"GetEntry", resource)\nwhen { context.ttl < 10 };',
      2,
    ],
    [
      'a misspelt circumstance',
      'permit (principal, action == ECT::Action::"Issue", resource)\nwhen { context.tll < 10 };',
      2,
    ],
    [
      'a number that is compared with a text',
      'permit (principal, action == ECT::Action::"Issue", resource)\nwhen { context.ttl == "10" };',
      2,
    ],
    ['a template', 'permit (principal == ?principal, action, resource);', 1],
  ])('%s', (_title, text, line) => {
    const read = readPolicy(text);
    expect(read.ok).toBe(false);
    if (!read.ok) expect(read.problems[0]?.line).toBe(line);
  });

  test('two policies of one id', () => {
    const one = '@id("a") permit (principal, action, resource);';
    expect(readPolicy(one + one)).toMatchObject({ ok: false, problems: [{ message: expect.stringContaining('"a"') }] });
  });
});

test('ids are those of the annotations, and otherwise the place in the file', () => {
  const read = readPolicy('@id("first") permit (principal, action, resource);\nforbid (principal, action, resource);');
  expect(read.ok && read.policy.policies.map(({ id }) => id)).toEqual(['first', 'policy 2']);
});

test('what no rule permits is not permitted', () => {
  const authorizer = authorizerFor('permit (principal, action, resource) when { false };');
  fc.assert(
    fc.property(asked, ({ caller, question }) => {
      expect(authorizer.authorize(caller, question)).toMatchObject({ allowed: false, policies: [] });
    }),
    { numRuns: 200 },
  );
});
