import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
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

test('L27: what lies behind it, be it a byte or gigabytes, is neither read nor kept from being written over', () => {
  const path = newPath();
  writeAnchor(path, ANCHOR);
  for (const bytes of [513, 3 * 1024 ** 3]) {
    truncateSync(path, bytes);
    expect(readAnchor(path)).toEqual(ANCHOR);
    writeAnchor(path, { ...ANCHOR, lagMs: bytes });
    expect(readAnchor(path)).toEqual({ ...ANCHOR, lagMs: bytes });
    writeAnchor(path, ANCHOR);
  }
});

test('L27: a flipped bit in a time is noticed, whichever it is', () => {
  const path = newPath();
  writeAnchor(path, ANCHOR);
  const whole = readFileSync(path);
  const end = whole.indexOf('"sum"');
  for (let at = 0; at < end; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      writeFileSync(path, bytes);
      // A blank that became another blank changes nothing that is said.
      expect([undefined, JSON.stringify(ANCHOR)]).toContain(JSON.stringify(readAnchor(path)));
    }
  }
});

test('what a release before this one wrote is read', () => {
  const path = newPath();
  writeFileSync(path, `${JSON.stringify(ANCHOR).padEnd(511)}\n`);
  expect(readAnchor(path)).toEqual(ANCHOR);
});

test('where the directory takes no file the clock goes on without one, and none is made', () => {
  const path = join(newPath(), 'missing', 'clock.json');
  writeAnchor(path, ANCHOR);
  expect(readAnchor(path)).toBeUndefined();
  expect(existsSync(path)).toBe(false);
});
