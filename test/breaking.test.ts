// The API against that of the last release: what breaks a client of that release fails `npm run check:breaking`.

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runProgram } from './interop/run-program.ts';

const root = join(import.meta.dirname, '..');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

const NEW_METHOD = 'rpc GetNews(GetCheckpointRequest) returns (GetCheckpointResponse);';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ect-breaking-'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  cpSync(join(root, 'buf.yaml'), join(folder, 'buf.yaml'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the check over the protos with one text of one file replaced. */
async function check(file?: string, from = '', to = '') {
  cpSync(join(root, 'proto'), join(folder, 'proto'), { recursive: true });
  if (file !== undefined) {
    const path = join(folder, 'proto/ect/v1', file);
    const text = readFileSync(path, 'utf8');
    expect(text.split(from)).toHaveLength(2);
    writeFileSync(path, text.replace(from, to));
  }
  const PATH = `${join(root, 'node_modules/.bin')}:${process.env['PATH']}`;
  return runProgram('sh', ['-c', scripts['check:breaking'] ?? 'false'], { cwd: folder, env: { PATH } });
}

describe('npm run check:breaking', () => {
  test('is part of what CI checks', () => {
    expect(scripts['check:static']).toContain('npm run check:breaking');
  });

  test('passes: this API breaks nothing of the last release', async () => {
    expect(await check()).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test.each([
    [
      'a field',
      'authority.proto',
      'string ect_ext_json = 13;',
      'string ect_ext_json = 13; string ect_ext_text = 1000;',
    ],
    ['a method', 'ledger.proto', 'service LedgerService {', `service LedgerService { ${NEW_METHOD}`],
  ])('passes where %s is added', async (_, file, from, to) => {
    expect(await check(file, from, to)).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test.each([
    ['a field is renamed', 'authority.proto', 'string exec_act = 1;', 'string action = 1;', '"exec_act"'],
    ['a field gets another type', 'token.proto', 'string exec_act = 7;', 'bytes exec_act = 7;', '"exec_act"'],
    [
      'a field gets another number',
      'authority.proto',
      'string ect_ext_json = 13;',
      'string ect_ext_json = 113;',
      '"13"',
    ],
    ['a list becomes one value', 'token.proto', 'repeated string aud = 2;', 'string aud = 2;', '"aud"'],
    ['a method is removed', 'authority.proto', 'rpc ValidateDAG(', 'rpc Validate(', '"ValidateDAG"'],
    ['a value of an enum is renamed', 'token.proto', 'LEVEL_L2 = 2;', 'LEVEL_SIGNED = 2;', '"LEVEL_L2"'],
    ['a package moves', 'token.proto', 'java_package = "ect.v1";', 'java_package = "dev.ect.v1";', '"java_package"'],
  ])('fails where %s', async (_, file, from, to, named) => {
    const { code, stdout } = await check(file, from, to);
    expect(code).toBe(100);
    // What does not compile would fail too, with other words.
    expect(stdout).toMatch(/Previously present|changed/);
    expect(stdout).toContain(named);
    expect(stdout).toContain(`proto/ect/v1/${file}:`);
  });
});
