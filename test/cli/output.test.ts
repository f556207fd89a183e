import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { columns, plain, utc } from '../../src/cli/output.ts';
import { drawProgress } from '../../src/cli/progress.ts';

test('text from elsewhere cannot steer a terminal', () => {
  expect(plain('a\x1b[2Jb\r\nc\u0000')).toBe('a\\u{1b}[2Jb\\u{d}\\u{a}c\\u{0}');
  expect(plain('right\u202eleft\u2028')).toBe('right\\u{202e}left\\u{2028}');
  expect(plain('Grüße, 世界')).toBe('Grüße, 世界');
});

test('columns are aligned, made safe, and leave out what is absent', () => {
  const lines = columns([
    ['jti', 'a'],
    ['wid', ''],
    ['exec_act', 'x\ny'],
    ['\x1b', 'b'],
  ]);
  expect(lines).toEqual(['jti       a', 'exec_act  x\\u{a}y', '\\u{1b}    b']);
  expect(columns([])).toEqual([]);
});

test('times are written in UTC, and a time that cannot be one is shown as it stands', () => {
  expect(utc(1_772_000_000n)).toBe('2026-02-25T06:13:20Z');
  expect(utc(10n ** 18n)).toBe('1000000000000000000n');
});

test('progress is drawn as one line on a terminal, and nowhere else', () => {
  const terminal = Object.assign(new PassThrough(), { isTTY: true });
  const drawn = drawProgress(terminal, 'audited');
  drawn.advance(50, 200);
  drawn.advance(51, 200);
  drawn.end();
  expect(terminal.read().toString()).toBe('\r50 of 200 (25 %) audited \r\x1b[K');

  const pipe = new PassThrough();
  const silent = drawProgress(pipe, 'audited');
  silent.advance(50, 200);
  silent.end();
  expect(pipe.read()).toBeNull();
});
