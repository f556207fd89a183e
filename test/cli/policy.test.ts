// `ect policy`: what an operator learns of a policy before a service does.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { policyText } from '../support/policy.ts';
import { ect } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'ect-policy-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

const example = join(import.meta.dirname, '../../policy/examples/gateway.cedar');

describe('ect policy check', () => {
  test('names the policies of a good file', async () => {
    const { code, out, err } = await ect(['policy', 'check', example]);
    expect([code, err]).toEqual([0, '']);
    expect(out).toBe(
      '✓ 4 policies: gateway-issues-below-itself, no-payments-by-agents, verify, read-the-gateways-entries\n',
    );
  });

  test('tells each mistake with its line, and exits with 1', async () => {
    const bad = file('bad.cedar', 'permit (principal, action, resource)\nwhen { principal.name == "a" };');
    const { code, err } = await ect(['policy', 'check', bad]);
    expect(code).toBe(1);
    expect(err.split('\n')).toEqual([
      expect.stringMatching(/policy_invalid.*: a mistake$/),
      // Cedar states it for every kind of caller.
      expect.stringMatching(/^ {2}.*bad\.cedar:2:\d+: attribute `name` on entity type .* \(and for 2 other types/),
      expect.stringMatching(/^ {2}next: /),
      '',
    ]);
  });

  test('a file that is not there is wrong usage', async () => {
    expect((await ect(['policy', 'check', join(folder, 'none.cedar')])).code).toBe(2);
  });

  test('mistakes in the limits are reported with their place', async () => {
    const limits = file('limits.json', '{"limits":[{"for":"me"}]}');
    const { code, err } = await ect(['policy', 'check', example, '--limits', limits]);
    expect(code).toBe(1);
    expect(err).toContain(`\n  ${limits}: limits[0].for: must be`);
  });

  test('every mistake of all files is on a line of its own, with its place; as JSON they are a list', async () => {
    const bad = file(
      'all.cedar',
      'permit (principal, action, resource)\nwhen { context.exec_actt == "a" };\npermit (principal == ECT::Workloadd::"x", action, resource);',
    );
    const limits = file('all.json', '{"limits": [\n  {"for" "everyone"}]}');
    const cases = file('cases.json', '{"cases": [{"expect": "maybe", "action": "Sign", "caller": "anonymous"}]}');
    const places = [
      `${bad}:2:8: `,
      `${bad}:3:22: `,
      `${limits}:2:10: It is not strict JSON: `,
      `${cases}: cases[0].expect: `,
      `${cases}: cases[0].action: `,
    ];
    const { code, err } = await ect(['policy', 'test', bad, cases, '--limits', limits]);
    expect(code).toBe(1);
    const reported = err.split('\n').slice(1, 1 + places.length);
    for (const [at, place] of places.entries()) expect(reported[at]).toContain(`  ${place}`);
    expect(reported[0]).toContain('did you mean `exec_act`?');
    const { out } = await ect(['policy', 'test', bad, cases, '--limits', limits, '--json']);
    expect(JSON.parse(out).error.faults).toEqual(reported.map((line) => line.slice(2)));
  });

  test('a policy with the @id of another one is reported at its own position', async () => {
    const twice = file(
      'twice.cedar',
      '@id("a")\npermit (principal, action, resource);\n\n@id("a") permit (principal, action, resource);',
    );
    expect((await ect(['policy', 'check', twice])).err).toContain(`${twice}:4:1: another policy has the @id "a"`);
  });
});

describe('ect policy test', () => {
  const cases = (expectation: object) =>
    file(
      'cases.json',
      JSON.stringify({
        cases: [
          {
            name: 'a payment',
            caller: { workload: 'spiffe://prod.example/gateway' },
            action: 'Issue',
            iss: 'spiffe://prod.example/gateway/a',
            exec_act: 'pay',
            ttl: 60,
            ...expectation,
          },
        ],
      }),
    );

  test('a case with another decision is reported with the deciding policy, and the exit code is 1', async () => {
    const { code, out } = await ect(['policy', 'test', example, cases({ expect: 'allow' })]);
    expect(code).toBe(1);
    expect(out).toBe('✗ a payment: denied by no-payments-by-agents\n0 of 1 cases are decided as expected\n');
  });

  test('the right answer for another reason is another answer', async () => {
    expect((await ect(['policy', 'test', example, cases({ expect: 'deny', by: [] })])).code).toBe(1);
    expect(
      (await ect(['policy', 'test', example, cases({ expect: 'deny', by: ['no-payments-by-agents'] })])).code,
    ).toBe(0);
  });

  test.each([
    ['an expectation that is none', { expect: 'maybe' }, /cases\[0\]\.expect: must be/],
    ['an unknown member', { expect: 'deny', exec: 'pay' }, /cases\[0\]: has the unknown member "exec"/],
    ['an action that there is not', { expect: 'deny', action: 'Sign' }, /cases\[0\]\.action: must be one of/],
    ['a caller of no kind', { expect: 'deny', caller: 'spiffe://prod.example/a' }, /cases\[0\]\.caller: must be/],
    ['a number as text', { expect: 'deny', ttl: '60' }, /cases\[0\]\.ttl: must be a number/],
  ])('%s is a mistake of the file', async (_title, expectation, problem) => {
    const { code, err } = await ect(['policy', 'test', example, cases(expectation)]);
    expect(code).toBe(1);
    expect(err).toMatch(problem);
  });
});

describe('ect policy explain', () => {
  const gateway = [
    '--caller',
    'spiffe://prod.example/gateway',
    '--action',
    'Issue',
    '--iss',
    'spiffe://prod.example/gateway/a',
  ];

  test('shows the policy that permits', async () => {
    const { code, out } = await ect(['policy', 'explain', example, ...gateway, '--ttl', '60s', '--exec-act', 'read']);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^✓ allowed by gateway-issues-below-itself\n\n {2}@id\("gateway-issues-below-itself"\)\n {2}permit/,
    );
  });

  test('shows the policy that forbids, and exits with 1', async () => {
    const { code, out } = await ect(['policy', 'explain', example, ...gateway, '--ttl', '60s', '--exec-act', 'pay']);
    expect(code).toBe(1);
    expect(out).toMatch(/^✗ denied by no-payments-by-agents\n\n.*forbid/s);
  });

  test('says that nothing permits it; for programs as JSON', async () => {
    const argv = ['policy', 'explain', example, ...gateway, '--ttl', '10m', '--exec-act', 'read', '--json'];
    const { code, out } = await ect(argv);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual({ allowed: false, policies: [], errors: [], beyond: '', limits: {} });
  });

  test('says what the limits deny, and what they are', async () => {
    const limits = file('short.json', JSON.stringify({ limits: [{ for: 'everyone', max_ttl_seconds: 60 }] }));
    const argv = ['policy', 'explain', example, '--limits', limits, ...gateway, '--exec-act', 'read'];
    const long = await ect([...argv, '--ttl', '61s']);
    expect(long.code).toBe(1);
    expect(long.out).toMatch(/^✗ denied by the limits: This caller may issue tokens that live 60 s at most\.\n/);
    const unnamed = await ect(argv);
    expect(unnamed.code).toBe(0);
    expect(unnamed.out).toMatch(/^✓ allowed by .*max_ttl_seconds {2}60\n$/s);
  });

  test('a caller that is none is wrong usage', async () => {
    for (const caller of ['me', 'spiffe://prod.example', 'spiffe://PROD.example/a']) {
      const { code, err } = await ect(['policy', 'explain', example, '--caller', caller, '--action', 'Issue']);
      expect(code, caller).toBe(2);
      expect(err).toContain(`'${caller}' is invalid`);
      expect(err).toContain('It is a SPIFFE ID like spiffe://prod.example/payments, the name of an OIDC subject');
    }
  });
});

describe('ect policy print', () => {
  test('prints the built-in policy, which is one', async () => {
    const { code, out } = await ect(['policy', 'print']);
    expect([code, out]).toEqual([0, policyText('default.cedar')]);
    expect((await ect(['policy', 'check', file('printed.cedar', out)])).code).toBe(0);
  });

  test('prints the schema', async () => {
    expect(await ect(['policy', 'print', '--schema'])).toEqual({
      code: 0,
      out: policyText('ect.cedarschema'),
      err: '',
    });
  });
});
