// The examples of the API page, as they stand there, run one after another in one shell against a service of their own. Their
// answers have the form that the page shows; with ECT_TEST_RECORD=1 (`npm run generate:answers`) they are written down anew.

import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ANSWERS, ANSWERS_FILE, type Answer, shortened } from '../../scripts/api-answers.ts';
import { AdminService } from '../../src/gen/ect/v1/admin_pb.ts';
import { AuthorityService } from '../../src/gen/ect/v1/authority_pb.ts';
import { KeyService } from '../../src/gen/ect/v1/keys_pb.ts';
import { LedgerService } from '../../src/gen/ect/v1/ledger_pb.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/api.md'), 'utf8');
const methods = [AuthorityService, KeyService, LedgerService, AdminService].flatMap((service) =>
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
/** Whole answers, by method. */
const whole = new Map<string, Answer>();
const directory = mkdtempSync(join(tmpdir(), 'ect-examples-'));

beforeAll(async () => {
  service = await startService({ ECT_ADMINS: 'anonymous' });
  const preparation = (shellIn(page) ?? '')
    .replace('http://127.0.0.1:8080', service.url)
    // Some examples keep one field of an answer: the whole is looked at beside it.
    .replace('-d @-;', `-d @- | tee "${directory}/\${1#*/}";`);
  const examples = methods.map((title) => exampleOf(title) ?? 'false');
  const script = ['set -e', preparation, ...examples.map((example) => `${example}\necho; echo '${MARK}'`)].join('\n');
  const { stdout } = await promisify(execFile)('/bin/bash', ['-c', script], { timeout: 60_000 });
  for (const [at, answer] of stdout.split(`${MARK}\n`).slice(0, -1).entries()) {
    answers.set(methods[at] ?? '', answer.trim());
  }
  for (const name of readdirSync(directory)) {
    const title = methods.find((method) => method.endsWith(`.${name}`)) ?? '';
    whole.set(
      title,
      shortened(
        JSON.parse(readFileSync(join(directory, name), 'utf8').replaceAll(service.url, 'http://127.0.0.1:8080')),
      ),
    );
  }
  if (process.env['ECT_TEST_RECORD'] === '1') {
    const recorded = Object.fromEntries(methods.map((title) => [title, whole.get(title)]));
    writeFileSync(ANSWERS_FILE, `${JSON.stringify(recorded, null, 2)}\n`);
  }
});
afterAll(() => service[Symbol.asyncDispose]());
afterAll(() => rmSync(directory, { recursive: true }));

/** The form of an answer: its names and types, and what is one of few words. */
function formOf(answer: Answer): unknown {
  if (Array.isArray(answer)) return answer.map(formOf);
  if (typeof answer === 'object' && answer !== null) {
    return Object.fromEntries(Object.entries(answer).map(([name, value]) => [name, formOf(value)]));
  }
  return typeof answer === 'boolean' || /^[A-Z][A-Z_0-9]+$/.test(String(answer)) ? answer : typeof answer;
}

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

describe.skipIf(process.env['ECT_TEST_RECORD'] === '1')('the answer on the page', () => {
  test.each(methods)('to %s has the form of the one that comes', (title) => {
    expect(page).toContain(JSON.stringify(ANSWERS[title], null, 2));
    expect(formOf(ANSWERS[title] ?? null)).toEqual(formOf(whole.get(title) ?? null));
  });
});

test('answers write out what has its default value', () => {
  const read = (title: string) => JSON.parse(answers.get(title) ?? '');
  const [first, rejected] = read('AuthorityService.BatchIssue').results;
  expect(first.response).toMatchObject({ checks: [], claims: { pred: [], wid: '' } });
  expect(rejected.error.message).toMatch(/^aud must have 1 to 64 entries/);
  // The token was used once by this audience: what is no longer valid says so.
  const [again] = read('AuthorityService.BatchVerify').results;
  expect(again.response).toMatchObject({ valid: false, finding: { reason: 'ERROR_REASON_TOKEN_REPLAYED' } });
  expect(read('LedgerService.GetInclusionProof')).toMatchObject({ leafIndex: '0' });
  expect(read('AuthorityService.AppendLedger')).toMatchObject({ duplicate: false });
  expect(read('AuthorityService.BatchAppendLedger').results[0].response).toMatchObject({ duplicate: true });
});
