import { create, fromBinary, fromJson, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { DurationSchema, StructSchema } from '@bufbuild/protobuf/wkt';
import { describe, expect, test } from 'vitest';
import { readDagSubject } from '../../src/api/dag-subject.ts';
import { known } from '../../src/api/enums.ts';
import { readIssueInput } from '../../src/api/issue-request.ts';
import { readName } from '../../src/api/request-fields.ts';
import { readVerifyInput } from '../../src/api/verify-request.ts';
import { issue } from '../../src/authority/index.ts';
import { EctError } from '../../src/errors.ts';
import {
  DagMode,
  DagModeSchema,
  IssueRequestSchema,
  RecordMode,
  RecordModeSchema,
  ReplayMode,
  ReplayModeSchema,
  ValidateDAGRequestSchema,
  VerifyMode,
  VerifyModeSchema,
  VerifyRequestSchema,
} from '../../src/gen/ect/v1/authority_pb.ts';
import { Draft, DraftSchema, Level, LevelSchema } from '../../src/gen/ect/v1/token_pb.ts';
import { verifyToken } from '../../src/token/index.ts';
import { makeAuthority } from '../support/authority.ts';

type IssueFields = MessageInitShape<typeof IssueRequestSchema>;
type VerifyFields = MessageInitShape<typeof VerifyRequestSchema>;
type DagFields = MessageInitShape<typeof ValidateDAGRequestSchema>;

const HASH = 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg';

const issueInput = (fields: IssueFields) => readIssueInput(create(IssueRequestSchema, fields));
const verifyInput = (fields: VerifyFields) => readVerifyInput(create(VerifyRequestSchema, { token: 't', ...fields }));
const dagSubject = (fields: DagFields) => readDagSubject(create(ValidateDAGRequestSchema, fields));

/** The field that a reading rejects, with its rule. Anything but REQUEST_INVALID fails the test. */
function rejection(read: () => unknown): { readonly field: string | undefined; readonly message: string } {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(EctError);
    expect((error as EctError).reason).toBe('REQUEST_INVALID');
    const { metadata: facts, message, violations } = error as EctError;
    // Of several faults the first: these requests lack the fields that the test is not about.
    return { field: facts['field'], message: violations[0]?.description ?? message };
  }
  return { field: undefined, message: '' };
}

const fieldOf = (read: () => unknown) => rejection(read).field;

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

  test('T17: no ttl, however large, overflows: the lifetime is rejected when the token is drafted', async () => {
    const { context } = await makeAuthority();
    for (const seconds of [86_401n, 2n ** 53n, MAX]) {
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

/** A request whose `ect_ext` is this Struct, as it comes off the wire. */
function withStruct(struct: Uint8Array): Parameters<typeof readIssueInput>[0] {
  const EXT_FIELD = 12;
  return fromBinary(IssueRequestSchema, lengthDelimited(EXT_FIELD, struct));
}

function lengthDelimited(field: number, bytes: Uint8Array): Buffer {
  const length: number[] = [];
  for (let rest = bytes.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...length]), bytes]);
}

/** One member of a Struct; `value` is an encoded Value. */
function member(name: string, value: Uint8Array): Buffer {
  return lengthDelimited(1, Buffer.concat([lengthDelimited(1, Buffer.from(name)), lengthDelimited(2, value)]));
}

function numberValue(value: number): Buffer {
  const bytes = Buffer.alloc(9, 0x11);
  bytes.writeDoubleLE(value, 1);
  return bytes;
}

const structValue = (struct: Uint8Array) => lengthDelimited(5, struct);

describe('ect_ext as a Struct', () => {
  test('becomes compact JSON', () => {
    const value = { a: [1, -0.5, 1e21, true, null, 'é"\n'], b: { c: {} } };
    const struct = toBinary(StructSchema, fromJson(StructSchema, value));
    expect(readIssueInput(withStruct(struct)).ext).toEqual({ value, text: JSON.stringify(value), field: 'ect_ext' });
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('%d is not a number of JSON', (value) => {
    expect(fieldOf(() => readIssueInput(withStruct(member('a', numberValue(value)))))).toBe('ect_ext');
    const deeper = structValue(member('b', numberValue(value)));
    expect(fieldOf(() => readIssueInput(withStruct(member('a', deeper))))).toBe('ect_ext');
  });

  test('T14: nesting is bounded before the claims are looked at', () => {
    const nest = (depth: number): Buffer => (depth === 1 ? Buffer.alloc(0) : member('a', structValue(nest(depth - 1))));
    expect(fieldOf(() => readIssueInput(withStruct(nest(32))))).toBeUndefined();
    expect(fieldOf(() => readIssueInput(withStruct(nest(33))))).toBe('ect_ext');
    // Deeper still, the message itself is rejected.
    expect(() => withStruct(nest(200))).toThrow(/recursion/);
  });

  test('T14: a Struct that was made in memory may be deeper than the stack', () => {
    let struct: NonNullable<IssueFields['extension']>['value'] = {};
    for (let depth = 0; depth < 100_000; depth++) struct = { a: struct as never };
    const request = { ...create(IssueRequestSchema), extension: { case: 'ectExt', value: struct } } as never;
    expect(fieldOf(() => readIssueInput(request))).toBe('ect_ext');
  });

  test('T13: lone surrogates and NUL have no place in a token', () => {
    const fromText = (json: string) => readIssueInput(fromJson(IssueRequestSchema, JSON.parse(json)));
    expect(fieldOf(() => fromText('{"ectExt":{"a":"\\ud800"}}'))).toBe('ect_ext');
    expect(fieldOf(() => fromText('{"ectExt":{"\\udc00":1}}'))).toBe('ect_ext');
    expect(fieldOf(() => fromText('{"ectExt":{"a":"\\u0000"}}'))).toBe('ect_ext');
  });

  test('T22: names that every object has are plain members', () => {
    const { ext } = readIssueInput(
      withStruct(Buffer.concat([member('__proto__', numberValue(1)), member('toJSON', numberValue(2))])),
    );
    expect(ext?.text).toBe('{"__proto__":1,"toJSON":2}');
    expect(Object.keys(ext?.value ?? {})).toEqual(['__proto__', 'toJSON']);
  });

  test('a text that is too long is rejected by its length', () => {
    const struct = toBinary(StructSchema, fromJson(StructSchema, { a: 'x'.repeat(16_384) }));
    expect(rejection(() => readIssueInput(withStruct(struct)))).toMatchObject({
      field: 'ect_ext',
      message: 'ect_ext must have at most 16384 characters.',
    });
  });
});

describe('ect_ext_json', () => {
  const read = (value: string) => issueInput({ extension: { case: 'ectExtJson', value } });

  test('is kept as it stands', () => {
    const text = ' { "big" : 12345678901234567890.10 , "a" : [ ] } ';
    expect(read(text).ext).toEqual({ text, value: JSON.parse(text), field: 'ect_ext_json' });
  });

  test.each([
    '',
    ' ',
    '[]',
    'null',
    '"a"',
    '{} {}',
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '{"a":{"b":1,"b":2}}',
    '{"a":NaN}',
    '{"a":"\\ud800"}',
    '{"a":"\ud800"}',
    '{"a":"\\u0000"}',
    '{"a":1,}',
    '{}}',
    '},"iss":"urn:x","b":{',
    '{"a":[1e400]}',
    `${'{"a":'.repeat(33)}1${'}'.repeat(33)}`,
    `{"a":"${'x'.repeat(16_384)}"}`,
  ])('%j is rejected', (text) => {
    expect(fieldOf(() => read(text))).toBe('ect_ext_json');
  });

  test.each(['1e400', '-1e400', '9'.repeat(400)])(
    'a number out of range is rejected at its outermost level too: %s',
    (number) => {
      expect(rejection(() => read(`{"a":${number}}`))).toEqual({
        field: 'ect_ext_json',
        message: 'ect_ext_json must be one strict JSON object: a number is out of range.',
      });
    },
  );

  test.each([
    '{"a":1.50,"b":-0,"c":1e-400,"d":1E+300}',
    '{"a":123456789012345678901234567890}',
    '{"__proto__":{"a":1}}',
  ])('what is read is issued, and what is issued verifies: %s', async (text) => {
    const { context } = await makeAuthority();
    const order = { ...read(text), execAct: 'review', aud: ['urn:a'] };
    const { token } = await issue(context, { kind: 'anonymous' }, order, new AbortController());
    const question = { now: context.now(), purpose: 'presented' } as const;
    expect(verifyToken(token, question, context.policy.token, context.keys)).toMatchObject({
      ok: true,
      token: { claims: { ect_ext: JSON.parse(text) } },
    });
  });
});

describe('Verify', () => {
  test('a token is required', () => {
    expect(fieldOf(() => verifyInput({ token: '' }))).toBe('token');
  });

  test('defaults: no graph, replay recorded, enforced, now, and whatever level the service asks for', () => {
    expect(verifyInput({})).toMatchObject({
      dag: 'none',
      replay: 'record',
      minimumLevel: undefined,
      mode: 'enforce',
      asOf: undefined,
      requestId: '',
      audience: '',
    });
  });

  test.each([
    [DagMode.UNSPECIFIED, [], 'none'],
    [DagMode.UNSPECIFIED, ['t'], 'partial'],
    [DagMode.NONE, [], 'none'],
    [DagMode.PARTIAL, [], 'partial'],
    [DagMode.PARTIAL, ['t'], 'partial'],
    [DagMode.COMPLETE, [], 'complete'],
    [DagMode.COMPLETE, ['t'], 'complete'],
  ])('dag mode %d with predecessors %j reads as %s', (dagMode, predecessorTokens, mode) => {
    expect(verifyInput({ dagMode, predecessorTokens }).dag).toBe(mode);
  });

  test('predecessors that nobody would look at are rejected', () => {
    expect(fieldOf(() => verifyInput({ dagMode: DagMode.NONE, predecessorTokens: ['t'] }))).toBe('dag_mode');
  });

  test('100 predecessors are the most', () => {
    const along = (length: number) => ({ predecessorTokens: Array.from({ length }, () => 'tt') });
    expect(verifyInput(along(100)).predecessors).toHaveLength(100);
    expect(fieldOf(() => verifyInput(along(101)))).toBe('predecessor_tokens');
  });

  test('replay is left out only when that is said', () => {
    const modes = [ReplayMode.UNSPECIFIED, ReplayMode.RECORD, ReplayMode.SKIP];
    expect(modes.map((replayMode) => verifyInput({ replayMode }).replay)).toEqual(['record', 'record', 'skip']);
  });
});

describe('ValidateDAG', () => {
  const token = (value: string): DagFields => ({ subject: { case: 'token', value } });
  const bundle = (size: number): DagFields => ({
    subject: { case: 'bundle', value: { tokens: Array.from({ length: size }, () => 'tt') } },
  });

  test('reads a token with predecessors, a workflow, and a bundle', () => {
    expect(dagSubject({ ...token('t'), predecessorTokens: ['p'] })).toEqual({
      kind: 'token',
      token: 't',
      predecessors: ['p'],
    });
    expect(dagSubject({ subject: { case: 'wid', value: 'w' } })).toEqual({ kind: 'workflow', wid: 'w' });
    expect(dagSubject(bundle(10_000))).toMatchObject({ kind: 'bundle', tokens: { length: 10_000 } });
  });

  test.each<[field: string, fields: DagFields]>([
    ['subject', {}],
    ['token', token('')],
    ['wid', { subject: { case: 'wid', value: '' } }],
    ['bundle.tokens', bundle(0)],
    ['bundle.tokens', bundle(10_001)],
    ['predecessor_tokens', { ...token('t'), predecessorTokens: Array.from({ length: 101 }, () => 'pp') }],
    ['predecessor_tokens', { ...bundle(1), predecessorTokens: ['p'] }],
    ['predecessor_tokens', { subject: { case: 'wid', value: 'w' }, predecessorTokens: ['p'] }],
    ['predecessor_tokens', { predecessorTokens: ['p'] }],
  ])('rejects %s', (field, fields) => {
    expect(fieldOf(() => dagSubject(fields))).toBe(field);
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
