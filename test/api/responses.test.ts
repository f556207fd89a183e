import { create, fromBinary, toBinary, toJson } from '@bufbuild/protobuf';
import { timestampDate } from '@bufbuild/protobuf/wkt';
import { beforeAll, describe, expect, test } from 'vitest';
import { writeListedEntry } from '../../src/api/entry-messages.ts';
import { writeAppended, writeClaims, writeVerdict } from '../../src/api/responses.ts';
import {
  type Appended,
  append,
  type IssueInput,
  issue,
  readLeaf,
  VERIFY_STEPS,
  verify,
} from '../../src/authority/index.ts';
import { REASONS } from '../../src/errors.ts';
import { AppendLedgerResponseSchema, VerifyResponseSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import { ErrorReason } from '../../src/gen/ect/v1/error_reason_pb.ts';
import { EntrySchema } from '../../src/gen/ect/v1/ledger_pb.ts';
import { CheckStatus, ClaimsSchema, DagStatus, Level } from '../../src/gen/ect/v1/token_pb.ts';
import type { Claims } from '../../src/token/index.ts';
import { makeAuthority, type TestAuthority } from '../support/authority.ts';
import { AUD, ISS, JTI, NOW, OTHER_JTI, WID } from '../support/tokens.ts';

const HASH = 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg';
const { signal } = new AbortController();
const anonymous = { kind: 'anonymous' } as const;

const input: IssueInput = {
  execAct: 'review',
  aud: [AUD],
  pred: [],
  wid: WID,
  jti: '',
  iss: '',
  ttlSeconds: undefined,
  inpHash: '',
  outHash: '',
  ext: undefined,
  level: 'L2',
  record: 'sync',
  requestId: '',
  draft: '01',
};

describe('claims', () => {
  const bare = { iss: ISS, aud: [AUD], iat: NOW, exp: NOW + 600, jti: JTI, exec_act: 'review', pred: [] };
  const optional = { wid: '', inp_hash: '', out_hash: '', ect_ext: undefined };

  test('arrive as they are, through the wire', () => {
    const ect_ext = { a: [1, { b: null }], 'com.example.cost': 1.5 };
    const full = { ...bare, wid: WID, pred: [OTHER_JTI], inp_hash: HASH, out_hash: HASH, ect_ext } as unknown as Claims;
    const message = create(ClaimsSchema, writeClaims(full));
    expect(fromBinary(ClaimsSchema, toBinary(ClaimsSchema, message))).toMatchObject({
      iss: ISS,
      aud: [AUD],
      iat: { seconds: BigInt(NOW), nanos: 0 },
      exp: { seconds: BigInt(NOW + 600), nanos: 0 },
      jti: JTI,
      wid: WID,
      execAct: 'review',
      pred: [OTHER_JTI],
      inpHash: HASH,
      outHash: HASH,
      ectExt: ect_ext,
    });
  });

  test('that are absent are empty, and an absent extension is not an empty one', () => {
    const absent = create(ClaimsSchema, writeClaims({ ...bare, ...optional } as unknown as Claims));
    expect(absent).toMatchObject({ wid: '', pred: [], inpHash: '', outHash: '' });
    expect(absent.ectExt).toBeUndefined();
    const empty = create(ClaimsSchema, writeClaims({ ...bare, ...optional, ect_ext: {} } as unknown as Claims));
    expect(empty.ectExt).toEqual({});
  });

  test.each([
    [
      'all of them',
      {
        pol: 'policy_v1',
        decision: 'pending_human_review',
        enforcer: 'urn:gate',
        timestamp: NOW,
        compensation: true,
        compensationReason: 'undone',
      },
      {
        pol: 'policy_v1',
        polDecision: 'pending_human_review',
        polEnforcer: 'urn:gate',
        polTimestamp: { seconds: BigInt(NOW) },
        compensationRequired: true,
        compensationReason: 'undone',
      },
    ],
    [
      'one of them, and a time of zero is a time',
      { pol: '', decision: undefined, enforcer: '', timestamp: 0, compensation: false, compensationReason: '' },
      { pol: '', polDecision: '', polEnforcer: '', polTimestamp: { seconds: 0n }, compensationRequired: false },
    ],
  ])('about a policy stand apart: %s', (_, policy, expected) => {
    const message = create(ClaimsSchema, writeClaims({ ...bare, ...optional, policy } as unknown as Claims));
    expect(fromBinary(ClaimsSchema, toBinary(ClaimsSchema, message)).policy).toMatchObject(expected);
  });

  test('about a policy are unset where the token has none', () => {
    const fields = writeClaims({ ...bare, ...optional, policy: undefined } as unknown as Claims);
    expect(fields).not.toHaveProperty('policy');
    expect(create(ClaimsSchema, fields).policy).toBeUndefined();
  });

  test('T17: the last second that a claim may have is a time in JSON too', () => {
    const far = { ...bare, ...optional, iat: 0, exp: 253_402_300_799 };
    const message = create(ClaimsSchema, writeClaims(far as unknown as Claims));
    expect(toJson(ClaimsSchema, message)).toMatchObject({
      iat: '1970-01-01T00:00:00Z',
      exp: '9999-12-31T23:59:59Z',
    });
  });
});

const pickRule = ({ name, rule }: { readonly name: string; readonly rule: string }) => ({ name, rule });

describe('a verdict', () => {
  let authority: TestAuthority;
  let token: string;
  beforeAll(async () => {
    authority = await makeAuthority();
    token = (await issue(authority.context, anonymous, input, { signal })).token;
  });

  async function verdictOn(text: string, audience: string, mode: 'enforce' | 'report' = 'enforce') {
    const verdict = await verify(
      authority.context,
      anonymous,
      {
        token: text,
        audience,
        predecessors: [],
        dag: 'partial',
        replay: 'skip',
        requestId: '',
        minimumLevel: undefined,
        mode,
        asOf: undefined,
        inputHash: undefined,
        outputHash: undefined,
        input: undefined,
        output: undefined,
      },
      { signal },
    );
    const message = create(VerifyResponseSchema, writeVerdict(verdict, mode));
    return fromBinary(VerifyResponseSchema, toBinary(VerifyResponseSchema, message));
  }

  test('of a report shows what became of each step', () => {
    const verdictOf = (outcomes: readonly ('PASS' | 'SKIPPED')[]) => ({
      rejection: undefined,
      level: 'L2' as const,
      token: undefined,
      dag: undefined,
      outcomes,
      failures: [],
      equivocation: undefined,
    });
    const all = VERIFY_STEPS.map(() => 'PASS' as const);
    const patterns = [all, all.with(-1, 'SKIPPED' as never), all.with(0, 'SKIPPED' as never), all];
    for (const outcomes of patterns) {
      const statuses = writeVerdict(verdictOf(outcomes), 'report').checks!.map(({ status }) => status);
      expect(statuses).toEqual(outcomes.map((outcome) => CheckStatus[outcome]));
    }
  });

  test('that is good has a level, claims, a key and the graph; a report every step', async () => {
    const answer = await verdictOn(token, AUD);
    expect(answer).toMatchObject({ valid: true, level: Level.L2, checks: [] });
    expect(answer.finding).toBeUndefined();
    expect(answer.kid).toBe(authority.signer.jwk.kid);
    expect(answer.claims?.execAct).toBe('review');
    expect(answer.dagReport?.status).toBe(DagStatus.COMPLETE);
    const report = await verdictOn(token, AUD, 'report');
    expect(report.checks.map(({ name, rule }) => ({ name, rule }))).toEqual(VERIFY_STEPS.map(pickRule));
    expect(report.checks.every(({ finding }) => finding === undefined)).toBe(true);
    expect({ ...report, checks: [] }).toEqual(answer);
  });

  test('that fails late shows the claims; the failed step has the reason and its remedy', async () => {
    const answer = await verdictOn(token, 'urn:nobody', 'report');
    const { remedy } = REASONS.AUDIENCE_MISMATCH;
    const finding = { reason: ErrorReason.AUDIENCE_MISMATCH, message: expect.stringMatching(/\S/), remedy };
    expect(answer).toMatchObject({ valid: false, finding, level: Level.UNSPECIFIED });
    expect(answer.claims?.aud).toEqual([AUD]);
    const failed = answer.checks.filter(({ status }) => status === CheckStatus.FAIL);
    expect(failed).toMatchObject([{ name: 'audience', finding }]);
    expect(failed[0]?.finding).toEqual(answer.finding);
  });

  test('of a token that was never verified shows neither claims nor key nor graph', async () => {
    const answer = await verdictOn(`${token.slice(0, -8)}AAAAAAAA`, AUD);
    expect(answer).toMatchObject({ valid: false, finding: { reason: ErrorReason.SIGNATURE_INVALID }, kid: '' });
    expect(answer.claims).toBeUndefined();
    expect(answer.dagReport).toBeUndefined();
  });
});

describe('an entry', () => {
  let token: string;
  let appended: Appended;
  beforeAll(async () => {
    const { context } = await makeAuthority();
    token = (await issue(context, anonymous, input, { signal })).token;
    appended = await append(context, anonymous, token, signal);
  });

  test('says what its leaf says, with the token and the salt', () => {
    const { record } = appended;
    const leaf = readLeaf(record);
    const entry = create(EntrySchema, writeListedEntry(record, true));
    const value = {
      name: { jti: record.name, wid: WID },
      iss: leaf.iss,
      pred: [],
      iat: { seconds: BigInt(NOW), nanos: 0 },
      kid: 'kid' in leaf ? leaf.kid : undefined,
      token,
    };
    expect(entry).toMatchObject({ index: 0n, body: { case: 'task', value } });
    expect(timestampDate(entry.recordedAt!).getTime()).toBe(record.recordedAtMs);
    expect(Buffer.from(entry.leaf)).toEqual(Buffer.from(record.leaf));
    expect(entry.salt).toHaveLength(32);
  });

  test('has neither in a list without content, nor once they are erased', () => {
    const listed = create(EntrySchema, writeListedEntry(appended.record, false));
    const erased = create(EntrySchema, writeListedEntry({ ...appended.record, content: null, salt: null }, true));
    for (const entry of [listed, erased]) {
      expect(entry).toMatchObject({ body: { value: { token: '' } }, salt: new Uint8Array() });
      expect(entry.leaf).toEqual(appended.record.leaf);
    }
  });

  test('comes with its receipt, which has the leaf and the salt', () => {
    const message = create(AppendLedgerResponseSchema, writeAppended(appended));
    const { entry, receipt, duplicate } = fromBinary(
      AppendLedgerResponseSchema,
      toBinary(AppendLedgerResponseSchema, message),
    );
    expect(duplicate).toBe(false);
    expect(entry).toMatchObject({ leaf: new Uint8Array(), salt: new Uint8Array(), body: { value: { token } } });
    const { leaf, checkpoint, salt } = appended.receipt;
    expect(Buffer.from(receipt!.leaf)).toEqual(Buffer.from(leaf));
    const value = { leafIndex: 0n, treeSize: 1n, hashes: [], checkpoint, salt: new Uint8Array(salt!) };
    expect(receipt?.proof).toMatchObject({ case: 'inclusion', value });
  });

  test('without a salt its receipt has none', () => {
    const { receipt } = writeAppended({ ...appended, receipt: { ...appended.receipt, salt: null } });
    expect(receipt?.proof?.value).not.toHaveProperty('salt');
  });
});
