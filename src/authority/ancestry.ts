// Where predecessors are found: in the ledger, and among tokens that were handed along.

import { type Ancestry, bundleAncestry, combine, type Task } from '../dag/index.ts';
import type { Refusal } from '../errors.ts';
import type { Ledger } from '../ledger/index.ts';
import { createPace, type Ending, STEPS_PER_TOKEN } from '../pace.ts';
import { type VerifiedToken, verifyToken } from '../token/index.ts';
import { asTask, isTask } from './leaf.ts';
import type { AuthorityParts } from './parts.ts';
import { demandSound } from './sound-records.ts';
import { taskOf } from './task.ts';

/**
 * Recorded tasks. Where workflows share a `jti`: the same workflow first, then none, then one other. No scope of tasks comes
 * after those of marks and keys, which begin with a character that no `wid` has: a mark never hides a task.
 * `checked`: each is held against the tree first, which costs more than to look it up.
 */
export function ledgerAncestry(ledger: Ledger, checked = false): Ancestry {
  return {
    find: async (jtis, wid) => {
      const records = (await ledger.lookUp(wid, jtis, 'nearest')).filter((record) => record !== undefined);
      if (checked) await demandSound(ledger, records);
      const tasks = records.filter(isTask).map(asTask);
      return new Map(tasks.map((task) => [task.jti, task]));
    },
  };
}

/**
 * The ledger, and tokens that came along. Each token is fully verified as a record before a word of it is believed;
 * the first that does not hold is the answer.
 */
export async function ancestryWith(
  parts: AuthorityParts,
  predecessors: readonly string[],
  until: Ending,
  checked = false,
): Promise<Ancestry | Refusal> {
  const recorded = ledgerAncestry(parts.ledger, checked);
  if (predecessors.length === 0) return recorded;
  const tasks: Task[] = [];
  const pace = createPace(until);
  for (const [position, text] of predecessors.entries()) {
    if (pace.step(STEPS_PER_TOKEN)) await pace.rest();
    const verified = verifyRecord(parts, text);
    if ('reason' in verified) return namePredecessor(verified, position);
    tasks.push(taskOf(verified, parts.policy.graph));
  }
  return combine(recorded, bundleAncestry(tasks));
}

/**
 * Verifies a token as the record of a task: form, key, signature, claims and issuer. It may have expired and may be
 * addressed to somebody else, as the predecessors of a long workflow are; it must not come from the future.
 */
export function verifyRecord(parts: AuthorityParts, text: string): VerifiedToken | Refusal {
  const verdict = verifyToken(
    text,
    { now: parts.now(), reading: 'recorded' },
    parts.policy.token,
    parts.keys,
    parts.signatures,
  );
  return verdict.ok ? verdict.token : verdict.refusal;
}

function namePredecessor(refusal: Refusal, position: number): Refusal {
  return {
    ...refusal,
    message: `Predecessor ${position} that was handed along is refused: ${refusal.message}`,
    facts: { ...refusal.facts, predecessor: String(position) },
  };
}
