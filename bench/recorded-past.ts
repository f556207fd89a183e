// A workflow that is recorded before anything is measured, and the place of the tasks that follow it.

import { randomUUID } from 'node:crypto';
import type { LocalSigner } from '../src/signers/local/index.ts';
import { probe } from './probe.ts';
import type { Server } from './servers.ts';
import { mintToken, type Place } from './tokens.ts';
import { batchAppendBody, WORKS } from './works.ts';

/** Which tasks the task number `at` follows, by number. */
type Links = (at: number) => readonly number[];

const ROW = 100;
const inRow = (at: number, offset: number) => Math.floor(at / ROW) * ROW + ((at + offset) % ROW);

/** The graphs. Every one of them has a place for one task more at its end. */
export const SHAPES = {
  chain: (at) => (at === 0 ? [] : [at - 1]),
  'rows of 100, fan-in of 3': (at) => (at < ROW ? [] : [0, 7, 31].map((offset) => inRow(at - ROW, offset))),
  // A task, the two that follow it, the one that follows these, and so on: the paths double with every diamond.
  'diamond lattice': (at) => (at === 0 ? [] : at % 3 === 0 ? [at - 2, at - 1] : [at - (at % 3)]),
} as const satisfies Record<string, Links>;

export type ShapeName = keyof typeof SHAPES;

const TASKS_PER_BATCH = 500;

/** Records so many tasks of a new workflow, and answers the place of what follows the last of them. */
export async function recordPast(server: Server, signer: LocalSigner, shape: ShapeName, size: number): Promise<Place> {
  const links: Links = SHAPES[shape];
  const wid = randomUUID();
  const names: string[] = [];
  const nameAll = (numbers: readonly number[]) => numbers.map((at) => names[at]!);
  while (names.length < size) {
    const tokens: string[] = [];
    while (tokens.length < TASKS_PER_BATCH && names.length < size) {
      const jti = randomUUID();
      tokens.push(mintToken(signer, { wid, pred: nameAll(links(names.length)) }, jti));
      names.push(jti);
    }
    await probe(server.url, WORKS['batch-append'].path, batchAppendBody(tokens));
  }
  return { wid, pred: nameAll(links(size)) };
}
