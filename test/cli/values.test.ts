import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hashFile, ledgerIndex, milliseconds, moment, readText, seconds, serviceUrl } from '../../src/cli/values.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ect-values-'));
});
afterAll(() => rm(directory, { recursive: true }));

function ioWith(stdin: string) {
  return { stdin: Readable.from([Buffer.from(stdin)]), stdout: new PassThrough(), stderr: new PassThrough() };
}

test('durations have a unit', () => {
  expect(['500ms', '30s', '10m', '24h'].map(milliseconds)).toEqual([500, 30_000, 600_000, 86_400_000]);
  expect(['30s', '2000ms'].map(seconds)).toEqual([30, 2]);
  for (const bad of ['', '10', '0s', '-1s', '1.5s', '10 m', '10M', '1e3s']) expect(() => milliseconds(bad)).toThrow();
  expect(() => seconds('1500ms')).toThrow('whole number of seconds');
});

test('an index is a plain whole number', () => {
  expect(ledgerIndex('0')).toBe(0n);
  for (const bad of ['', '-1', '1.0', '0x1', '1e3', ' 1']) expect(() => ledgerIndex(bad)).toThrow();
});

test('an address is http or https without a path', () => {
  expect(serviceUrl('http://127.0.0.1:8080/')).toBe('http://127.0.0.1:8080');
  expect(serviceUrl('unix:///run/ect.sock')).toBe('unix:/run/ect.sock');
  for (const bad of [
    '127.0.0.1:8080',
    'ftp://a',
    'http://a/b',
    'file:///etc/passwd',
    'unix://host/path',
    'unix:ect.sock',
  ])
    expect(() => serviceUrl(bad)).toThrow();
});

test('a moment is RFC 3339 with a zone, or seconds; it is read to the millisecond', () => {
  const seconds = 1_772_000_000n;
  expect(moment('2026-02-25T06:13:20Z')).toEqual({ seconds, nanos: 0 });
  expect(moment('2026-02-25T07:13:20.999+01:00')).toEqual({ seconds, nanos: 999_000_000 });
  expect(moment('1772000000')).toEqual({ seconds, nanos: 0 });
  for (const bad of [
    '',
    '-1',
    'now',
    '2026-02-25',
    '2026-02-25T06:13:20',
    '2026-13-01T00:00:00Z',
    '1969-12-31T23:59:59Z',
  ])
    expect(() => moment(bad), bad).toThrow();
});

test('a token is given as text, as a file, or on stdin, and blanks around it are dropped', async () => {
  const file = join(directory, 'token');
  await writeFile(file, ' a.b.c\n');
  expect(await readText(ioWith(''), 'a.b.c')).toBe('a.b.c');
  expect(await readText(ioWith(''), `@${file}`)).toBe('a.b.c');
  expect(await readText(ioWith('a.b.c\n'), '-')).toBe('a.b.c');
  await expect(readText(ioWith(''), `@${directory}/none`)).rejects.toThrow('there is no file');
});

test('a file is hashed to the last octet, whatever its size', async () => {
  const file = join(directory, 'big');
  const content = Buffer.alloc(1_000_001, 'x');
  await writeFile(file, content);
  expect(await hashFile(ioWith(''), file)).toBe(createHash('sha256').update(content).digest('base64url'));
  expect(await hashFile(ioWith('test'), '-')).toBe('n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg');
  await writeFile(file, '');
  expect(await hashFile(ioWith(''), file)).toBe('47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU');
});
