// A policy as an operator uses it: a file of the real process, rejected where it cannot mean what it says, and replaced while it runs.

import { mkdtempSync, rmSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { checkConfig } from '../../src/maintenance/config-check.ts';
import { CallError, dial } from '../interop/grpc-js-client.ts';
import { runMain, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

const folder = mkdtempSync(join(tmpdir(), 'ect-policy-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Seconds {
  readonly seconds: string;
}

const until = (holds: () => void) => vi.waitFor(holds, SOON);
const ISSUE = 'ect.v1.AuthorityService/Issue';
const ORDER = { exec_act: 'pay', aud: ['urn:example:reader'] };

async function put(name: string, text: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
  return file;
}

function permit(exec_act: string): string {
  return `@id("only-${exec_act}") permit (principal, action == ECT::Action::"Issue", resource) when { context.exec_act == "${exec_act}" };`;
}

test('A7 S10 a policy is in force from the start, replaced when its file changes, and kept when the new one is bad', async () => {
  const file = await put('policy.cedar', permit('pay'));
  const limits = await put('limits.json', JSON.stringify({ limits: [{ for: 'everyone', max_ttl_seconds: 60 }] }));
  await using service = await startService({ ECT_STORE: 'memory', ECT_POLICY_FILE: file, ECT_POLICY_LIMITS: limits });
  using client = dial(service.address);
  const issue = (exec_act: string) =>
    client.call<{ claims: { iat: Seconds; exp: Seconds } }>(ISSUE, { ...ORDER, exec_act }).then(
      ({ claims }) => Number(claims.exp.seconds) - Number(claims.iat.seconds),
      (error: unknown) => (error instanceof CallError ? error.info?.reason : error),
    );
  expect(await issue('pay')).toBe(60);
  expect(await issue('ship')).toBe('NOT_AUTHORIZED');
  expect(service.events('policy-in-force')).toHaveLength(1);
  await until(() => expect(service.events('policy-refused')).toHaveLength(1));
  expect(service.events('policy-refused')).toEqual([
    expect.objectContaining({
      caller: 'anonymous',
      action: 'Issue',
      resource: 'issuer urn:ect:dev',
      decided: 'nothing permits it',
      digest: service.events('policy-in-force')[0]?.['digest'],
    }),
  ]);

  await put('policy.cedar', permit('ship'));
  await until(() => expect(service.events('policy-in-force')).toHaveLength(2));
  expect([await issue('pay'), await issue('ship')]).toEqual(['NOT_AUTHORIZED', 60]);

  await put('policy.cedar', 'permit (principal, action == ECT::Action::"Isue", resource);');
  await until(() => expect(service.events('reload-refused')).toHaveLength(1));
  expect(service.events('reload-refused')[0]).toMatchObject({
    files: 'policy',
    why: expect.stringMatching(/1:\d+: .*Isue/s),
  });
  expect([await issue('pay'), await issue('ship')]).toEqual(['NOT_AUTHORIZED', 60]);
  expect(await service.stop()).toBe(0);
});

test.each([
  [
    'a lifetime',
    { max_ttl_seconds: 60 },
    { ttl: { seconds: 61 } },
    'limits: max_ttl_seconds 60',
    /Ask for a ttl of 60 s or less/,
  ],
  ['a level', { minimum_level: 'L2' }, { level: 'LEVEL_L1' }, 'limits: minimum_level L2', /Ask for level L2 or above/],
])(
  'S10 what the limits reject of %s is reported to the operator, and the caller learns what it can do',
  async (...row) => {
    const [, rules, beyond, decided, remedy] = row;
    const limits = await put('strict.json', JSON.stringify({ limits: [{ for: 'everyone', ...rules }] }));
    await using service = await startService({ ECT_STORE: 'memory', ECT_POLICY_LIMITS: limits });
    using client = dial(service.address);
    const error = await client.call(ISSUE, { ...ORDER, ...beyond }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ info: { reason: 'NOT_AUTHORIZED' }, message: expect.stringMatching(remedy) });
    await until(() => expect(service.events('policy-refused')).toHaveLength(1));
    expect(service.events('policy-refused')[0]).toMatchObject({ caller: 'anonymous', action: 'Issue', decided });
  },
);

test('H27 a caller that exceeds its rate of calls gets a retry time', async () => {
  const limits = await put(
    'rate.json',
    JSON.stringify({ limits: [{ for: 'everyone', calls_per_second: 1, burst: 2 }] }),
  );
  await using service = await startService({ ECT_STORE: 'memory', ECT_POLICY_LIMITS: limits });
  using client = dial(service.address);
  const outcomes: readonly string[] = await Promise.all(
    Array.from({ length: 20 }, () =>
      client.call(ISSUE, ORDER).then(
        () => 'OK',
        (error: unknown) =>
          error instanceof CallError ? `${error.info?.reason} ${error.info?.metadata['quota']}` : String(error),
      ),
    ),
  );
  // A machine that is busy may take a second in between, in which one more is allowed.
  expect(new Set(outcomes)).toEqual(new Set(['OK', 'QUOTA_EXCEEDED calls_per_second']));
  expect(outcomes.filter((outcome) => outcome === 'OK').length).toBeGreaterThanOrEqual(2);
});

test('S10 a policy with mistakes stops the start and names each by its line', async () => {
  const file = await put('bad.cedar', 'permit (principal, action, resource)\nwhen { context.canary < 1 };');
  const ended = await runMain(['serve'], { ECT_POLICY_FILE: file, ECT_STORE: 'memory', ECT_LISTEN: '127.0.0.1:0' });
  expect(ended.code).toBe(1);
  expect(ended.stderr).toMatch(/^The file of ECT_POLICY_FILE \(.*bad\.cedar\) has mistakes:\n {2}2:\d+: /m);
  const limits = await put('bad.json', '{"limits":[{"for":"nobody"}]}');
  const settings = { ECT_POLICY_LIMITS: limits, ECT_STORE: 'memory', ECT_LISTEN: '127.0.0.1:0' };
  const { problems } = await checkConfig(settings, { callKms: false });
  expect(problems).toEqual([
    expect.stringMatching(/^The file of ECT_POLICY_LIMITS .* has mistakes:\n {2}limits\[0\]\.for: /),
  ]);
});
