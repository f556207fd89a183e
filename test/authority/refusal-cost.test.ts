// No secret is involved in a rejection, and nothing is fetched for one: so none is much dearer than the others.

import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { makeAuthority } from '../support/authority.ts';
import { AUD, ISS, keys, makeToken, NOW } from '../support/tokens.ts';
import { reasonIn, verifyFor } from './support.ts';

const TOKENS = 1000;
/** A median that a busy machine has spoilt is taken again. */
const ROUNDS = 5;

const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const kinds: Readonly<Record<string, readonly string[]>> = {
  KEY_UNKNOWN: many((at) => makeToken({}, { kid: `nobody-${at}` })),
  SIGNATURE_INVALID: many((at) => makeToken({ exec_act: `act-${at}` }, {}, stranger)),
  CLAIM_INVALID: many((at) => makeToken({ jti: `no-uuid-${at}` })),
};

function many(make: (at: number) => string): readonly string[] {
  return Array.from({ length: TOKENS }, (_, at) => make(at));
}

test('T26: an unknown key, a bad signature and a bad claim cost about the same: no median is ten times another', async () => {
  const { context } = await makeAuthority();
  const verifier = { ...context, keys, now: () => NOW };
  expect(keys.find('nobody-0', ISS)).toBeUndefined();

  // One token of each kind in turn, so that a busy machine slows all kinds alike.
  async function ratioOfMedians(): Promise<number> {
    const times = new Map<string, number[]>(Object.keys(kinds).map((reason) => [reason, []]));
    for (let at = 0; at < TOKENS; at++) {
      for (const [reason, tokens] of Object.entries(kinds)) {
        const start = performance.now();
        const verdict = await verifyFor(verifier, tokens[at]!, { audience: AUD });
        times.get(reason)!.push(performance.now() - start);
        expect(reasonIn(verdict)).toBe(reason);
      }
    }
    const medians = [...times.values()].map((list) => list.sort((a, b) => a - b)[TOKENS / 2]!);
    return Math.max(...medians) / Math.min(...medians);
  }

  const ratios: number[] = [];
  while (ratios.length < ROUNDS && !(ratios.at(-1)! < 10)) ratios.push(await ratioOfMedians());
  console.log(`dearest to cheapest rejection: ${ratios.map((ratio) => ratio.toFixed(1)).join(', ')}`);
  expect(ratios.at(-1)).toBeLessThan(10);
});
