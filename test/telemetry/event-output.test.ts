// How lines are gathered before they are written.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { GatheredLines } from '../../src/telemetry/event-output.ts';
import { createEvents } from '../../src/telemetry/events.ts';

const FLUSH_MS = 100;

/** Lines gathered into chunks of at most 20 bytes, and what becomes of them. */
function gather() {
  const done: string[] = [];
  const output = { write: (lines: Buffer) => done.push(lines.toString()), flushSync: () => done.push('flushed') };
  return { lines: new GatheredLines(output, 20, FLUSH_MS), done };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('lines', () => {
  test('leave together when the next one does not fit, in order and whole', () => {
    const { lines, done } = gather();
    for (let line = 0; line < 7; line++) lines.write(`line-${line}\n`);
    expect(done).toEqual(['line-0\nline-1\n', 'line-2\nline-3\n', 'line-4\nline-5\n']);
    lines.flushSync();
    expect(done.slice(3)).toEqual(['line-6\n', 'flushed']);
  });

  test('leave when time has passed, once, and nothing is written where there is none', () => {
    const { lines, done } = gather();
    lines.write('a\n');
    vi.advanceTimersByTime(FLUSH_MS - 1);
    lines.write('b\n');
    expect(done).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(done).toEqual(['a\nb\n']);
    vi.advanceTimersByTime(10 * FLUSH_MS);
    expect(done).toEqual(['a\nb\n']);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('are counted in bytes, and one that is longer than a chunk leaves alone', () => {
    const { lines, done } = gather();
    const written = ['ä'.repeat(9), 'abc', 'x'.repeat(30), 'y'].map((line) => `${line}\n`);
    for (const line of written) lines.write(line);
    expect(done).toEqual(written.slice(0, 3));
    lines.flushSync();
    expect(done.join('')).toBe(`${written.join('')}flushed`);
  });

  test('are whole, although a character may have more bytes than units', () => {
    const { lines, done } = gather();
    const written = ['x'.repeat(10), '€'.repeat(5), '€é'].map((line) => `${line}\n`);
    for (const line of written) lines.write(line);
    lines.flushSync();
    expect(done.join('')).toBe(`${written.join('')}flushed`);
  });

  test('that were handed on do not change, whether their chunk was full or not', () => {
    const handed: Buffer[] = [];
    const output = { write: (lines: Buffer) => handed.push(lines), flushSync: () => undefined };
    const lines = new GatheredLines(output, 20, FLUSH_MS);
    const written = ['a', 'b'.repeat(15), 'ß'.repeat(4), 'c'.repeat(40), 'd'].map((line) => `${line}\n`);
    for (const line of written) {
      lines.write(line);
      vi.advanceTimersByTime(FLUSH_MS);
    }
    expect(handed.map(String)).toEqual(written);
  });

  test('that wait to be written take as much memory as they have bytes', () => {
    const handed: Buffer[] = [];
    const output = { write: (lines: Buffer) => handed.push(lines), flushSync: () => undefined };
    const lines = new GatheredLines(output, 1 << 20, FLUSH_MS);
    for (let at = 0; at < 10; at++) {
      lines.write(`${at}\n`);
      vi.advanceTimersByTime(FLUSH_MS);
    }
    const memory = new Set(handed.map(({ buffer }) => buffer));
    expect([...memory].reduce((sum, { byteLength }) => sum + byteLength, 0)).toBe(20);
  });
});

test('a service that starts again and again adds nothing to what the end of its process has to do', () => {
  const start = (worker: object) => createEvents({ level: 'silent', ...worker }).close();
  for (const worker of [{}, { worker: 1 }]) {
    start(worker);
    const listeners = process.listenerCount('exit');
    for (let starts = 0; starts < 20; starts++) start(worker);
    expect(process.listenerCount('exit')).toBe(listeners);
  }
});
