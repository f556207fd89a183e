// Memory: resident size after many calls against the size after the first ten thousand. Half the calls issue, half verify
// tokens that were never seen, so that whatever is remembered by token shows.

import { startAuthority } from '../authority-process.ts';
import { underH2load, underLoad } from '../contenders.ts';
import type { Measure } from './plan.ts';

/** Calls between two verifying runs: their tokens are held ready by the generator. */
const STEP_CALLS = 40_000;
const SETTLE_MS = 1_000;
const MB = 1e6;
const LIMIT_MB = 20;

export const measureMemory: Measure = async (bench, { memoryCalls: [first, last] }) => {
  await using ours = await startAuthority(bench);
  const issue = await underH2load(bench, ours, 'issue');
  const verify = await underLoad(bench, ours, 'verify-unseen');
  let made = 0;

  /** Goes on until so many calls were made; answers the resident megabytes when the server has come to rest. */
  async function megabytesAfter(calls: number): Promise<number> {
    while (made < calls) {
      const half = Math.min(STEP_CALLS, calls - made) / 2;
      await issue.drive(half);
      await verify.drive(half);
      made += 2 * half;
    }
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    return (await ours.cost()).rssBytes / MB;
  }

  const early = await megabytesAfter(first);
  const late = await megabytesAfter(last);
  const text = `growth, ${first.toLocaleString('en')} → ${last.toLocaleString('en')} calls`;
  return {
    name: 'memory',
    title: 'Memory',
    unit: 'calls',
    sides: [],
    goals: [{ text, value: late - early, limit: LIMIT_MB, kind: 'at most', unit: 'MB' }],
    notes: [
      `Resident ${Math.round(early)} MB, later ${Math.round(late)} MB. Half the calls issue, half verify unseen tokens.`,
    ],
  };
};
