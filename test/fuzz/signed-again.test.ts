// Payloads that were changed anywhere and signed again by a trusted key: every step behind the signature meets them.

import { expect, test } from 'vitest';
import { TOKEN_STEPS, verifyToken } from '../../src/token/index.ts';
import { rounds } from '../support/full.ts';
import { fc } from '../support/random.ts';
import { AUD, header, keys, NOW, policy } from '../support/tokens.ts';
import { jsonObjects, uris, uuids } from './claim-sets.ts';
import { goodTokens } from './mutants.ts';
import { signText } from './specimens.ts';

const QUESTION = { now: NOW, audience: AUD, purpose: 'presented' } as const;
const CLAIMS = 'iss aud iat exp jti wid exec_act pred par inp_hash out_hash ect_ext ext pol pol_decision sub'.split(
  ' ',
);

const payloads = goodTokens.map(
  (token) => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Readonly<Record<string, unknown>>,
);

const PAYLOADS = rounds(10_000, 1_000);

/** Any claim with any value, its own or that of another. */
const anything = fc.tuple(
  fc.constantFrom(...CLAIMS),
  fc.oneof(
    fc.jsonValue({ maxDepth: 7 }),
    fc.constantFrom(undefined, AUD, [], {}, '', 'approved', -0, 2 ** 53, 1e21),
    fc.constantFrom(...payloads).chain((payload) => fc.constantFrom(...Object.values(payload))),
  ),
);
const times = fc.integer({ min: -1000, max: 1000 }).map((seconds) => NOW + seconds);
const names = fc.oneof(uuids, uuids, uuids, fc.string({ maxLength: 40 }));
/** A claim with a value of its type, which may keep its rule or not. */
const typed = fc.oneof(
  fc.tuple(fc.constantFrom('iat', 'exp'), times),
  fc.tuple(fc.constant('aud'), fc.array(fc.constantFrom(AUD, 'urn:x', ''), { maxLength: 66 })),
  fc.tuple(fc.constant('iss'), fc.oneof(uris, fc.string())),
  fc.tuple(fc.constantFrom('jti', 'wid'), names),
  fc.tuple(fc.constant('exec_act'), fc.string({ unit: 'binary', maxLength: 300 })),
  fc.tuple(fc.constant('pred'), fc.array(names, { maxLength: 5 })),
  fc.tuple(fc.constant('ect_ext'), jsonObjects(7)),
  fc.tuple(fc.constantFrom('inp_hash', 'out_hash'), fc.base64String({ minLength: 42, maxLength: 45 })),
);
/** One change that leaves the claims well formed: the steps behind them would seldom see a payload that several changes left to them. */
const lateFault = fc.oneof(
  fc.tuple(fc.constant('aud'), fc.uniqueArray(fc.constantFrom('urn:x', 'urn:y', 'urn:z'), { minLength: 1 })),
  fc.tuple(fc.constant('iss'), uris),
  fc.tuple(fc.constantFrom('iat', 'exp'), times),
);
const changes = fc.oneof(
  { weight: 3, arbitrary: fc.array(fc.oneof(anything, typed, typed), { minLength: 1, maxLength: 3 }) },
  { weight: 1, arbitrary: fc.tuple(lateFault) },
);

test(`T25: of ${PAYLOADS.toLocaleString('en')} payloads that were changed and signed again none throws, and what is accepted is read as it says`, () => {
  const stoppedAt = new Map<string, number>();
  fc.assert(
    fc.property(fc.constantFrom(...payloads), changes, fc.boolean(), (good, made, isOlder) => {
      const payload = { ...good, ...Object.fromEntries(made) };
      const json = JSON.stringify(payload);
      const typ = 'par' in good || isOlder ? 'wimse-exec+jwt' : 'exec+jwt';
      const verdict = verifyToken(signText(JSON.stringify({ ...header, typ }), json), QUESTION, policy, keys);
      const step = TOKEN_STEPS[verdict.outcomes.indexOf('FAIL')]?.name ?? 'none';
      stoppedAt.set(step, (stoppedAt.get(step) ?? 0) + 1);
      if (!verdict.ok) return;
      // A naive reader, who trusts the same text, reads the same.
      const read = JSON.parse(json) as Record<string, unknown>;
      const { iss, aud, iat, exp, jti, wid, exec_act, pred, ect_ext } = verdict.token.claims;
      expect({ iss, aud, iat, exp, jti, wid, exec_act, pred, ect_ext }).toEqual({
        iss: read['iss'],
        aud: [read['aud']].flat(),
        iat: read['iat'],
        exp: read['exp'],
        jti: read['jti'],
        wid: read['wid'] ?? '',
        exec_act: read['exec_act'],
        pred: read['pred'] ?? read['par'],
        ect_ext: read['ect_ext'] ?? read['ext'],
      });
      expect(isLegal(verdict.token.claims)).toBe(true);
    }),
    { numRuns: PAYLOADS },
  );
  console.info(`signed again, by the step that rejected them: ${JSON.stringify(Object.fromEntries(stoppedAt))}`);
  for (const step of ['claims', 'formats', 'issuer', 'audience', 'time', 'none']) {
    expect(stoppedAt.get(step) ?? 0, step).toBeGreaterThan(PAYLOADS / 500);
  }
});

/** A few rules once more, in other words than the verifier has them. */
function isLegal(claims: {
  readonly iat: number;
  readonly exp: number;
  readonly jti: string;
  readonly aud: readonly string[];
  readonly pred: readonly string[];
}): boolean {
  const { iat, exp, jti, aud, pred } = claims;
  const isAlive = exp > NOW && iat <= NOW + 30 && iat >= NOW - 900 && exp - iat <= 86_400;
  const ids = [jti, ...pred];
  const areIds = ids.every((id) => id.length === 36 && id.split('-').length === 5 && id === id.toLowerCase());
  return isAlive && areIds && new Set(ids).size === ids.length && pred.length <= 100 && aud.includes(AUD);
}
