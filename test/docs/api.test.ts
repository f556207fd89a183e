// The API reference says what the protos and the vocabulary of errors say, and cannot fall behind them unnoticed.

import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import { afterAll, describe, expect, test } from 'vitest';
import { CALLERS, METHODS, OF_EVERY_CALL, OF_PROVEN_CALLERS, OF_VERDICTS } from '../../scripts/api-methods.ts';
import { renderApi } from '../../scripts/api-page.ts';
import { readApiSource } from '../../scripts/api-source.ts';
import { codeName, codeOf } from '../../src/calls/errors.ts';
import { type ErrorReason, REASONS } from '../../src/errors.ts';
import { AdminService } from '../../src/gen/ect/v1/admin_pb.ts';
import { AuthorityService } from '../../src/gen/ect/v1/authority_pb.ts';
import { KeyService } from '../../src/gen/ect/v1/keys_pb.ts';
import { LedgerService } from '../../src/gen/ect/v1/ledger_pb.ts';
import { FULL } from '../support/full.ts';

const root = join(import.meta.dirname, '../..');
const scratch = mkdtempSync(join(tmpdir(), 'ect-api-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const page = readFileSync(join(root, 'docs/api.md'), 'utf8');
const lines = page.split('\n');
const methods = [AuthorityService, KeyService, LedgerService, AdminService].flatMap((service) => service.methods);

/** Runs the script as a shell does. */
function writeApi(...argv: string[]): Promise<{ code: number; stderr: string }> {
  return new Promise((resolve) => {
    const script = join(root, 'scripts/write-api.ts');
    execFile(process.execPath, [script, ...argv], { timeout: 60_000 }, (error, _stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stderr });
    });
  });
}

/** A copy of our protos with one text of one file replaced. */
function protosWith(file: string, text: string, replacement: string): string {
  const copy = mkdtempSync(join(scratch, 'proto-'));
  cpSync(join(root, 'proto'), copy, { recursive: true });
  const path = join(copy, 'ect/v1', file);
  const before = readFileSync(path, 'utf8');
  expect(before).toContain(text);
  writeFileSync(path, before.replace(text, replacement));
  return copy;
}

describe('the committed page', () => {
  test('is what the comments say', async () => {
    expect(await writeApi('--check')).toEqual({ code: 0, stderr: '' });
  });

  test.each(Object.keys(REASONS) as ErrorReason[])('explains %s with its code and its facts', (reason) => {
    const rows = lines.filter((line) => line.startsWith(`| \`${reason}\` |`));
    const [code, , meaning, metadata = ''] = (rows[0] ?? '')
      .split('|')
      .slice(2)
      .map((cell) => cell.trim());
    expect(rows).toHaveLength(1);
    expect(code).toBe(codeName(codeOf(reason)));
    expect(meaning).toMatch(/\.$/);
    expect(metadata.split(/;? ?sometimes/)[0]?.match(/[a-z_]+/g) ?? []).toEqual(REASONS[reason].metadata);
  });

  test.each(methods.map((method) => [`${method.parent.name}.${method.name}`, method] as const))(
    'describes %s with its path, its messages and whether it changes anything',
    (title, method) => {
      const section = page.split(`\n### ${title}\n`)[1]?.split('\n#')[0];
      const silent = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
      expect(section).toContain(`- Path: \`/${method.parent.typeName}/${method.name}\`\n`);
      expect(section).toContain(`- Request: [${method.input.name}](#${method.input.name.toLowerCase()})\n`);
      expect(section).toContain(`- Response: [${method.output.name}](#${method.output.name.toLowerCase()})\n`);
      expect(section).toContain(`- Side effects: ${silent ? 'none, so GET over Connect works too' : 'yes'}`);
    },
  );

  test.each(methods.map((method) => [method.name, method] as const))(
    'says who may call %s, and what it fails with',
    (name, method) => {
      const section = page.split(`\n### ${method.parent.name}.${name}\n`)[1]?.split('\n#')[0];
      const facts = METHODS[name];
      expect(section).toContain(`- Callers: ${CALLERS[facts!.caller]}\n`);
      for (const reason of facts!.reasons) expect(section).toContain(`\`${reason}\``);
      expect(new Set(facts!.reasons).size).toBe(facts!.reasons.length);
      expect(facts!.reasons.includes('ADMIN_REQUIRED')).toBe(facts!.caller === 'admin');
    },
  );

  test('names each reason with a method, with every call, or as one of verdicts alone', () => {
    const named = Object.values(METHODS).flatMap(({ reasons }) => reasons);
    const elsewhere: readonly ErrorReason[] = ['SERVICE_UNKNOWN', 'SERVICE_DRAINING'];
    const all = new Set([...named, ...OF_EVERY_CALL, ...OF_PROVEN_CALLERS, ...OF_VERDICTS, ...elsewhere]);
    expect([...all].sort()).toEqual(Object.keys(REASONS).sort());
    expect(named.filter((reason) => OF_EVERY_CALL.includes(reason))).toEqual([]);
    expect(Object.keys(METHODS).sort()).toEqual(methods.map(({ name }) => name).sort());
  });

  test('has one heading for each link, and no heading twice', () => {
    const anchors = lines.filter((line) => /^#+ /.test(line)).map((line) => line.replace(/^#+ |[^\w-]/g, ''));
    const lowered = anchors.map((anchor) => anchor.toLowerCase());
    const targets = [...page.matchAll(/\]\(#([^)]*)\)/g)].map(([, target]) => target);
    expect(new Set(lowered).size).toBe(lowered.length);
    expect(targets.filter((target) => !lowered.includes(target ?? ''))).toEqual([]);
    expect(targets.length).toBeGreaterThan(methods.length);
  });
});

// Each start of the script takes a second.
describe.runIf(FULL)('a page that is not what the comments say', () => {
  test('is reported as stale, is not changed, and is corrected by writing it', async () => {
    const copy = join(scratch, 'docs/api.md');
    const changed = page.replace('TOKEN_EXPIRED', 'TOKEN_TOO_OLD');
    mkdirSync(join(scratch, 'docs'));
    writeFileSync(copy, changed);
    const { code, stderr } = await writeApi('--check', '--page', copy);
    expect(code).toBe(1);
    expect(stderr).toBe(`${copy} is stale: run \`node scripts/write-api.ts\` and commit the result.\n`);
    expect(readFileSync(copy, 'utf8')).toBe(changed);
    expect(await writeApi('--page', copy)).toEqual({ code: 0, stderr: '' });
    expect(readFileSync(copy, 'utf8')).toBe(page);
  });

  test('is stale too where it is missing, and where a comment has changed', async () => {
    const protos = protosWith('keys.proto', 'GetKeySet needs no identity', 'Anyone may call GetKeySet');
    const answers = [
      await writeApi('--check', '--page', join(scratch, 'nowhere.md')),
      await writeApi('--check', '--protos', protos),
    ];
    for (const { code, stderr } of answers) {
      expect(code).toBe(1);
      expect(stderr).toContain('is stale');
    }
  });
});

describe('a comment is rejected', () => {
  test.each([
    ['a reason', 'authority.proto', 'with IDEMPOTENCY_CONFLICT', 'with IDEMPOTENCY_CLASH', 'IDEMPOTENCY_CLASH'],
    ['a short reason', 'token.proto', '`DAG_CYCLE`', '`DAG_LOOP`', 'DAG_LOOP'],
    ['a type', 'authority.proto', 'value of ErrorReason', 'value of RefusalReason', 'RefusalReason'],
    ['a method', 'ledger.proto', 'AuthorityService.AppendLedger', 'AuthorityService.AddEntry', 'AddEntry'],
  ])('where it names %s that does not exist', (_what, file, text, replacement, name) => {
    const protos = protosWith(file, text, replacement);
    expect(() => readApiSource(protos)).toThrow(`there is no ${name}`);
  });

  test('where it is missing', () => {
    const protos = protosWith('keys.proto', '  // Keys that verify tokens.\n', '');
    expect(() => readApiSource(protos)).toThrow('field ect.v1.GetKeySetResponse.keys has no comment');
  });

  test('where it is of a reason and does not begin with a gRPC code', () => {
    const protos = protosWith(
      'error_reason.proto',
      '// NOT_FOUND. The ledger has no entry',
      '// ABSENT. The ledger has no entry',
    );
    expect(() => renderApi(readApiSource(protos))).toThrow(
      'ERROR_REASON_ENTRY_NOT_FOUND does not begin with a gRPC code',
    );
  });
});

test('every shape that a proto can have is laid out', () => {
  const directory = mkdtempSync(join(scratch, 'shapes-'));
  writeFileSync(join(directory, 'shapes.proto'), SHAPES);
  const shapes = renderApi(readApiSource(directory));
  for (const row of [
    '- Response: stream of [Outer](#outer)\n- Side effects: none\n',
    '| `maybe` | optional int64 | 1 | A \\| b, c &lt; d. |\n',
    '| at most one of `choice` | oneof | | One or the other. |\n',
    '| – `inner` | [Outer.Inner](#outerinner) | 2 | See [LongName](#longname), not `LongName`. |\n',
    '| – `colour` | [Outer.Colour](#outercolour) | 3 | A colour. |\n',
    '| `names` | map of string to [LongName](#longname) | 4 | By name. |\n',
    '| `times` | repeated `google.protobuf.Timestamp` | 5 | When. |\n',
    '### Outer.Inner\n\nNested.\n\n## Enums\n\n### Outer.Colour\n\n',
    '| `COLOUR_UNSPECIFIED` | 0 | None. |\n',
  ]) {
    expect(shapes).toContain(row);
  }
});

const SHAPES = `
syntax = "proto3";
package ect.v1;
import "google/protobuf/timestamp.proto";

// Streams.
service ShapeService {
  // Has no GET, since it streams.
  rpc Watch(LongName) returns (stream Outer) { option idempotency_level = NO_SIDE_EFFECTS; }
}
// Empty.
message LongName {}
// Holds the others.
message Outer {
  // Nested.
  message Inner {}
  // Nested too.
  enum Colour {
    // None.
    COLOUR_UNSPECIFIED = 0;
  }
  // A | b,
  // c < d.
  optional int64 maybe = 1;
  // One or the other.
  oneof choice {
    // See LongName, not \`LongName\`.
    Inner inner = 2;
    // A colour.
    Colour colour = 3;
  }
  // By name.
  map<string, LongName> names = 4;
  // When.
  repeated google.protobuf.Timestamp times = 5;
}
`;
