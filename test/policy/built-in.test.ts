// The built-in rules are code, and policy/default.cedar says them. Both decide the same, and as the functions that they stand for.

import { expect, test } from 'vitest';
import { isOwnName } from '../../src/authority/index.ts';
import { BUILT_IN, PolicyAuthorizer } from '../../src/policy/index.ts';
import { FULL } from '../support/full.ts';
import { inForce, policyText } from '../support/policy.ts';
import { fc } from '../support/random.ts';
import { asked, ISSUERS } from '../support/verify-inputs.ts';

const written = inForce(policyText('default.cedar'));

test('T27 the built-in rules and the policy that one can print decide the same, by the same policies', () => {
  fc.assert(
    fc.property(asked, fc.constantFrom(...ISSUERS), ({ caller, isAdministrator, question }, issuer) => {
      const options = { issuer, isAdministrator: () => isAdministrator, onRejected: () => undefined };
      const code = new PolicyAuthorizer(options, BUILT_IN).authorize(caller, question);
      const policy = new PolicyAuthorizer(options, written).authorize(caller, question);
      expect({ allowed: policy.allowed, policies: policy.policies.toSorted() }).toEqual({
        allowed: code.allowed,
        policies: code.policies.toSorted(),
      });
      if (question.resource.kind === 'issuer') {
        expect(code.allowed).toBe(isOwnName(caller, question.resource.iss, issuer));
      }
    }),
    { numRuns: FULL ? 10_000 : 1_000 },
  );
});

test('the built-in rules permit something of everything, so that the comparison is of more than rejections', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(asked, ({ caller, isAdministrator, question }) => {
      const options = { issuer: ISSUERS[0], isAdministrator: () => isAdministrator, onRejected: () => undefined };
      const { allowed } = new PolicyAuthorizer(options, BUILT_IN).authorize(caller, question);
      seen.add(`${question.action} ${allowed}`);
    }),
    { numRuns: 3_000 },
  );
  expect(seen).toContain('Issue true');
  expect(seen).toContain('Issue false');
  expect(seen).toContain('RotateKey true');
  expect(seen).toContain('RotateKey false');
  expect([...seen].filter((line) => line.endsWith(' true'))).toHaveLength(16);
});
