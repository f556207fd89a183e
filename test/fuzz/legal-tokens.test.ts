// Strictness must not cost a legal token: none of thousands is rejected, and each is read as it says.

import { expect, test } from 'vitest';
import { type Claims, verifyToken } from '../../src/token/index.ts';
import { rounds } from '../support/full.ts';
import { fc } from '../support/random.ts';
import { AUD, keys, NOW, policy } from '../support/tokens.ts';
import { type Specimen, specimens } from './specimens.ts';

const TOKENS = rounds(10_000, 600);
const lenient = { ...policy, minimumLevel: 'L1' } as const;

test(`none of ${TOKENS.toLocaleString('en')} legal tokens of all shapes is rejected, and each is read as it says`, () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(specimens, (specimen) => {
      const verdict = verifyToken(specimen.token, { now: NOW, audience: AUD, purpose: 'presented' }, lenient, keys);
      expect(verdict.ok ? factsOf(verdict.token.claims) : verdict.rejection).toEqual(factsIn(specimen));
      if (!verdict.ok) return;
      const shape = `${verdict.token.level} ${verdict.token.draft}`;
      expect(shape).toBe(`${specimen.level} ${specimen.draft}`);
      seen.set(shape, (seen.get(shape) ?? 0) + 1);
    }),
    { numRuns: TOKENS },
  );
  for (const shape of ['L1 01', 'L2 00', 'L2 01']) expect(seen.get(shape), shape).toBeGreaterThan(TOKENS / 10);
});

/** What was read, without what is absent. The extension of -00 has lost its policy claims to the top level. */
function factsOf({ policy: read, ...claims }: Claims): object {
  const facts = {
    ...claims,
    policy: undefined,
    ect_ext: undefined,
    pol: read?.pol,
    decision: read?.decision,
    enforcer: read?.enforcer,
  };
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== '' && value !== undefined));
}

function factsIn({ payload }: Specimen): object {
  const { iss, aud, iat, exp, jti, wid, exec_act, pred, inp_hash, out_hash } = payload;
  const { pol, pol_decision: decision, pol_enforcer: enforcer } = (payload['ect_ext'] ?? {}) as Record<string, unknown>;
  const parties = typeof aud === 'string' ? [aud] : aud;
  const facts = { iss, aud: parties, iat, exp, jti, wid, exec_act, pred, inp_hash, out_hash, pol, decision, enforcer };
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}
