// C4: what is kept for a time is kept when the clock jumps, and is trusted all the same. A token that was used stays used.

import { describe, expect, test } from 'vitest';
import type { AuthorityContext } from '../../src/authority/index.ts';
import { EctError, reject } from '../../src/errors.ts';
import { KeyRing } from '../../src/keys/index.ts';
import { SqliteIdempotencyStore, SqliteReplayGuard } from '../../src/stores/sqlite/index.ts';
import { makeFolder } from '../stores/sqlite/folder.ts';
import { makeAuthority, type TestAuthority } from '../support/authority.ts';
import { makeToken, signingKey, trust } from '../support/tokens.ts';
import { appendTo, issueFor, reasonIn, reasonOf, verifyFor } from './support.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

async function inMemory(): Promise<TestAuthority & AsyncDisposable> {
  return { ...(await makeAuthority()), [Symbol.asyncDispose]: async () => undefined };
}

async function inFiles(): Promise<TestAuthority & AsyncDisposable> {
  const made = await makeAuthority();
  const folder = await makeFolder();
  const replay = SqliteReplayGuard.open(folder.file('once.db'));
  const memo = SqliteIdempotencyStore.open(folder.file('once.db'));
  const close = async () => {
    await Promise.all([replay.close(), memo.close()]);
    await folder.remove();
  };
  return { ...made, context: { ...made.context, replay, idempotency: memo }, [Symbol.asyncDispose]: close };
}

/** Uses of other tokens: each lets a guard forget what is over. */
async function useOthers(context: AuthorityContext): Promise<void> {
  for (let use = 0; use < 20; use++) {
    const { token } = await issueFor(context);
    expect(reasonIn(await verifyFor(context, token))).toBe('VALID');
  }
}

describe.each([
  ['in memory', inMemory],
  ['in files', inFiles],
])('C4 %s', (_name, make) => {
  test.each([HOUR, DAY, YEAR])('a used token stays used over a jump of %i s there and back', async (jump) => {
    await using made = await make();
    const { context, clock } = made;
    const { token } = await issueFor(context);
    const keyed = await issueFor(context, { requestId: 'k' });
    expect(reasonIn(await verifyFor(context, token))).toBe('VALID');
    clock.jump(jump);
    await useOthers(context);
    // It may have expired, or may not: another one is not made, and this one is not returned.
    expect(await reasonOf(issueFor(context, { requestId: 'k' }))).toBe('TOKEN_EXPIRED');
    clock.jump(-jump);
    expect(reasonIn(await verifyFor(context, token))).toBe('TOKEN_REPLAYED');
    expect((await issueFor(context, { requestId: 'k' })).token).toBe(keyed.token);
  });

  test.each([2 * HOUR, YEAR])(
    'a clock that is set back by %i s does not make a token fresh whose use was forgotten',
    async (jump) => {
      await using made = await make();
      const { context, clock } = made;
      const { token } = await issueFor(context);
      expect(reasonIn(await verifyFor(context, token))).toBe('VALID');
      clock.advance(jump);
      await useOthers(context);
      clock.jump(-jump);
      expect(await reasonOf(verifyFor(context, token))).toBe('CLOCK_UNTRUSTED');
      expect(reasonIn(await verifyFor(context, token, { replay: 'skip' }))).toBe('VALID');
      // What ends later cannot have been forgotten.
      const late = await issueFor(context, { ttlSeconds: DAY });
      const isLate = jump < DAY;
      expect(await reasonOf(verifyFor(context, late.token).then(reasonIn))).toBe(isLate ? 'OK' : 'CLOCK_UNTRUSTED');
      clock.advance(jump);
      await useOthers(context);
    },
  );

  test('a token that expired long ago is a verdict, also in a report', async () => {
    await using made = await make();
    const { context, clock } = made;
    const { token } = await issueFor(context);
    clock.advance(YEAR);
    await useOthers(context);
    expect(reasonIn(await verifyFor(context, token))).toBe('TOKEN_EXPIRED');
    const report = await verifyFor(context, token, { mode: 'report' });
    expect(report.failures.map(({ rejection }) => rejection.reason)).toContain('TOKEN_EXPIRED');
  });

  test('what is over is forgotten as ever where no clock has jumped', async () => {
    await using made = await make();
    const { context, clock } = made;
    for (let hour = 0; hour < 5; hour++) {
      await useOthers(context);
      clock.advance(HOUR);
    }
    expect(clock.forgotten()).toBe(clock.now());
  });
});

describe('C3 while the clock is doubted', () => {
  const untrusted = () => {
    const facts = { difference_seconds: '7200', retry_after_seconds: '5' };
    throw new EctError(reject('CLOCK_UNTRUSTED', 'The wall clock is ahead.', facts));
  };

  test('nothing is issued, of any level, and a retry gets what was issued before', async () => {
    const { context } = await makeAuthority();
    const { token } = await issueFor(context, { requestId: 'k' });
    const doubted = { ...context, stamp: untrusted };
    for (const level of ['L1', 'L2', 'L3'] as const) {
      expect(await reasonOf(issueFor(doubted, { level }))).toBe('CLOCK_UNTRUSTED');
    }
    expect((await issueFor(doubted, { requestId: 'k' })).token).toBe(token);
    expect(reasonIn(await verifyFor(doubted, token))).toBe('VALID');
  });
});

test('C1 a caller moves no clock: entries are dated by that of the service, whatever their tokens say', async () => {
  const { context, clock } = await makeAuthority();
  const from = clock.now();
  const foreign = { ...context, keys: new KeyRing([trust(signingKey)]) };
  for (const times of [
    { iat: from + 30, exp: from + DAY, nbf: from + 30 },
    { iat: from - 900, exp: from + 1 },
  ]) {
    const { record } = await appendTo(foreign, makeToken({ ...times, jti: crypto.randomUUID() }));
    expect(record.recordedAtMs).toBe(clock.nowMs());
  }
  expect(await reasonOf(appendTo(foreign, makeToken({ iat: from + 31, exp: from + DAY })))).toBe('IAT_IN_FUTURE');
});
