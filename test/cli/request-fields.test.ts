// Errors of a service name fields of the request. The command line has options and arguments, and names these.

import type { DescMessage } from '@bufbuild/protobuf';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { appendCommand } from '../../src/cli/append.ts';
import { dagCommand } from '../../src/cli/dag.ts';
import { issueCommand } from '../../src/cli/issue.ts';
import { keysCommand } from '../../src/cli/keys.ts';
import { listCommand } from '../../src/cli/list.ts';
import { inOptions, rememberCommand, spellingOf } from '../../src/cli/request-fields.ts';
import { taintCommand } from '../../src/cli/taint.ts';
import { verifyCommand } from '../../src/cli/verify.ts';
import {
  MarkCompromisedRequestSchema,
  RetireKeyRequestSchema,
  RevokeKeyRequestSchema,
  RotateKeyRequestSchema,
} from '../../src/gen/ect/v1/admin_pb.ts';
import {
  AppendLedgerRequestSchema,
  IssueRequestSchema,
  ValidateDAGRequestSchema,
  VerifyRequestSchema,
} from '../../src/gen/ect/v1/authority_pb.ts';
import { ListEntriesRequestSchema } from '../../src/gen/ect/v1/ledger_pb.ts';
import { ect } from './run.ts';
import { at, issue } from './served.ts';

const named = (command: Command, name: string) => command.commands.find((sub) => sub.name() === name)!;
const keys = keysCommand(process);

/** Each command that makes a request of what was typed, and the fields of this request that nobody types. */
const REQUESTS: readonly (readonly [command: Command, schema: DescMessage, untyped: readonly string[]])[] = [
  [issueCommand(process), IssueRequestSchema, ['receipt_format']],
  // The hashes are those of --input and --output, and are made here.
  [verifyCommand(process), VerifyRequestSchema, ['inp_hash', 'out_hash']],
  [appendCommand(process), AppendLedgerRequestSchema, ['receipt_format']],
  [dagCommand(process), ValidateDAGRequestSchema, ['graph_format']],
  [named(listCommand(process), 'entries'), ListEntriesRequestSchema, ['with_content', 'page_size', 'page_token']],
  // Of the task, the two parts are typed.
  [taintCommand(process), MarkCompromisedRequestSchema, ['task', 'receipt_format']],
  [named(keys, 'rotate'), RotateKeyRequestSchema, ['generated', 'existing']],
  [named(keys, 'retire'), RetireKeyRequestSchema, []],
  [named(keys, 'revoke'), RevokeKeyRequestSchema, []],
];

describe('the fields of a request', () => {
  test.each(REQUESTS.map(([command, schema, untyped]) => [command.name(), command, schema, untyped] as const))(
    'ect %s: each has an option or an argument, or nobody types it',
    (_, command, schema, untyped) => {
      const unnamed = schema.fields.map(({ name }) => name).filter((name) => spellingOf(command, name) === undefined);
      expect(unnamed).toEqual(untyped);
    },
  );

  test('a path of another server is text, whatever characters it has', () => {
    rememberCommand(process, issueCommand(process));
    expect(inOptions(process, 'x(*.aud must be one', ['x(*.aud'])).toBe('--aud must be one');
  });

  test('a value of the API is named by what is typed for it', () => {
    rememberCommand(process, verifyCommand(process));
    expect(inOptions(process, 'Verify works with REPLAY_MODE_SKIP.', [])).toBe('Verify works with --no-replay.');
  });

  test('a path names the option of its last part, and which of several values is meant', () => {
    expect(spellingOf(issueCommand(process), 'ect_ext_json')).toBe('--ext');
    expect(spellingOf(issueCommand(process), 'aud[1]')).toBe('--aud (value 2)');
    expect(spellingOf(taintCommand(process), 'task.jti')).toBe('--jti');
    expect(spellingOf(named(keys, 'rotate'), 'existing.name')).toBe('--next');
    expect(spellingOf(named(keys, 'retire'), 'kid')).toBe('<kid>');
    expect(spellingOf(issueCommand(process), 'ect_ext_json.pol_decision')).toBe('--ext');
    expect(spellingOf(verifyCommand(process), 'page_token')).toBeUndefined();
  });
});

describe('what the service rejects', () => {
  const issuing = ['issue', '--exec-act', 'a', '--aud', 'urn:example:reader'];

  test.each([
    [[...issuing, '--ext', '[1]'], ['--ext must be one strict JSON object'], 'ect_ext_json'],
    [[...issuing, '--jti', 'x', '--request-id', 'a b'], ['--jti must be', '--request-id must be'], 'request_id'],
    [[...issuing, '--pred', 'xx', 'yy'], ['--pred (value 1) must be', '--pred (value 2) must be'], 'pred['],
    [[...issuing, '--inp-hash', 'x', '--dry-run'], ['--inp-hash must be'], 'inp_hash'],
    [[...issuing, '--ttl', '99h'], ['--ttl: exp must be at most'], '`ttl`'],
    [[...issuing, '--ttl', '99h', '--dry-run'], ['--ttl must be at most'], 'exp must'],
    [[...issuing, '--iss', 'urn:example:other', '--dry-run'], ['next: Omit --iss, or'], 'Omit `iss`'],
    [[...issuing, '--ext', '{"pol":"p"}'], ['--ext: pol_decision is missing'], 'ect_ext_json'],
    [[...issuing, '--draft', '00', '--level', 'L1'], ['--draft must be 01 for level L1'], 'DRAFT_'],
    [[...issuing, '--iss', 'urn:example:other'], ['next: Omit --iss, or'], '`iss`'],
    [['list', 'entries', '--wid', 'x', '--kind', 'taint'], ['--kind must have'], 'kinds'],
    [['keys', 'retire', 'x', '--yes'], ['<kid> must be', 'field  <kid>'], 'kid must'],
    [['taint', '--jti', 'x', '--yes'], ['--jti must be'], 'task.jti'],
  ] as const)('%j names options', async (argv, expected, field) => {
    const { code, out, err } = await ect([...argv, ...at]);
    // Of a dry run the answer is no. An issuer of another is not permitted, whatever its form.
    const isAnswer = argv.some((word) => word === '--dry-run' || word === '--iss');
    expect(code).toBe(isAnswer ? 1 : 2);
    for (const text of expected) expect(out + err).toContain(text);
    // As a word of its own: `<kid> must` contains `kid> must`.
    expect(out + err).not.toContain(` ${field}`);
  });

  test('with --json the metadata is that of the API, for programs', async () => {
    const { out } = await ect([...issuing, '--ext', '[1]', '--json', ...at]);
    expect(JSON.parse(out).error).toMatchObject({
      message: expect.stringContaining('--ext must be'),
      metadata: { field: 'ect_ext_json' },
    });
    expect(JSON.parse(out).error).not.toHaveProperty('field');
  });

  test('a claim of a token is no option of the command that verifies it', async () => {
    const token = await issue();
    const { out } = await ect(['verify', token, '--audience', 'urn:example:another', '--report', ...at]);
    expect(out).not.toContain('--audience must');
    expect(out).not.toContain('--aud ');
  });
});
