import { describe, expect, test } from 'vitest';
import { type JsonObject, policyIn } from '../../src/token/index.ts';
import { isRejection } from '../../src/token/read-claims.ts';

const decided = { pol: 'policy_v1', pol_decision: 'approved' };

function faultIn(members: JsonObject): string {
  const policy = policyIn(members);
  return isRejection(policy) ? `${policy.reason} ${policy.metadata['claim']}` : 'none';
}

test('a token without policy claims has no policy', () => {
  expect(policyIn(undefined)).toBeUndefined();
  expect(policyIn({})).toBeUndefined();
  expect(policyIn({ 'com.example.pol': 'x', reason: 'x', metadata: {} })).toBeUndefined();
});

test('what is absent is empty, undefined or false', () => {
  expect(policyIn(decided)).toEqual({
    pol: 'policy_v1',
    decision: 'approved',
    enforcer: '',
    timestamp: undefined,
    compensation: false,
    compensationReason: '',
  });
  expect(policyIn({ compensation_required: false })).toMatchObject({
    pol: '',
    decision: undefined,
    compensation: false,
  });
});

test.each(['approved', 'rejected', 'pending_human_review'])('a decision may be %s', (decision) => {
  expect(policyIn({ ...decided, pol_decision: decision })).toMatchObject({ decision });
});

describe('a policy claim is rejected', () => {
  test.each<[string, JsonObject]>([
    ['pol', { pol_decision: 'approved' }],
    ['pol_decision', { pol: 'p' }],
    ['pol', { ...decided, pol: '' }],
    ['pol', { ...decided, pol: 7 }],
    ['pol', { ...decided, pol: null }],
    ['pol', { ...decided, pol: 'a\nb' }],
    ['pol', { ...decided, pol: 'x'.repeat(2049) }],
    // Characters, of which UTF-16 may have two units each.
    ['pol', { ...decided, pol: '😀'.repeat(2049) }],
    ['pol_decision', { ...decided, pol_decision: 'Approved' }],
    ['pol_decision', { ...decided, pol_decision: '' }],
    ['pol_decision', { ...decided, pol_decision: null }],
    ['pol_decision', { ...decided, pol_decision: ['approved'] }],
    ['pol_enforcer', { pol_enforcer: '' }],
    ['pol_enforcer', { pol_enforcer: {} }],
    ['pol_timestamp', { pol_timestamp: '1' }],
    ['pol_timestamp', { pol_timestamp: 1.5 }],
    ['pol_timestamp', { pol_timestamp: -1 }],
    ['pol_timestamp', { pol_timestamp: 2 ** 53 }],
    ['pol_timestamp', { pol_timestamp: 253_402_300_800 }],
    ['pol_timestamp', { pol_timestamp: null }],
    ['compensation_required', { compensation_required: 'true' }],
    ['compensation_required', { compensation_required: 1 }],
    ['compensation_required', { compensation_required: null }],
    ['compensation_reason', { compensation_reason: '' }],
    ['compensation_reason', { compensation_reason: true }],
  ])('%s in %j', (claim, members) => {
    expect(faultIn(members)).toBe(`CLAIM_INVALID ${claim}`);
  });

  test('but not at its limit', () => {
    for (const character of ['x', 'é', '😀']) {
      const text = character.repeat(2048);
      expect(faultIn({ ...decided, pol: text, pol_enforcer: text, compensation_reason: text, pol_timestamp: 0 })).toBe(
        'none',
      );
    }
    expect(faultIn({ ...decided, pol_timestamp: 253_402_300_799 })).toBe('none');
  });

  test('and the rejection says what is allowed', () => {
    expect(policyIn({ ...decided, pol_decision: 'maybe' })).toMatchObject({
      message: 'pol_decision must be approved, rejected or pending_human_review.',
    });
  });
});
