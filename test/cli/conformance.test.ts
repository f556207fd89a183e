// `ect conformance` against real services, one for each profile: what the vectors expect is what goes over the wire.

import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readProfiles, readVectors, SHIPPED_VECTORS } from '../../src/cli/vectors.ts';
import { FULL } from '../support/full.ts';
import { startService } from '../support/service-process.ts';
import { ect } from './run.ts';

const profiles = await readProfiles(SHIPPED_VECTORS);
const vectors = await readVectors(SHIPPED_VECTORS);

let directory = '';
let trustFile = '';
/** Some of the vectors, for a service that does not conform. */
let few = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ect-conformance-'));
  few = join(directory, 'few');
  for (const name of ['trust.json', 'profiles.json', 'valid', 'invalid/typ', 'dag/complete'])
    await cp(join(SHIPPED_VECTORS, name), join(few, name), { recursive: true });
  trustFile = join(directory, 'trust.json');
  await cp(join(SHIPPED_VECTORS, 'trust.json'), trustFile);
});
afterAll(() => rm(directory, { recursive: true }));

test('--write-trust writes the keys, and says how to start the service', async () => {
  const written = join(directory, 'written.json');
  const { code, out, err } = await ect(['conformance', '--write-trust', written, '--profile', 'algorithms']);
  expect({ code, out }).toEqual({ code: 0, out: '' });
  expect(err).toContain(`ECT_TRUST_FILE=${written} ECT_ALGORITHMS=ES256,ES384,EdDSA,Ed25519,PS256`);
  expect(await readFile(written, 'utf8')).toBe(await readFile(join(SHIPPED_VECTORS, 'trust.json'), 'utf8'));
});

test('a folder without vectors is wrong usage, and a file that cannot be written is rejected', async () => {
  const none = await ect(['conformance', '--vectors', directory]);
  expect(none).toMatchObject({ code: 2, err: expect.stringContaining('is no folder of vectors') });
  const unwritable = await ect(['conformance', '--write-trust', join(directory, 'none', 'trust.json')]);
  expect(unwritable).toMatchObject({ code: 1, err: expect.stringContaining('next: Name another file') });
});

/** In `npm test` the default one: the vectors themselves are tried under all of them, without a service. */
const TRIED = Object.entries(profiles).filter(([name]) => FULL || name === 'default');

test.each(TRIED)('a service conforms under the profile %s', async (profile, settings) => {
  await using service = await startService({ ECT_STORE: 'memory', ECT_TRUST_FILE: trustFile, ...settings });
  const { code, out, err } = await ect(['conformance', '--url', service.url, '--profile', profile]);
  expect({ code, err, failures: out.split('\n').filter((line) => line.startsWith('✗')) }).toEqual({
    code: 0,
    err: '',
    failures: [],
  });
  const asked = vectors.filter((vector) => vector.profile === profile && !('token' in vector && vector.token === ''));
  expect(out).toMatch(new RegExp(`^total +${asked.length} +0$`, 'm'));
});

describe('a service that does not conform', () => {
  test('exits with 1, and has another message than one that does not trust the keys', async () => {
    await using service = await startService({ ECT_STORE: 'memory' });
    const { code, out, err } = await ect(['conformance', '--url', service.url, '--vectors', few]);
    expect(code).toBe(1);
    expect(out).toMatch(
      /^✗ valid\/root-task: A root task.*\n {4}expected {2}valid\n {4}got {7}KEY_UNKNOWN at step key$/m,
    );
    expect(err).toContain('does not trust the keys of the vectors');
  });

  test('is listed by group and vector, with the expected and the actual answer', async () => {
    await using service = await startService({ ECT_STORE: 'memory', ECT_TRUST_FILE: trustFile });
    const folder = join(directory, 'changed');
    await cp(few, folder, { recursive: true });
    await change(join(folder, 'valid/wid/root-of-a-workflow.json'), '"exec_act": "review_spec"', '"exec_act": "x"');
    await change(
      join(folder, 'valid/draft-00/rejected.json'),
      '"pol_decision": "rejected"',
      '"pol_decision": "approved"',
    );
    await change(join(folder, 'invalid/typ/jwt.json'), 'TYP_INVALID', 'HEADER_FORBIDDEN');
    await change(join(folder, 'dag/complete/chain.json'), '"depth": 3', '"depth": 4');
    const run = ['conformance', '--url', service.url, '--vectors', folder];
    const { code, out } = await ect(run);
    expect(code).toBe(1);
    expect(out).toMatch(/^total +\d+ +4$/m);
    expect(out).toContain('expected  {"exec_act":"x"}\n    got       {"exec_act":"review_spec"}');
    expect(out).toContain('expected  HEADER_FORBIDDEN at step typ\n    got       TYP_INVALID at step typ');
    const { groups } = JSON.parse((await ect([...run, '--json'])).out);
    const failed = groups.flatMap((group: { failed: { name: string }[] }) => group.failed.map(({ name }) => name));
    expect(failed).toEqual([
      'dag/complete/chain',
      'invalid/typ/jwt',
      'valid/draft-00/rejected',
      'valid/wid/root-of-a-workflow',
    ]);
  });

  test('is asked only under a profile that exists, and only where it answers', async () => {
    const unknown = await ect(['conformance', '--profile', 'toString']);
    expect(unknown).toMatchObject({ code: 2, err: expect.stringContaining('--profile must be one of default,') });
    const nobody = await ect(['conformance', '--url', 'http://127.0.0.1:1']);
    expect(nobody).toMatchObject({ code: 1, err: expect.stringContaining('nothing answers') });
  });
});

async function change(path: string, from: string, to: string): Promise<void> {
  const text = await readFile(path, 'utf8');
  expect(text).toContain(from);
  await writeFile(path, text.replaceAll(from, to));
}
