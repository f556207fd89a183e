// A table of attacks becomes tests: one for each row and variant. `npm test` runs the rows that say `quick`, for some
// seconds each; a run that names this folder runs them all, for HOSTILE_SECONDS each.

import { afterAll, expect, test } from 'vitest';
import { describeWith } from '../../support/need.ts';
import { type Arena, type Durations, openArena } from './arena.ts';
import { report } from './figures.ts';
import type { AttackOptions } from './target.ts';
import { titleOf, type Variant } from './variants.ts';
import { type Fault, judge } from './verdict.ts';

export interface Row {
  readonly name: string;
  /** A file of `test/hostile/attacks`. */
  readonly attack: string;
  readonly options?: AttackOptions;
  readonly on: readonly Variant[];
  /** A p99 up to this is never too slow; 50 ms where it is not said. */
  readonly fineMs?: number;
  /** The variant on which it runs in `npm test` too. */
  readonly quick?: Variant;
}

/** Set by vitest.config.ts where this folder, or a file of it, was named. */
const isFull = process.env['HOSTILE_ALL'] === '1';
/** Each row once, on one variant: for a CI that has minutes, not hours. */
const isOnce = process.env['HOSTILE_VARIANTS'] === 'one';
const asked = Number(process.env['HOSTILE_SECONDS'] ?? 0);
const attackSeconds = asked > 0 ? asked : isFull ? 6 : 3;
const DURATIONS: Durations = {
  baseline: Math.min(10, Math.max(2, attackSeconds / 2)),
  attack: attackSeconds,
  settle: Math.min(60, Math.max(15, attackSeconds)),
};

/**
 * In seconds of an attack its beginning weighs more than it does in a minute, and so does what else the machine does: then times are
 * reported and do not count.
 */
const isLong = attackSeconds >= 30;

/** Defines the tests of these rows inside the `describe` around it. */
export function defineAttacks(rows: readonly Row[]): void {
  if (rows.every((row) => variantsOf(row).length === 0)) {
    test.skip(`${rows.length} attacks, which run by: npm run test:hostile`);
    return;
  }
  const arenas = new Map<Variant, Arena>();
  const close = async (variant: Variant) => {
    const arena = arenas.get(variant);
    arenas.delete(variant);
    await arena?.[Symbol.asyncDispose]();
  };
  afterAll(async () => {
    for (const variant of arenas.keys()) await close(variant);
  });

  /** One attack. What was hurt is not used again. */
  async function attempt({ name, attack, options = {}, fineMs }: Row, variant: Variant): Promise<readonly Fault[]> {
    const title = `${name} (${titleOf(variant)})`;
    let arena = arenas.get(variant);
    if (arena === undefined) {
      arena = await openArena(variant);
      arenas.set(variant, arena);
    }
    const seen = await arena.measure(attack, options, DURATIONS);
    const faults = judge(seen, fineMs);
    report(title, seen, faults, fineMs);
    expect(
      Object.values(seen.sent).some((count) => count > 0),
      `${title} has sent nothing`,
    ).toBe(true);
    if (faults.length > 0) await close(variant);
    return faults;
  }

  for (const row of rows) {
    for (const variant of variantsOf(row)) {
      const define = () =>
        test(`${row.name} (${titleOf(variant)})`, async () => {
          let faults = await attempt(row, variant);
          // The machine may have been busy with something else.
          if (isLong && faults.length > 0 && faults.every(({ isTime }) => isTime)) faults = await attempt(row, variant);
          const counted = isLong ? faults : faults.filter(({ isTime }) => !isTime);
          expect(counted.map(({ text }) => text)).toEqual([]);
        });
      if (variant.isTls) describeWith('openssl', titleOf(variant), define);
      else define();
    }
  }
}

function variantsOf({ on, quick }: Row): readonly Variant[] {
  if (!isFull) return on.filter((one) => one === quick);
  return isOnce ? [quick ?? on.find(({ workers }) => workers === 1) ?? on[0]!] : on;
}
