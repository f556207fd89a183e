// What the authority issues it verifies: for every legal order, at every level and in both drafts.

import { expect, test } from 'vitest';
import type { IssueInput } from '../../src/authority/index.ts';
import type { JsonObject } from '../../src/token/index.ts';
import { issueFor, verifyFor } from '../authority/support.ts';
import { ISSUER, makeAuthority } from '../support/authority.ts';
import { rounds } from '../support/full.ts';
import { fc } from '../support/random.ts';
import { AUD, policy } from '../support/tokens.ts';
import { payloads } from './claim-sets.ts';
import { spell, spellings } from './spellings.ts';

const kinds = fc.constantFrom(
  { level: 'L1', draft: '01' },
  { level: 'L2', draft: '01' },
  { level: 'L2', draft: '00' },
  { level: 'L3', draft: '01' },
  { level: 'L3', draft: '00' },
) as fc.Arbitrary<Pick<IssueInput, 'level' | 'draft'>>;

const orders = fc
  .tuple(payloads(fc.constantFrom(ISSUER, `${ISSUER}:worker:7`)), kinds, spellings, fc.integer({ min: 1, max: 86_400 }))
  .map(([payload, kind, spelling, ttlSeconds]): Partial<IssueInput> => {
    const text = (claim: string) => (payload[claim] ?? '') as string;
    const ext = payload['ect_ext'] as JsonObject | undefined;
    return {
      ...kind,
      iss: text('iss'),
      aud: [payload['aud'] as string[]].flat(),
      jti: text('jti'),
      wid: text('wid'),
      execAct: text('exec_act'),
      // What is recorded must follow what is recorded.
      pred: kind.level === 'L3' ? [] : payload.pred,
      inpHash: text('inp_hash'),
      outHash: text('out_hash'),
      ext: ext === undefined ? undefined : { value: ext, text: spell(ext, spelling) },
      ttlSeconds,
    };
  });

/** Random ones. */
const ORDERS = rounds(2_000, 500);

test(`each of ${ORDERS.toLocaleString('en')} legal orders is issued and verifies, and is read as it was ordered`, async () => {
  const { context, clock } = await makeAuthority(undefined, { token: { ...policy, minimumLevel: 'L1' } });
  await fc.assert(
    fc.asyncProperty(orders, async (order) => {
      const issued = await issueFor(context, order);
      const { rejection, level, token } = await verifyFor(context, issued.token, {
        audience: AUD,
        minimumLevel: order.level,
        // The guard is a small one.
        replay: 'observe',
      });
      expect({ rejection, level }).toEqual({ rejection: undefined, level: order.level });
      expect(token?.draft).toBe(order.draft);
      const { ect_ext: read, ...claims } = token!.claims;
      const { ect_ext: meant, ...others } = issued.claims;
      expect(claims).toEqual(others);
      // In -00 the policy claims stand beside the extension, which may be gone without them.
      expect(read ?? {}).toEqual(order.draft === '00' ? withoutPolicy(meant ?? {}) : (meant ?? {}));
      expect({ ...claims, pred: [...claims.pred] }).toMatchObject({
        iss: order.iss,
        aud: order.aud,
        iat: clock.seconds,
        exp: clock.seconds + order.ttlSeconds!,
        jti: order.jti,
        wid: order.wid,
        exec_act: order.execAct,
        pred: order.pred,
        inp_hash: order.inpHash,
        out_hash: order.outHash,
      });
    }),
    { numRuns: ORDERS },
  );
});

function withoutPolicy(ext: JsonObject): JsonObject {
  const lifted = ['pol', 'pol_decision', 'pol_enforcer'];
  return Object.fromEntries(Object.entries(ext).filter(([name]) => !lifted.includes(name)));
}
