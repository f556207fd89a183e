// The examples of the API page, as they stand there, run one after another in one shell against a service of their own.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuthorityService } from '../../src/gen/ect/v1/authority_pb.ts';
import { KeyService } from '../../src/gen/ect/v1/keys_pb.ts';
import { LedgerService } from '../../src/gen/ect/v1/ledger_pb.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/api.md'), 'utf8');
const methods = [AuthorityService, KeyService, LedgerService].flatMap((service) =>
  service.methods.map((method) => `${service.name}.${method.name}`),
);
const MARK = '----';

function shellIn(text: string): string | undefined {
  return /```sh\n(.*?)\n```/s.exec(text)?.[1];
}

function exampleOf(title: string): string | undefined {
  return shellIn(page.split(`\n### ${title}\n`)[1]?.split('\n#')[0] ?? '');
}

let service: ServiceProcess;
const answers = new Map<string, string>();

beforeAll(async () => {
  service = await startService({ ECT_ADMINS: 'anonymous' });
  const preparation = shellIn(page)?.replace('http://127.0.0.1:8080', service.url) ?? '';
  const examples = methods.map((title) => exampleOf(title) ?? 'false');
  const script = ['set -e', preparation, ...examples.map((example) => `${example}\necho; echo '${MARK}'`)].join('\n');
  const { stdout } = await promisify(execFile)('/bin/bash', ['-c', script], { timeout: 60_000 });
  for (const [at, answer] of stdout.split(`${MARK}\n`).slice(0, -1).entries()) {
    answers.set(methods[at] ?? '', answer.trim());
  }
});
afterAll(() => service[Symbol.asyncDispose]());

describe('the example of', () => {
  test.each(methods)('%s is on the page, and is answered', (title) => {
    expect(exampleOf(title)).toContain(title.replace('.', '/'));
    const answer = answers.get(title) ?? '';
    expect(answer).not.toBe('');
    // A failed call over Connect has a code; a field that was kept is a token or a key id.
    if (answer.startsWith('{')) expect(JSON.parse(answer)).not.toHaveProperty('code');
    else expect(answer).toMatch(/^[\w-]{43}$|^[\w-]+\.[\w-]+\.[\w-]+$/);
  });
});

test('answers write out what has its default value', () => {
  const read = (title: string) => JSON.parse(answers.get(title) ?? '');
  const [first, refused] = read('AuthorityService.BatchIssue').results;
  expect(first.response).toMatchObject({ checks: [], claims: { pred: [], wid: '' } });
  expect(refused.error.message).toMatch(/^aud must have 1 to 64 entries/);
  // The token was used once by this audience: what is no longer valid says so.
  const [again] = read('AuthorityService.BatchVerify').results;
  expect(again.response).toMatchObject({ valid: false, reason: 'TOKEN_REPLAYED' });
  expect(read('LedgerService.GetInclusionProof')).toMatchObject({ leafIndex: '0' });
  expect(read('AuthorityService.AppendLedger')).toMatchObject({ duplicate: false });
  expect(read('AuthorityService.BatchAppendLedger').results[0].response).toMatchObject({ duplicate: true });
});
