import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { emptyCheckpoint, generateLedgerKey, openLedgerKey } from '../../src/ledger/index.ts';
import { MarkFile } from '../../src/stores/mark-file.ts';
import { SOON } from '../support/soon.ts';

const PAGE_BYTES = 4_096;
const KEY = openLedgerKey(generateLedgerKey('ledger.example/ect'));

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ect-mark-'));
  path = join(folder, 'ledger.mark');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A text of the form of a checkpoint. */
function kept(size: number) {
  return { checkpoint: `ledger.example/ect\n${size}\nroot\n\n— signature\n`, recordedAtMs: 1_772_000_000_000 + size };
}

function newest(): number {
  return Math.max(-1, ...MarkFile.read(path).map(({ checkpoint }) => Number(checkpoint.split('\n')[1])));
}

describe('a mark in a file', () => {
  test('is read as it was raised, for its owner only, and by every process at once', () => {
    expect(MarkFile.read(path)).toEqual([]);
    const mark = MarkFile.open(path, 0);
    expect(mark.isNew).toBe(true);
    expect(mark.read()).toEqual([]);
    mark.raise(kept(7));
    expect(MarkFile.read(path)).toEqual([kept(7)]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const genuine = emptyCheckpoint(KEY);
    mark.raise(genuine);
    expect(MarkFile.read(path)).toEqual([genuine]);
    expect(MarkFile.open(path, 1).isNew).toBe(false);
  });

  test('of several processes has what each of them raised last, and goes on in the slot of one that was killed', () => {
    const [one, two] = [MarkFile.open(path, 0), MarkFile.open(path, 1)];
    one.raise(kept(3));
    two.raise(kept(5));
    one.raise(kept(4));
    expect(newest()).toBe(5);
    MarkFile.open(path, 1);
    expect(newest()).toBe(5);
    MarkFile.open(path, 1).raise(kept(6));
    expect(newest()).toBe(6);
  });

  test('L25 that became larger than any that was written is rejected, and not read', () => {
    MarkFile.open(path, 0).raise(kept(7));
    truncateSync(path, 3 * 2 ** 30);
    expect(() => MarkFile.read(path)).toThrow(expect.objectContaining({ kind: 'damaged mark' }));
    expect(() => MarkFile.open(path, 0)).toThrow(expect.objectContaining({ kind: 'damaged mark' }));
  });

  test('L3 L6 whatever page is torn at whatever moment, a checkpoint stays that was on the disk', async () => {
    const mark = MarkFile.open(path, 0);
    let onDisk = -1;
    // Each page is written to, and is the one that is torn.
    for (let size = 1; size <= 6; size += 2) {
      mark.raise(kept(size));
      mark.raise(kept(size + 1));
      // A power failure tears pages that were written since the last sync.
      const bytes = readFileSync(path);
      for (let page = 0; page < 3; page++) {
        const at = page * PAGE_BYTES;
        const text = bytes.toString('latin1', at, at + 200);
        const isFresh = text.includes(`\n${size}\n`) || text.includes(`\n${size + 1}\n`);
        if (isFresh) bytes.fill(0xff, at + 70, at + 100);
      }
      const torn = join(folder, 'torn');
      writeFileSync(torn, bytes);
      if (onDisk >= 0) {
        const sizes = MarkFile.read(torn).map(({ checkpoint }) => Number(checkpoint.split('\n')[1]));
        expect(Math.max(...sizes)).toBe(onDisk);
      } else expect(() => MarkFile.read(torn)).toThrow('damaged mark');
      await pageTurned(mark, size + 1);
      onDisk = size + 1;
    }
    await mark.close();
  });

  test('L6 a file cut short or with flipped bits is what is whole of it, or damaged; zeros are no mark', () => {
    MarkFile.open(path, 0).raise(kept(9));
    const whole = readFileSync(path);
    const start = whole.findIndex((byte) => byte !== 0);
    const end = whole.indexOf(0, start);
    for (let bit = 0; bit < 8 * (end - start); bit += 3) {
      const bytes = Buffer.from(whole);
      const at = start + Math.floor(bit / 8);
      bytes[at]! ^= 1 << (bit % 8);
      writeFileSync(path, bytes);
      expect(() => MarkFile.read(path)).toThrow('damaged mark');
    }
    writeFileSync(path, whole);
    truncateSync(path, whole.indexOf(Buffer.from('signature')));
    expect(() => MarkFile.read(path)).toThrow('damaged mark');
    writeFileSync(path, Buffer.alloc(PAGE_BYTES));
    expect(MarkFile.read(path)).toEqual([]);
    const opened = MarkFile.open(path, 0);
    expect([opened.read(), opened.damagedPages]).toEqual([[], 0]);
  });

  test('L6 a damaged page, beside others that say something older, is counted when it is opened', async () => {
    const mark = MarkFile.open(path, 0);
    expect(mark.damagedPages).toBe(0);
    mark.raise(kept(1));
    await pageTurned(mark, 1);
    mark.raise(kept(2));
    await mark.close();
    const bytes = readFileSync(path);
    const page = Math.floor(bytes.indexOf('\n2\n') / PAGE_BYTES);
    bytes[page * PAGE_BYTES + 70]! ^= 1;
    writeFileSync(path, bytes);
    expect(newest()).toBe(1);
    expect(MarkFile.damagedPages(path)).toBe(1);
    // One process says it for all.
    expect(MarkFile.open(path, 1).damagedPages).toBe(0);
    const next = MarkFile.open(path, 0);
    expect(next.damagedPages).toBe(1);
    await next.close();
  });

  test('is made again where it was deleted or replaced under the running service', async () => {
    const mark = MarkFile.open(path, 0);
    mark.raise(kept(1));
    rmSync(path);
    mark.raise(kept(2));
    await vi.waitFor(() => expect(newest()).toBe(2), SOON);
    mark.raise(kept(3));
    expect(newest()).toBe(3);
    await mark.close();
  });

  test('L2 a file that cannot be written rejects, and says which', () => {
    const mark = MarkFile.open(path, 0);
    const long = { checkpoint: `${'x'.repeat(PAGE_BYTES)}\n1\n`, recordedAtMs: 0 };
    expect(() => mark.raise(long)).toThrow(expect.objectContaining({ reason: 'LEDGER_UNAVAILABLE' }));
    expect(() => mark.raise(long)).toThrow('ledger.mark');
  });
});

/** Waits until the mark was synced: what is raised then goes to another page. */
async function pageTurned(mark: MarkFile, size: number): Promise<void> {
  const pageWith = () => MarkFile.read(path).filter(({ checkpoint }) => checkpoint.includes(`\n${size}\n`)).length;
  await vi.waitFor(() => {
    mark.raise(kept(size));
    expect(pageWith()).toBe(2);
  }, SOON);
}
