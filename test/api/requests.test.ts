import { create, fromBinary, fromJson, toBinary } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import { describe, expect, test } from 'vitest';
import { known } from '../../src/api/enums.ts';
import { readIssueInput } from '../../src/api/issue-request.ts';
import { readName } from '../../src/api/request-fields.ts';
import { issue } from '../../src/authority/index.ts';
import {
  type DagMode,
  DagModeSchema,
  IssueRequestSchema,
  RecordMode,
  RecordModeSchema,
  ReplayMode,
  ReplayModeSchema,
  VerifyMode,
  VerifyModeSchema,
} from '../../src/gen/ect/v1/authority_pb.ts';
import { Draft, DraftSchema, Level, LevelSchema } from '../../src/gen/ect/v1/token_pb.ts';
import { makeAuthority } from '../support/authority.ts';
import { fieldOf, HASH, type IssueFields, issueInput, rejection, verifyInput } from './read-requests.ts';

describe('Issue: defaults and fields', () => {
  test('an empty request stands for the defaults', () => {
    expect(issueInput({})).toEqual({
      execAct: '',
      aud: [],
      pred: [],
      wid: '',
      jti: '',
      iss: '',
      ttlSeconds: undefined,
      inpHash: '',
      outHash: '',
      ext: undefined,
      draft: '01',
      level: 'L2',
      record: 'sync',
      requestId: '',
    });
  });

  test('every field is read', () => {
    const request: IssueFields = {
      execAct: 'review',
      aud: ['urn:a', 'urn:b'],
      pred: ['p'],
      wid: 'w',
      jti: 'j',
      iss: 'urn:i',
      ttl: { seconds: 60n },
      inputBinding: { case: 'inpHash', value: HASH },
      outputBinding: { case: 'output', value: Buffer.from('test') },
      extension: { case: 'ectExtJson', value: '{"a": 1}' },
      draft: Draft.ECT_00,
      level: Level.L3,
      recordMode: RecordMode.ASYNC,
      requestId: 'key',
      dryRun: true,
    };
    expect(issueInput(request)).toEqual({
      execAct: 'review',
      aud: ['urn:a', 'urn:b'],
      pred: ['p'],
      wid: 'w',
      jti: 'j',
      iss: 'urn:i',
      ttlSeconds: 60,
      inpHash: HASH,
      outHash: HASH,
      ext: { value: { a: 1 }, text: '{"a": 1}', field: 'ect_ext_json' },
      draft: '00',
      level: 'L3',
      record: 'async',
      requestId: 'key',
    });
  });
});

describe('enums are open, and a number that is not known is rejected, not taken for the default', () => {
  test.each([-1, 4, 99, 2_147_483_647, -2_147_483_648])('level %d', (level) => {
    expect(fieldOf(() => issueInput({ level: level as Level }))).toBe('level');
    expect(fieldOf(() => verifyInput({ minimumLevel: level as Level }))).toBe('minimum_level');
  });

  test.each([-1, 3, 99])('draft %d', (draft) => {
    expect(fieldOf(() => issueInput({ draft: draft as Draft }))).toBe('draft');
  });

  test.each([-1, 4, 99])('dag mode %d', (dagMode) => {
    expect(fieldOf(() => verifyInput({ dagMode: dagMode as DagMode }))).toBe('dag_mode');
  });

  test.each([-1, 3, 99])('record mode and verify mode %d', (value) => {
    expect(fieldOf(() => issueInput({ level: Level.L3, recordMode: value as RecordMode }))).toBe('record_mode');
    expect(fieldOf(() => verifyInput({ verifyMode: value as VerifyMode }))).toBe('verify_mode');
  });

  test.each([-1, 4, 99])('replay mode %d', (replayMode) => {
    expect(fieldOf(() => verifyInput({ replayMode: replayMode as ReplayMode }))).toBe('replay_mode');
  });

  test('each value of an enum is known', () => {
    for (const desc of [
      LevelSchema,
      DraftSchema,
      DagModeSchema,
      ReplayModeSchema,
      RecordModeSchema,
      VerifyModeSchema,
    ]) {
      for (const { number } of desc.values) expect(fieldOf(() => known('field', number, desc))).toBeUndefined();
    }
  });

  test('levels that are known', () => {
    const levels = [Level.UNSPECIFIED, Level.L1, Level.L2, Level.L3];
    expect(levels.map((level) => issueInput({ level }).level)).toEqual(['L2', 'L1', 'L2', 'L3']);
    const minima = levels.map((minimumLevel) => verifyInput({ minimumLevel }).minimumLevel);
    expect(minima).toEqual([undefined, 'L1', 'L2', 'L3']);
  });
});

describe('what goes together', () => {
  test('an unsigned object has no draft but -01, and only L3 is recorded', () => {
    expect(fieldOf(() => issueInput({ level: Level.L1, draft: Draft.ECT_00 }))).toBe('draft');
    for (const level of [Level.UNSPECIFIED, Level.L1, Level.L2]) {
      for (const recordMode of [RecordMode.SYNC, RecordMode.ASYNC]) {
        expect(fieldOf(() => issueInput({ level, recordMode }))).toBe('record_mode');
      }
    }
    expect(issueInput({ level: Level.L3, recordMode: RecordMode.SYNC }).record).toBe('sync');
  });

  test('replay, mode and the time of evidence', () => {
    const modes = [ReplayMode.UNSPECIFIED, ReplayMode.RECORD, ReplayMode.SKIP, ReplayMode.OBSERVE];
    const replays = modes.map((replayMode) => verifyInput({ replayMode }).replay);
    expect(replays).toEqual(['record', 'record', 'skip', 'observe']);
    const verifyModes = [VerifyMode.UNSPECIFIED, VerifyMode.ENFORCE, VerifyMode.REPORT];
    expect(verifyModes.map((verifyMode) => verifyInput({ verifyMode }).mode)).toEqual(['enforce', 'enforce', 'report']);
    expect(verifyInput({}).asOf).toBeUndefined();
    expect(verifyInput({ asOf: { seconds: 1_772_000_000n, nanos: 999_999_999 } }).asOf).toBe(1_772_000_000);
    for (const asOf of [{ seconds: -1n }, { seconds: 2n ** 53n }, { nanos: -1 }, { nanos: 1_000_000_000 }]) {
      expect(fieldOf(() => verifyInput({ asOf }))).toBe('as_of');
    }
  });
});

describe('ttl', () => {
  const MAX = 2n ** 63n - 1n;

  test.each([1n, 600n, 86_400n])('%d s are read', (seconds) => {
    expect(issueInput({ ttl: { seconds } }).ttlSeconds).toBe(Number(seconds));
  });

  test.each([
    [0n, 0],
    [-1n, 0],
    [-MAX - 1n, 0],
    [0n, 500_000_000],
    [1n, 500_000_000],
    [1n, -1],
    [1n, 2_147_483_647],
  ])('%d s and %d ns are rejected', (seconds, nanos) => {
    expect(fieldOf(() => issueInput({ ttl: { seconds, nanos } }))).toBe('ttl');
  });

  test('T17: no ttl that a Duration can hold overflows: the lifetime is rejected when the token is drafted', async () => {
    const { context } = await makeAuthority();
    for (const seconds of [86_401n, 315_576_000_000n]) {
      const bytes = toBinary(
        IssueRequestSchema,
        create(IssueRequestSchema, { execAct: 'a', aud: ['urn:a'], ttl: { seconds } }),
      );
      const input = readIssueInput(fromBinary(IssueRequestSchema, bytes));
      const issued = issue(context, { kind: 'anonymous' }, input, new AbortController());
      await expect(issued).rejects.toMatchObject({ reason: 'CLAIM_INVALID', metadata: { claim: 'exp' } });
    }
  });
});

test.each(['execAct', 'wid', 'jti', 'iss', 'requestId'])('T13: a lone surrogate in %s makes no message', (field) => {
  expect(() => fromJson(IssueRequestSchema, JSON.parse(`{"${field}":"\\ud800"}`))).toThrow('invalid UTF8');
});

describe('names', () => {
  test('have at most 128 bytes', () => {
    expect(readName('request_id', 'x'.repeat(128))).toHaveLength(128);
    expect(fieldOf(() => readName('request_id', 'x'.repeat(129)))).toBe('request_id');
    expect(readName('request_id', 'é'.repeat(64))).toHaveLength(64);
    expect(fieldOf(() => readName('request_id', 'é'.repeat(65)))).toBe('request_id');
    expect(fieldOf(() => readName('items[3].reference', '🙂'.repeat(33)))).toBe('items[3].reference');
  });

  test.each([
    ['Issue', issueInput],
    ['Verify', verifyInput],
  ] as const)('a request id of %s is printable ASCII without blanks besides', (_, order) => {
    const id = '!"#~azAZ09'.repeat(12);
    expect(order({ requestId: id }).requestId).toBe(id);
    for (const bad of ['a b', 'a\n', '\u0000', '\u007f', 'é', '🙂', 'x'.repeat(129)]) {
      expect(
        fieldOf(() => order({ requestId: bad })),
        bad,
      ).toBe('request_id');
    }
  });
});

test('an audience that was given as a string in the place of a list is rejected: its letters are no parties', () => {
  expect(fieldOf(() => issueInput({ aud: Array.from('urn:example:reader') }))).toBe('aud');
  expect(issueInput({ aud: ['urn:example:reader', 'ab'] }).aud).toEqual(['urn:example:reader', 'ab']);
});

describe('bindings', () => {
  test('octets are hashed, none at all too', () => {
    const input = (text: string) => issueInput({ inputBinding: { case: 'input', value: Buffer.from(text) } }).inpHash;
    expect(input('test')).toBe(HASH);
    expect(input('')).toBe('47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU');
  });

  test('an empty hash is rejected: it would bind nothing', () => {
    expect(fieldOf(() => issueInput({ inputBinding: { case: 'inpHash', value: '' } }))).toBe('inp_hash');
    expect(fieldOf(() => issueInput({ outputBinding: { case: 'outHash', value: '' } }))).toBe('out_hash');
    expect(fieldOf(() => verifyInput({ inputBinding: { case: 'inpHash', value: '' } }))).toBe('inp_hash');
    expect(fieldOf(() => verifyInput({ outputBinding: { case: 'outHash', value: '' } }))).toBe('out_hash');
  });

  test('Verify compares only what is given', () => {
    const nothing = { inputHash: undefined, outputHash: undefined, input: undefined, output: undefined };
    expect(verifyInput({})).toMatchObject(nothing);
    const octets = Buffer.from('test');
    expect(verifyInput({ inputBinding: { case: 'input', value: octets } })).toMatchObject({
      ...nothing,
      input: octets,
    });
    expect(verifyInput({ outputBinding: { case: 'output', value: octets } })).toMatchObject({
      ...nothing,
      output: octets,
    });
    const hash = verifyInput({ outputBinding: { case: 'outHash', value: HASH } });
    expect(hash).toMatchObject({ ...nothing, outputHash: HASH });
  });
});

test('S1: a rejection names the field and never repeats its value', () => {
  const canary = 'canary\n';
  const readings = [
    () => issueInput({ requestId: canary }),
    () => issueInput({ extension: { case: 'ectExtJson', value: `{${canary}` } }),
    () => readName('request_id', canary.repeat(30)),
    () => issueInput({ ttl: create(DurationSchema, { seconds: -424_242n }) }),
  ];
  for (const reading of readings) {
    const { field, message } = rejection(reading);
    expect(field).toBeDefined();
    expect(message).not.toMatch(/canary|424242/);
  }
});
