// A policy file without a policy.

import { describe, expect, test } from 'vitest';
import { readPolicy, readPolicyInSlices } from '../../src/policy/cedar.ts';

describe('a file without a policy is a mistake: one that is being replaced is empty for a moment', () => {
  test.each(['', '\n', '// permit (principal, action, resource);\n'])('%j', async (text) => {
    const fault = { ok: false, problems: [{ line: 1, column: 1, message: expect.stringContaining('no policy in') }] };
    expect(readPolicy(text)).toEqual(fault);
    expect(await readPolicyInSlices(text)).toEqual(fault);
  });

  test('the policy that its message names permits nothing', () => {
    expect(readPolicy('forbid (principal, action, resource);')).toMatchObject({ ok: true, warnings: [] });
  });
});
