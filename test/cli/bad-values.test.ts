// A bad value is wrong usage, exit code 2, in every command and option, whether the command finds it or the service.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leaves } from './leaves.ts';
import { ect } from './run.ts';
import { at, issue } from './served.ts';

/** A command line for each option that has a form, by command. `{file}` is a text file, `{none}` a path where nothing is. */
const BAD: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'policy check': { limits: 'policy check {file} --limits {none}' },
  'policy test': { limits: 'policy test {file} {file} --limits {none}' },
  'policy explain': {
    caller: 'policy explain {file} --caller x --action Issue',
    action: 'policy explain {file} --caller anonymous --action Fly',
    proof: 'policy explain {file} --caller anonymous --action Issue --proof x',
    limits: 'policy explain {file} --caller anonymous --action Verify --limits {none}',
    wid: 'policy explain {file} --caller anonymous --action Issue --wid ü',
    ttl: 'policy explain {file} --caller anonymous --action Issue --ttl 5',
    level: 'policy explain {file} --caller anonymous --action Issue --level L4',
    kind: 'policy explain {file} --caller anonymous --action GetEntry --kind x',
    issuer: 'policy explain {file} --caller anonymous --action Issue --issuer x',
  },
  'policy recorded': { 'postgres-url': 'policy recorded --postgres-url http://a' },
  'ledger new-origin': { origin: 'ledger new-origin --data-dir {none} --origin a\tb --yes' },
  'ledger accept-loss': { note: 'ledger accept-loss --data-dir {none} --note {long} --yes' },
  'policy digest': { limits: 'policy digest {file} --limits {none}' },
  issue: {
    aud: 'issue --exec-act a --aud a\tb',
    pred: 'issue --exec-act a --aud a:b --pred x',
    wid: 'issue --exec-act a --aud a:b --wid x',
    jti: 'issue --exec-act a --aud a:b --jti x',
    ttl: 'issue --exec-act a --aud a:b --ttl 100h',
    input: 'issue --exec-act a --aud a:b --input {none}',
    'inp-hash': 'issue --exec-act a --aud a:b --inp-hash x',
    output: 'issue --exec-act a --aud a:b --output {none}',
    'out-hash': 'issue --exec-act a --aud a:b --out-hash x',
    ext: 'issue --exec-act a --aud a:b --ext [1]',
    draft: 'issue --exec-act a --aud a:b --draft 02',
    level: 'issue --exec-act a --aud a:b --level L4',
    'request-id': 'issue --exec-act a --aud a:b --request-id ü',
  },
  verify: {
    'pred-token': 'verify {token} --audience a:b --pred-token @{none}',
    'dag-mode': 'verify {token} --audience a:b --dag-mode all',
    'minimum-level': 'verify {token} --audience a:b --minimum-level L4',
    'as-of': 'verify {token} --audience a:b --as-of 2999-01-01T00:00:00Z',
    'request-id': 'verify {token} --audience a:b --request-id short',
    input: 'verify {token} --audience a:b --input {none}',
    output: 'verify {token} --audience a:b --output {none}',
    receipt: 'verify {token} --receipt {none} --ledger-key x',
    leaf: 'verify {token} --receipt {file} --leaf {none} --ledger-key x',
    'ledger-key': 'verify {token} --receipt {file} --leaf {file} --ledger-key x',
  },
  dag: {
    token: 'dag --token @{none}',
    wid: 'dag --wid ü',
    bundle: 'dag --bundle {none}',
    'pred-token': 'dag --wid a --pred-token @{none}',
  },
  append: { 'receipt-out': 'append {token} --receipt-out receipt.txt' },
  entry: {
    jti: 'entry --jti ü',
    wid: 'entry --jti a --wid ü',
    index: 'entry --index first',
    wait: 'entry --jti a --wait 5',
    'receipt-out': 'entry --index 0 --receipt-out receipt.txt',
  },
  'list entries': {
    wid: 'list entries --wid ü',
    iss: 'list entries --iss x',
    kind: 'list entries --kind key taks',
    from: 'list entries --from -1',
    order: 'list entries --order random',
    since: 'list entries --since 2026-01-02T00:00:00Z --before 2026-01-01T00:00:00Z',
    before: 'list entries --before tomorrow',
    limit: 'list entries --limit 0',
  },
  'list workflows': {
    since: 'list workflows --since 2 --before 1',
    before: 'list workflows --before tomorrow',
    limit: 'list workflows --limit 0',
  },
  taint: {
    jti: 'taint --jti x --yes',
    wid: 'taint --jti 00000000-0000-4000-8000-000000000000 --wid x --yes',
    kid: 'taint --kid a\tb --yes',
    since: 'taint --kid a --since tomorrow --yes',
    note: 'taint --kid a --note {long} --yes',
    'receipt-out': 'taint --kid a --receipt-out receipt.txt --yes',
  },
  'keys rotate': {
    'request-id': 'keys rotate --request-id ü',
    expect: 'keys rotate --expect x',
    note: 'keys rotate --note {long}',
  },
  'keys retire': { note: 'keys retire {kid} --note {long} --yes' },
  'keys revoke': { since: 'keys revoke {kid} --since tomorrow --yes', note: 'keys revoke {kid} --note {long} --yes' },
  checkpoint: { 'data-dir': 'checkpoint --key --data-dir {none}' },
  audit: {
    'postgres-url': 'audit --postgres-url http://a',
    'ledger-key': 'audit --ledger-key x',
    earlier: 'audit --earlier {none}',
    foreign: 'audit --foreign x',
    state: 'audit --state {file}',
    jwks: 'audit --jwks {none}',
  },
  backup: { 'data-dir': 'backup {none}-backup --data-dir {none}' },
  restore: { note: 'restore {none} --accept-loss --note {long}' },
  conformance: { vectors: 'conformance --vectors {none}', profile: 'conformance --profile x' },
  keygen: { ledger: 'keygen --out {none} --ledger a\tb' },
  'dev-ca': {
    'trust-domain': 'dev-ca {none} --trust-domain A_B!',
    workload: 'dev-ca {none} --workload a/b',
    listen: 'dev-ca {none} --listen 8080',
  },
};

/** Options whose value is free text, names a place to write, or belongs to every command. They have no bad value here. */
const FREE: ReadonlySet<string> = new Set(
  'url ca cert cert-key token-file server-id timeout config data-dir exec-act iss aud audience proof-by digest next out write-trust role'.split(
    ' ',
  ),
);

let folder = '';
let token = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ect-bad-values-'));
  await writeFile(join(folder, 'file'), 'no policy, no receipt, no ledger');
  token = await issue();
});
afterAll(() => rm(folder, { recursive: true }));

const lines = Object.entries(BAD).flatMap(([command, options]) =>
  Object.entries(options).map(([option, line]) => [command, option, line] as const),
);

function filled(line: string): readonly string[] {
  const values: Readonly<Record<string, string>> = {
    '{file}': join(folder, 'file'),
    '{none}': join(folder, 'none'),
    '{token}': token,
    '{kid}': 'a'.repeat(43),
    '{long}': 'n'.repeat(257),
  };
  return line.split(' ').map((word) => word.replace(/\{\w+\}/g, (name) => values[name] ?? name));
}

describe('a bad value is wrong usage', () => {
  test.each(lines)('ect %s --%s', async (command, _option, line) => {
    const calls = (await ect(['help', ...command.split(' ')])).out.includes('ECT_URL');
    const own = line.includes('--postgres-url') || line.includes('--receipt {') ? [] : at;
    const { code, err } = await ect([...filled(line), ...(calls ? own : [])]);
    expect(code, err).toBe(2);
    expect(err).not.toBe('');
  });
});

test('every option with a value is in the table, or its value is free text', async () => {
  const missing: string[] = [];
  for (const words of await leaves()) {
    const { out } = await ect(['help', ...words]);
    for (const [, option = ''] of out.matchAll(/^ {2}(?:-\w, )?--([a-z-]+) <\S+>/gm)) {
      if (!FREE.has(option) && BAD[words.join(' ')]?.[option] === undefined)
        missing.push(`${words.join(' ')} --${option}`);
    }
  }
  expect(missing).toEqual([]);
});

test.each([
  [['verify', 'no.to.ken', '--audience', 'a:b'], 'TOKEN_MALFORMED'],
  [['append', 'no.to.ken'], 'TOKEN_MALFORMED'],
  [['entry', '--index', '999999'], 'INDEX_OUT_OF_RANGE'],
  [['issue', '--exec-act', 'a', '--aud', 'a:b', '--iss', 'urn:other'], 'ISSUER_NOT_ALLOWED'],
])('%j is no wrong usage: the answer is no', async (argv, reason) => {
  const { code, out, err } = await ect([...argv, ...at]);
  expect(code).toBe(1);
  expect(out + err).toContain(reason);
});
