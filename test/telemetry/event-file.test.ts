// S1 L17: where log lines end up when nobody can take them any more.

import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { EventFile } from '../../src/telemetry/event-file.ts';
import { SOON } from '../support/soon.ts';

/**
 * Closes a file once nothing is being written to it. A write that waits for a free thread would go to whatever file has the same
 * number by then: here to the log of the next test.
 */
async function closeQuiet(fd: number): Promise<void> {
  await vi.waitFor(() => expect(process.getActiveResourcesInfo()).not.toContain('FSReqCallback'), SOON);
  closeSync(fd);
}

test('pieces are written in order and whole, some at once and the rest by a flush', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ect-events-'));
  const path = join(folder, 'log');
  const fd = openSync(path, 'w');
  try {
    const file = new EventFile(fd);
    const pieces = Array.from({ length: 200 }, (_, at) => `${at}ä`.repeat(at + 1));
    for (const piece of pieces.slice(0, 100)) file.write(Buffer.from(`${piece}\n`));
    await vi.waitFor(() => expect(readFileSync(path, 'utf8')).toBe(`${pieces.slice(0, 100).join('\n')}\n`), SOON);
    for (const piece of pieces.slice(100)) file.write(Buffer.from(`${piece}\n`));
    file.flushSync();
    await vi.waitFor(
      () => expect(readFileSync(path, 'utf8').split('\n').filter(Boolean).sort()).toEqual(pieces.toSorted()),
      SOON,
    );
  } finally {
    await closeQuiet(fd);
    rmSync(folder, { recursive: true });
  }
});

test.runIf(process.platform === 'linux')('a full disk takes no line, and holds nobody', async () => {
  const fd = openSync('/dev/full', 'w');
  try {
    const file = new EventFile(fd);
    file.write(Buffer.from('first\n'));
    file.write(Buffer.from('second\n'));
    file.flushSync();
    await new Promise((resolve) => setImmediate(resolve));
    file.write(Buffer.from('third\n'));
    file.flushSync();
  } finally {
    await closeQuiet(fd);
  }
});

test('H24: what a slow reader leaves waiting has a bound; what is lost is said in its place', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ect-events-'));
  const path = join(folder, 'log');
  const fd = openSync(path, 'w');
  try {
    const file = new EventFile(fd, 1_000);
    // The first is being written, and nothing of the rest before this turn has ended.
    file.write(Buffer.from('first\n'));
    for (let line = 0; line < 100; line++) file.write(Buffer.from(`${'x'.repeat(99)}\n`));
    await vi.waitFor(() => expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(12), SOON);
    file.write(Buffer.from('last\n'));
    await vi.waitFor(() => expect(readFileSync(path, 'utf8')).toMatch(/last\n$/), SOON);
    const [loss, last] = readFileSync(path, 'utf8').trimEnd().split('\n').slice(-2);
    expect(JSON.parse(loss!)).toMatchObject({ event: 'events-lost', pieces: 90 });
    expect(last).toBe('last');
  } finally {
    await closeQuiet(fd);
    rmSync(folder, { recursive: true });
  }
});

/** A pipe that is not blocking and that nobody reads: bytes beyond its capacity are rejected with EAGAIN. */
function openPipe(): { readonly fd: number; readonly close: () => Promise<void> } {
  const folder = mkdtempSync(join(tmpdir(), 'ect-events-'));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  return {
    fd,
    close: async () => {
      await closeQuiet(fd);
      rmSync(folder, { recursive: true });
    },
  };
}

/** What is in a pipe now, up to so many bytes. */
function readFrom(fd: number, most = 1 << 20): string {
  const bytes = Buffer.alloc(most);
  try {
    return bytes.toString('utf8', 0, readSync(fd, bytes));
  } catch {
    return ''; // It is empty.
  }
}

describe.runIf(process.platform === 'linux')('H24: a reader that takes nothing', () => {
  test('delays a flush by a bounded number of attempts, however many pieces wait', async () => {
    const { fd, close } = openPipe();
    const pause = vi.spyOn(Atomics, 'wait').mockReturnValue('timed-out');
    try {
      const file = new EventFile(fd);
      file.write(Buffer.from('first'));
      for (let piece = 0; piece < 40; piece++) file.write(Buffer.alloc(65_536, 'x'));
      file.flushSync();
      expect(pause.mock.calls.length).toBeGreaterThan(0);
      expect(pause.mock.calls.length).toBeLessThanOrEqual(100);
      await vi.waitFor(() => expect(readFrom(fd)).toContain('first'), SOON);
    } finally {
      pause.mockRestore();
      await close();
    }
  });

  test('gets everything in order when it reads again', async () => {
    const { fd, close } = openPipe();
    try {
      const file = new EventFile(fd);
      const lines = Array.from({ length: 40 }, (_, at) => `${String(at).padStart(9_999, '0')}\n`);
      for (const line of lines) file.write(Buffer.from(line));
      let read = '';
      await vi.waitFor(() => {
        read += readFrom(fd);
        expect(read.length).toBe(lines.join('').length);
      }, SOON);
      expect(read).toBe(lines.join(''));
    } finally {
      await close();
    }
  });

  test('and reads again during a flush, little at a time, gets all of it', async () => {
    const { fd, close } = openPipe();
    let read = '';
    const pause = vi.spyOn(Atomics, 'wait').mockImplementation(() => {
      read += readFrom(fd, 4096);
      return 'timed-out';
    });
    try {
      const file = new EventFile(fd);
      file.write(Buffer.from('first\n'));
      const rest = ['a', 'b', 'c'].map((letter) => `${letter.repeat(250_000)}\n`);
      for (const piece of rest) file.write(Buffer.from(piece));
      file.flushSync();
      // The first was being written by another thread.
      await vi.waitFor(() => {
        read += readFrom(fd);
        expect(read).toContain('first');
      }, SOON);
      expect(read.replace('first\n', '')).toBe(rest.join(''));
    } finally {
      pause.mockRestore();
      await close();
    }
  });
});
