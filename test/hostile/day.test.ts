// Twenty-four hours' worth of watchers and calls in fast motion: nothing is kept of them.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const CHILD = fileURLToPath(new URL('day-child.ts', import.meta.url));
/** Each opens 50 watchers and makes 100 calls. In the full run: a call for each second of a day. */
const ROUNDS = process.env['HOSTILE_ALL'] === '1' ? 864 : 20;
const MORE_HEAP_BYTES = 4 * 2 ** 20;
/** Hundreds of bytes for each look of each watcher would be some 4 MiB. */
const MORE_HELD_BYTES = 1.5 * 2 ** 20;
const MORE_RESOURCES = 3;

interface Outcome {
  readonly before: { readonly heapBytes: number; readonly resources: number };
  readonly after: { readonly heapBytes: number; readonly resources: number; readonly listenersWarned: number };
  readonly heldGrowthBytes: number;
  readonly watcherLooks: number;
}

describe('H21 H14: a day of watchers and calls leaves nothing behind', () => {
  test('neither heap nor listeners nor timers grow', { timeout: 600_000 }, async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', CHILD, String(ROUNDS)]);
    const { before, after, heldGrowthBytes, watcherLooks } = JSON.parse(stdout) as Outcome;
    const perLook = heldGrowthBytes / watcherLooks;
    console.info(
      `DAY heap ${before.heapBytes} -> ${after.heapBytes} bytes, resources ${before.resources} -> ${after.resources}, ` +
        `while held +${heldGrowthBytes} bytes in ${watcherLooks} looks (${perLook.toFixed(1)} a look), ` +
        `warnings of listeners ${after.listenersWarned}`,
    );
    expect(after.heapBytes - before.heapBytes).toBeLessThan(MORE_HEAP_BYTES);
    expect(after.resources - before.resources).toBeLessThanOrEqual(MORE_RESOURCES);
    expect(after.listenersWarned).toBe(0);
    expect(heldGrowthBytes).toBeLessThan(MORE_HELD_BYTES);
  });
});
