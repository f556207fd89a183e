// Appends several tokens so that a later one may follow an earlier one, in as few commits as their links allow.

import { setImmediate as rest } from 'node:timers/promises';
import { EctError } from '../errors.ts';
import { peekLinks } from '../token/index.ts';
import { type Appended, append } from './append.ts';
import type { Caller } from './caller.ts';
import type { AuthorityParts } from './parts.ts';

/** How many tokens are worked on at once: between slices other calls are served. */
const SLICE = 100;

/**
 * Appends in waves: a token goes in once no predecessor of its own is still waiting in the batch. What goes in together
 * shares commits. Items stand alone; the result of each is in its place.
 */
export async function appendBatch(
  parts: AuthorityParts,
  caller: Caller,
  tokens: readonly string[],
  signal: AbortSignal,
): Promise<readonly (Appended | EctError)[]> {
  const results: (Appended | EctError)[] = [];
  for (const wave of planWaves(tokens, parts.policy.token.maxTokenBytes)) {
    for (let start = 0; start < wave.length; start += SLICE) {
      await Promise.all(
        wave.slice(start, start + SLICE).map(async (position) => {
          results[position] = await settle(append(parts, caller, tokens[position]!, signal));
        }),
      );
      await rest();
    }
  }
  return results;
}

/**
 * Positions by wave, linear in the links inside the batch. Tokens that wait for each other can never go in: they come
 * last, and each gets its own reason.
 */
export function planWaves(tokens: readonly string[], maxTokenBytes: number): readonly (readonly number[])[] {
  const links = tokens.map((token) => peekLinks(token.length <= maxTokenBytes ? token : ''));
  const positions = new Map<string, number[]>();
  for (const [position, { jti }] of links.entries()) {
    const namesakes = positions.get(jti);
    if (namesakes === undefined) positions.set(jti, [position]);
    else namesakes.push(position);
  }
  const followers: number[][] = tokens.map(() => []);
  const waitsFor = links.map(({ pred }, position) => {
    // Where several tokens claim one task, one of them at most goes in: waiting for the first is enough.
    const awaited = pred.flatMap((jti) => positions.get(jti)?.slice(0, 1) ?? []);
    for (const earlier of awaited) followers[earlier]!.push(position);
    return awaited.length;
  });
  const waves: number[][] = [];
  let wave = [...tokens.keys()].filter((position) => waitsFor[position] === 0);
  let planned = 0;
  while (wave.length > 0) {
    waves.push(wave);
    planned += wave.length;
    wave = wave.flatMap((position) => followers[position]!).filter((position) => --waitsFor[position]! === 0);
  }
  if (planned < tokens.length) waves.push([...tokens.keys()].filter((position) => waitsFor[position]! > 0));
  return waves;
}

async function settle(appending: Promise<Appended>): Promise<Appended | EctError> {
  try {
    return await appending;
  } catch (error) {
    if (error instanceof EctError) return error;
    throw error;
  }
}
