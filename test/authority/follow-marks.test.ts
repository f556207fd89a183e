// K12: what one process is called for a compromised key, the verdicts of the others know, though they look at no graph.

import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type AuthorityContext, followMarks, markCompromised } from '../../src/authority/index.ts';
import { EctError, reject } from '../../src/errors.ts';
import { KeyRing } from '../../src/keys/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { workload } from '../support/callers.ts';
import { SOON } from '../support/soon.ts';
import { KID, makeToken, signingKey, trust } from '../support/tokens.ts';
import { endless, PARTY, reasonIn, verifyFor } from './support.ts';

const ADMIN = workload('spiffe://example.com/admin');
const token = makeToken({ aud: [PARTY] });

/** A process beside another over one ledger: it has a ring of its own. */
const beside = (context: AuthorityContext): AuthorityContext => ({
  ...context,
  keys: new KeyRing([trust(signingKey)]),
});
const mark = (context: AuthorityContext) =>
  markCompromised(context, ADMIN, { subject: { kind: 'key', kid: KID }, note: '' }, endless.signal);
const verdictOf = async (context: AuthorityContext) => reasonIn(await verifyFor(context, token, { replay: 'skip' }));

const silent = { onFailed: () => undefined, onRecovered: () => undefined };

async function follow(
  context: AuthorityContext,
  reported: Omit<Parameters<typeof followMarks>[1], 'everyMs'> = silent,
) {
  const stop = await followMarks(context, { everyMs: 1, ...reported });
  onTestFinished(stop);
  return stop;
}

describe('K12 marks that are followed', () => {
  test('K12 are known to verdicts of another process soon after, and to one that starts later at once', async () => {
    const { context } = await makeAuthority();
    const [one, two] = [beside(context), beside(context)];
    await follow(two);
    expect(await verdictOf(two)).toBe('VALID');
    await mark(one);
    expect(await verdictOf(one)).toBe('KEY_REVOKED');
    await vi.waitFor(async () => expect(await verdictOf(two)).toBe('KEY_REVOKED'), SOON);
    const three = beside(context);
    await follow(three);
    expect(await verdictOf(three)).toBe('KEY_REVOKED');
  });

  test('K12 are read again after a failed read, which is reported once, as its end is; and no longer after a stop', async () => {
    const { context } = await makeAuthority();
    const [one, two] = [beside(context), beside(context)];
    const reported: string[] = [];
    let isDown = true;
    let looks = 0;
    const real = two.ledger;
    const ledger = {
      list: async (...args: Parameters<typeof real.list>) => {
        looks++;
        if (isDown) throw new EctError(reject('LEDGER_UNAVAILABLE', 'test'));
        return real.list(...args);
      },
      find: (...args: Parameters<typeof real.find>) => real.find(...args),
      leafHashes: (...args: Parameters<typeof real.leafHashes>) => real.leafHashes(...args),
    } as unknown as AuthorityContext['ledger'];
    const stop = await follow(
      { ...two, ledger },
      {
        onFailed: () => reported.push('failed'),
        onRecovered: () => reported.push('recovered'),
      },
    );
    await mark(one);
    await vi.waitFor(() => expect(looks).toBeGreaterThan(5), SOON);
    expect(reported).toEqual(['failed']);
    isDown = false;
    await vi.waitFor(async () => expect(await verdictOf(two)).toBe('KEY_REVOKED'), SOON);
    expect(reported).toEqual(['failed', 'recovered']);
    await stop();
    const seen = looks;
    await new Promise((resolve) => setImmediate(resolve));
    expect(looks).toBe(seen);
  });
});
