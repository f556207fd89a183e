// Tasks and graphs for the tests of this room.

import { createYielder, type Yielder } from '../../src/concurrency/yielder.ts';
import { type Ancestry, type Marks, TaintCache, type Task, type TaskName } from '../../src/dag/index.ts';

/** A task of no workflow that was issued at 1000, unless `more` says otherwise. */
export function task(jti: string, pred: readonly string[] = [], more: Partial<Task> = {}): Task {
  return { jti, wid: '', iss: 'spiffe://example.com/agent/a', iat: 1000, pred, level: 'L3', kid: 'key-a', ...more };
}

/** The names of tasks of no workflow. */
export function named(...jtis: readonly string[]): TaskName[] {
  return jtis.map((jti) => ({ wid: '', jti }));
}

/** The `jti` of each. */
export function idsOf(tasks: readonly TaskName[]): string[] {
  return tasks.map(({ jti }) => jti);
}

/** `length` tasks, each after the one before: `c0` is the root. */
export function chain(length: number): Task[] {
  return Array.from({ length }, (_, at) => task(`c${at}`, at === 0 ? [] : [`c${at - 1}`]));
}

/** `levels` levels of `width` tasks, each after all tasks of the level before. */
export function layers(levels: number, width: number): Task[] {
  const names = Array.from({ length: levels }, (_, level) =>
    Array.from({ length: width }, (_, at) => `l${level}-${at}`),
  );
  return names.flatMap((level, depth) => level.map((jti) => task(jti, names[depth - 1] ?? [])));
}

/** The last level of `layers`. */
export function lastLayer(levels: number, width: number): string[] {
  return Array.from({ length: width }, (_, at) => `l${levels - 1}-${at}`);
}

/** An ancestry that also keeps what it was asked. */
export function recording(ancestry: Ancestry): {
  ancestry: Ancestry;
  calls: { jtis: readonly string[]; wid: string }[];
} {
  const calls: { jtis: readonly string[]; wid: string }[] = [];
  return {
    calls,
    ancestry: {
      find(jtis, wid) {
        calls.push({ jtis, wid });
        return ancestry.find(jtis, wid);
      },
    },
  };
}

/** Marks under these names, of keys since a second where one is given: the first is entry 0 of the ledger. */
export function marking(names: readonly string[], since?: number): Marks {
  const marks = new Map(names.map((name, entry) => [name, { entry, ...(since === undefined ? {} : { since }) }]));
  const known = new TaintCache();
  return { current: async () => ({ size: marks.size, markOf: (name) => marks.get(name), known }) };
}

/** A pace that keeps count: the steps in all, and those of each slice. */
export function countingPace(): { yielder: Yielder; steps: () => number; slices: readonly number[] } {
  const slices = [0];
  const inner = createYielder();
  return {
    slices,
    steps: () => slices.reduce((sum, steps) => sum + steps, 0),
    yielder: {
      step(cost = 1) {
        slices[slices.length - 1]! += cost;
        return inner.step(cost);
      },
      yield() {
        slices.push(0);
        return inner.yield();
      },
    },
  };
}
