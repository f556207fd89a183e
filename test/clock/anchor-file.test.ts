import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readAnchor, writeAnchor } from '../../src/clock/anchor-file.ts';

const ANCHOR = {
  bootId: 'b',
  bootMs: 1.5,
  believedMs: 1_772_000_000_000.5,
  lagMs: 0,
  lagLeftMs: 0,
  forgottenMs: 0,
  excusedMs: 0,
};

function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ect-anchor-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'clock.json');
}

test('what was written is read again, by its owner only', () => {
  const path = newPath();
  expect(readAnchor(path)).toBeUndefined();
  writeAnchor(path, ANCHOR);
  expect(readAnchor(path)).toEqual(ANCHOR);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  writeAnchor(path, { ...ANCHOR, bootId: 'longer than before' });
  writeAnchor(path, ANCHOR);
  expect(readAnchor(path)).toEqual(ANCHOR);
});

test('half a file, and one that was never written here, are as good as none', () => {
  const path = newPath();
  writeAnchor(path, ANCHOR);
  const text = readFileSync(path, 'utf8').trimEnd();
  for (let length = 0; length < text.length; length++) {
    writeFileSync(path, text.slice(0, length));
    expect(readAnchor(path)).toBeUndefined();
  }
  for (const other of ['null', '[]', '{}', JSON.stringify({ ...ANCHOR, lagMs: -1 }), text.replace('1.5', '1e999')]) {
    writeFileSync(path, other);
    expect(readAnchor(path), other).toBeUndefined();
  }
});

test('a directory that takes nothing does no harm', () => {
  expect(() => writeAnchor(join(newPath(), 'missing', 'clock.json'), ANCHOR)).not.toThrow();
});
