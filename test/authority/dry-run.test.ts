// Dry runs: the rows of what would happen, and nothing happens.

import { describe, expect, test } from 'vitest';
import {
  type Appended,
  dryRunAppend,
  dryRunIssue,
  ISSUE_STEPS,
  type IssueInput,
  VERIFY_STEPS,
} from '../../src/authority/index.ts';
import { EctError, reject } from '../../src/errors.ts';
import { KeyRing, type Signer } from '../../src/keys/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import type { Failure } from '../../src/token/index.ts';
import { ISSUER, makeAuthority, type TestAuthority } from '../support/authority.ts';
import { workload } from '../support/callers.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { authorizerFor, policyText } from '../support/policy.ts';
import { JTI, makeToken, OTHER_JTI, WID } from '../support/tokens.ts';
import { anonymous, appendTo, endless, issueFor, issueInput, reasonOf, recordTask } from './support.ts';

type Parts = TestAuthority['context'];

/** More than a token has room for. */
const MANY_PARTIES = Array.from({ length: 64 }, (_, at) => `urn:${'x'.repeat(300)}:${at}`);

function failed(failures: readonly Failure[], steps: readonly { readonly name: string }[]): object {
  return Object.fromEntries(failures.map(({ step, rejection }) => [steps[step]!.name, rejection.reason]));
}

/** Fails the test where anything is signed. */
function withoutSigner(parts: Parts): Parts {
  const sign: Signer['sign'] = () => {
    throw new TypeError('a dry run signed');
  };
  return { ...parts, signers: { for: (iss, act) => ({ jwk: parts.signers.for(iss, act).jwk, sign }) } };
}

/** An authority that has no room for anything. */
function withoutRoom(parts: Parts): Parts {
  const rejectAll = () => {
    throw new EctError(reject('STORAGE_FULL', 'The disk is full.'));
  };
  return { ...parts, writes: { demand: rejectAll, take: rejectAll, refund: () => undefined } };
}

describe('a dry run of Issue', () => {
  const dryRun = (parts: Parts, order: Partial<IssueInput> = {}) =>
    dryRunIssue(withoutSigner(parts), anonymous, issueInput(order), endless);

  test('answers the claims, the key and a row for each step, and signs, remembers and records nothing', async () => {
    const { context, signer } = await makeAuthority();
    const pred = await recordTask(context, { wid: WID });
    const order = { level: 'L3', wid: WID, pred: [pred], requestId: 'k' } as const;
    const { token, dag, outcomes, failures } = await dryRun(context, order);
    expect(token?.claims).toMatchObject({ iss: ISSUER, exec_act: 'review_spec', pred: [pred] });
    expect(token).toMatchObject({ kid: signer.jwk.kid, level: 'L3' });
    expect(dag).toMatchObject({ status: 'complete' });
    expect(outcomes).toEqual([...Array.from({ length: 6 }, () => 'PASS'), 'SKIPPED', 'SKIPPED']);
    expect(failures).toEqual([]);
    expect((await context.ledger.checkpoint()).size).toBe(1);
    expect(await reasonOf(issueFor(context, { requestId: 'k' }))).toBe('OK');
  });

  test.each<[order: Partial<IssueInput>, failures: object]>([
    [{ iss: 'urn:other' }, { caller: 'ISSUER_NOT_ALLOWED' }],
    [{ execAct: '' }, { formats: 'CLAIM_INVALID' }],
    [
      { iss: 'urn:other', execAct: '' },
      { caller: 'ISSUER_NOT_ALLOWED', formats: 'CLAIM_INVALID' },
    ],
    [
      { iss: 'urn:other', level: 'L3', pred: [OTHER_JTI] },
      { caller: 'ISSUER_NOT_ALLOWED', dag: 'DAG_PREDECESSOR_MISSING' },
    ],
    [{ jti: JTI, pred: [JTI] }, { formats: 'PRED_INVALID' }],
    [{ aud: MANY_PARTIES }, { size: 'TOKEN_TOO_LARGE' }],
    [{ level: 'L3', pred: [OTHER_JTI] }, { dag: 'DAG_PREDECESSOR_MISSING' }],
    [
      { level: 'L3', pred: [OTHER_JTI], aud: MANY_PARTIES },
      { dag: 'DAG_PREDECESSOR_MISSING', size: 'TOKEN_TOO_LARGE' },
    ],
    [{ level: 'L2', pred: [OTHER_JTI] }, {}],
    [{ jti: JTI }, { dag: 'DAG_DUPLICATE_TASK' }],
    [{ level: 'L1' }, {}],
    [{ draft: '00' }, {}],
  ])('T27: %j fails in %j, and Issue rejects the first of these', async (order, failures) => {
    const { context } = await makeAuthority();
    await recordTask(context, { jti: JTI });
    const result = await dryRun(context, order);
    expect(failed(result.failures, ISSUE_STEPS)).toEqual(failures);
    // What no call would make is not shown.
    expect(result.token === undefined).toBe(Object.keys(failures).length > 0);
    expect(await reasonOf(issueFor(context, order))).toBe(Object.values(failures)[0] ?? 'OK');
  });

  test('knows the least token that is too large', async () => {
    const { context } = await makeAuthority();
    const withText = (length: number) => {
      const value = { a: 'x'.repeat(length) };
      const aud = Array.from({ length: 9 }, (_, at) => `urn:${'y'.repeat(880)}:${at}`);
      return { aud, ext: { value, text: JSON.stringify(value) } };
    };
    const isTooLarge = async (length: number) => (await reasonOf(issueFor(context, withText(length)))) !== 'OK';
    let [fits, tooLarge] = [0, 4000];
    expect([await isTooLarge(fits), await isTooLarge(tooLarge)]).toEqual([false, true]);
    while (tooLarge - fits > 1) {
      const middle = Math.floor((fits + tooLarge) / 2);
      if (await isTooLarge(middle)) tooLarge = middle;
      else fits = middle;
    }
    expect((await dryRun(context, withText(fits))).failures).toEqual([]);
    expect(failed((await dryRun(context, withText(tooLarge))).failures, ISSUE_STEPS)).toEqual({
      size: 'TOKEN_TOO_LARGE',
    });
  });

  test('A10: tells who may not issue nothing of what is recorded', async () => {
    const { context } = await makeAuthority();
    const recorded = await recordTask(context, { wid: WID });
    const denied = { ...context, authorizer: authorizerFor(policyText('examples/auditor.cedar')) };
    const caller = workload('spiffe://prod.example/a');
    const ask = (order: Partial<IssueInput>) =>
      dryRunIssue(denied, caller, issueInput({ iss: caller.id, wid: WID, ...order }), endless);
    for (const order of [{ pred: [recorded] }, { pred: [OTHER_JTI] }, { jti: recorded }]) {
      const { dag, outcomes, failures } = await ask(order);
      expect(failed(failures, ISSUE_STEPS)).toEqual({ caller: 'NOT_AUTHORIZED' });
      expect(dag).toBeUndefined();
      expect(outcomes).toEqual(['FAIL', 'PASS', ...Array.from({ length: 6 }, () => 'SKIPPED')]);
    }
  });

  test.each<[Partial<IssueInput>, string | undefined]>([
    [{ level: 'L3' }, 'STORAGE_FULL'],
    [{ requestId: 'k' }, 'STORAGE_FULL'],
    [{}, undefined],
  ])('of %j asks for room where something would be kept', async (order, reason) => {
    const { context } = await makeAuthority();
    const limited = withoutRoom(context);
    const { failures } = await dryRun(limited, order);
    expect(failed(failures, ISSUE_STEPS)).toEqual(reason === undefined ? {} : { room: reason });
    expect(await reasonOf(issueFor(limited, order))).toBe(reason ?? 'OK');
  });

  test('fails itself where it cannot look', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { context } = await makeAuthority(store);
    store.failReads(true);
    expect(await reasonOf(dryRun(context, { pred: [JTI] }))).toBe('LEDGER_UNAVAILABLE');
    // A root task is issued without the ledger.
    expect(await reasonOf(dryRun(context))).toBe('OK');
    expect(await reasonOf(issueFor(context))).toBe('OK');
  });
});

describe('a dry run of Append', () => {
  test('answers the rows of a verdict, and records nothing', async () => {
    const { context } = await makeAuthority();
    const { token } = await issueFor(context);
    const { verdict, known } = await dryRunAppend(context, anonymous, token, endless);
    expect(verdict).toMatchObject({ rejection: undefined, level: 'L2', failures: [], dag: { status: 'complete' } });
    expect(verdict.outcomes).toHaveLength(VERIFY_STEPS.length);
    expect(verdict.outcomes.at(-1)).toBe('SKIPPED');
    expect(known).toBeUndefined();
    expect((await context.ledger.checkpoint()).size).toBe(0);
  });

  test('lists everything that Append would reject, the first first', async () => {
    const { context, clock } = await makeAuthority(undefined, { ledgerAudience: 'urn:ect:ledger' });
    const { token } = await issueFor(context, { pred: [OTHER_JTI], ttlSeconds: 60 });
    clock.advance(60);
    const { verdict } = await dryRunAppend(context, anonymous, token, endless);
    expect(failed(verdict.failures, VERIFY_STEPS)).toEqual({
      audience: 'AUDIENCE_MISMATCH',
      time: 'TOKEN_EXPIRED',
      dag: 'DAG_PREDECESSOR_MISSING',
    });
    expect(await reasonOf(appendTo(context, token))).toBe(verdict.rejection?.reason);
  });

  test('of an unsigned token, or one of an unknown key, shows no claims', async () => {
    const { context } = await makeAuthority();
    for (const [token, reason] of [
      [(await issueFor(context, { level: 'L1' })).token, 'LEVEL_TOO_LOW'],
      [makeToken(), 'KEY_UNKNOWN'],
      ['x', 'TOKEN_MALFORMED'],
    ] as const) {
      const { verdict } = await dryRunAppend(context, anonymous, token, endless);
      expect(verdict).toMatchObject({ rejection: { reason }, token: undefined });
      expect(await reasonOf(appendTo(context, token))).toBe(reason);
    }
  });

  test('R5: tells that another token took the task, without an alarm', async () => {
    const { context, noticed } = await makeAuthority();
    const rival = await issueFor(context, { jti: JTI, execAct: 'other' });
    await recordTask(context, { jti: JTI });
    const { verdict } = await dryRunAppend(context, anonymous, rival.token, endless);
    expect(failed(verdict.failures, VERIFY_STEPS)).toEqual({ dag: 'DAG_DUPLICATE_TASK' });
    expect(noticed).toEqual([]);
  });

  test('R6: of a token that is there answers its entry, and judges it by the time of that', async () => {
    const { context, clock } = await makeAuthority();
    const { token } = await issueFor(context);
    await appendTo(context, token);
    clock.advance(5000);
    const { verdict, known } = await dryRunAppend(context, anonymous, token, endless);
    expect(verdict).toMatchObject({ rejection: undefined, level: 'L3', failures: [] });
    expect(known).toMatchObject({ duplicate: true, record: { index: 0 } });
    expect((await context.ledger.checkpoint()).size).toBe(1);
  });

  describe('says exactly what the call does', () => {
    /** Changes an authority after the token was made; answers it as it is then. */
    type After = (authority: TestAuthority, token: string) => Parts | Promise<Parts>;
    const same: After = ({ context }) => context;
    const recorded: After = async ({ context }, token) => {
      await appendTo(context, token);
      return context;
    };
    const expired: After = ({ context, clock }) => {
      clock.advance(5_000);
      return context;
    };
    const ofAnotherAudience: After = ({ context }) => ({
      ...context,
      policy: { ...context.policy, ledgerAudience: 'urn:ect:ledger' },
    });
    const ofAnotherDraft: After = ({ context }) => ({
      ...context,
      policy: { ...context.policy, token: { ...context.policy.token, drafts: ['00'] } },
    });
    const compromised =
      (since: number): After =>
      ({ context, signer, clock }) => {
        clock.advance(100);
        const [kid, revokedAt] = [signer.jwk.kid, clock.now() - since];
        const key = { kid, publicKey: signer.publicKey, speaksFor: () => true, revokedAt };
        return { ...context, keys: new KeyRing([key]) };
      };
    const kinds = {
      same,
      expired,
      ofAnotherAudience,
      ofAnotherDraft,
      'without room': (({ context }) => withoutRoom(context)) satisfies After,
      'compromised since later': compromised(50),
      'compromised since earlier': compromised(1_000),
    };
    const orders: Readonly<Record<string, Partial<IssueInput>>> = {
      'a root task': {},
      'a task that follows one': { pred: [JTI] },
      'an orphan': { pred: [OTHER_JTI] },
    };
    const cases = Object.entries(kinds).flatMap(([kind, change]) =>
      Object.entries(orders).flatMap(([what, order]) =>
        [true, false].map((isThere) => ({ kind, what, isThere, change, order })),
      ),
    );

    test.each(cases)('of $what, there: $isThere, $kind', async ({ isThere, change, order }) => {
      const authority = await makeAuthority();
      await recordTask(authority.context, { jti: JTI });
      const { token } = await issueFor(authority.context, order);
      if (isThere && order.pred?.[0] !== OTHER_JTI) await recorded(authority, token);
      const context = await change(authority, token);
      const { rejection, failures, known } = await dryRunAppend(context, anonymous, token, endless);
      const answer = appendTo(context, token);
      expect(rejection?.reason ?? 'OK').toBe(await reasonOf(answer));
      expect(failures[0]?.rejection.reason).toBe(rejection?.reason);
      const { duplicate = false, record }: Partial<Appended> = await answer.catch(() => ({}));
      expect(known?.record.index).toBe(duplicate ? record?.index : undefined);
    });
  });

  test('fails itself where it cannot look', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { context } = await makeAuthority(store);
    const { token } = await issueFor(context);
    store.failReads(true);
    await expect(dryRunAppend(context, anonymous, token, endless)).rejects.toThrow(EctError);
  });
});
