// A permission that names a kind of identity never matches through a kind that it does not name, nor through a name that only looks alike.

import { describe, expect, test } from 'vitest';
import type { Caller, PermissionQuestion } from '../../src/authority/index.ts';
import { workload } from '../support/callers.ts';
import { authorizerFor } from '../support/policy.ts';
import { CALLERS } from '../support/verify-inputs.ts';

const VERIFY: PermissionQuestion = { action: 'Verify', resource: { kind: 'authority' }, context: { aud: [] } };
const A = workload('spiffe://prod.example/a');

const [SUBJECT, FORWARDED] = CALLERS.slice(-2);

/** Which of the callers a scope of principals lets through. */
function matched(scope: string, limits?: string): readonly Caller[] {
  const authorizer = authorizerFor(`permit (${scope}, action, resource);`, limits === undefined ? {} : { limits });
  return CALLERS.filter((caller) => authorizer.authorize(caller, VERIFY).allowed);
}

describe('A8 the name of one kind is nothing to another kind', () => {
  test('a workload is itself, whatever proved it, and no other', () => {
    expect(matched('principal == ECT::Workload::"spiffe://prod.example/a"')).toEqual([A, FORWARDED]);
  });

  test('A8 a subject of an OIDC provider is no workload, though its name is spelled as one', () => {
    for (const scope of [
      'principal == ECT::OidcSubject::"spiffe://prod.example/a"',
      'principal is ECT::OidcSubject',
      'principal in ECT::Provider::"https://idp.example"',
    ]) {
      expect(matched(scope), scope).toEqual([SUBJECT]);
    }
    expect(matched('principal is ECT::Workload')).not.toContain(SUBJECT);
    expect(matched('principal in ECT::TrustDomain::"prod.example"')).not.toContain(SUBJECT);
  });

  test.each([
    'principal == ECT::OidcSubject::"spiffe://other.example/a"',
    'principal == ECT::Anonymous::"spiffe://prod.example/a"',
    'principal in ECT::Provider::"prod.example"',
    'principal in ECT::TrustDomain::"https://idp.example"',
    'principal in ECT::Group::"prod.example"',
    'principal == ECT::Workload::"anonymous"',
    'principal == ECT::Workload::"spiffe://PROD.example/a"',
    'principal == ECT::Workload::"spiffe://prod.example/a/"',
    'principal in ECT::TrustDomain::"prod"',
  ])('%s is nobody here', (scope) => {
    expect(matched(scope)).toEqual([]);
  });

  test('A8 a trust domain has its own workloads, and none of another domain with the same path', () => {
    expect(matched('principal in ECT::TrustDomain::"other.example"')).toEqual([workload('spiffe://other.example/a')]);
  });

  test('a group has the members of the kind that is named', () => {
    const limits = (member: unknown) => JSON.stringify({ groups: { g: [member] } });
    const scope = 'principal in ECT::Group::"g"';
    expect(matched(scope, limits({ workload: A.id }))).toEqual([A, FORWARDED]);
    expect(matched(scope, limits({ oidc: A.id }))).toEqual([SUBJECT]);
    expect(matched(scope, limits({ provider: 'https://idp.example' }))).toEqual([SUBJECT]);
    expect(matched(scope, limits('anonymous'))).toEqual([{ kind: 'anonymous' }]);
    expect(matched(scope, limits({ trust_domain: 'other.example' }))).toEqual([workload('spiffe://other.example/a')]);
    expect(matched(scope, limits('everyone'))).toEqual(CALLERS);
  });
});

describe('T27 a name below a name', () => {
  const below = authorizerFor(
    'permit (principal, action == ECT::Action::"Issue", resource in ECT::Issuer::"spiffe://prod.example/a");',
  );
  const mayIssueAs = (iss: string) => {
    const context = { iss, aud: [], exec_act: '', wid: '', ttl: 1, level: 2, inp_hash: false, out_hash: false };
    return below.authorize(A, { action: 'Issue', resource: { kind: 'issuer', iss }, context }).allowed;
  };

  test.each(['spiffe://prod.example/a', 'spiffe://prod.example/a/b', 'spiffe://prod.example/a/b/c'])('%s is', (iss) => {
    expect(mayIssueAs(iss)).toBe(true);
  });

  test.each([
    'spiffe://prod.example',
    'spiffe://prod.example/ab',
    'spiffe://prod.example/a/',
    'spiffe://prod.example/a/../b',
    'spiffe://prod.example/a/%2e%2e/b',
    'spiffe://prod.example/a//b',
    'spiffe://prod.example/a/b;p',
    'spiffe://prod.example/a/b?q',
    'spiffe://prod.example/a\n/b',
    `spiffe://prod.example/a/${'b/'.repeat(2_000)}b`,
  ])('%s is not', (iss) => {
    expect(mayIssueAs(iss)).toBe(false);
  });
});
