// Requests to verify a token or a graph, as they are read.

import { describe, expect, test } from 'vitest';
import { DagMode, ReplayMode } from '../../src/gen/ect/v1/authority_pb.ts';
import { type DagFields, dagSubject, fieldOf, verifyInput } from './read-requests.ts';

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

  test.each([
    ['inp_hash', { inputBinding: { case: 'inpHash', value: 'junk' } }],
    ['out_hash', { outputBinding: { case: 'outHash', value: `sha-256:${'A'.repeat(43)}` } }],
    ['audience', { audience: 'urn:a\n' }],
    ['audience', { audience: `urn:${'a'.repeat(2045)}` }],
    ['minimum_level', { minimumLevel: 9 }],
  ] as const)(
    'an expectation that no token can meet is a fault of the request, and no verdict: %s',
    (field, fields) => {
      expect(fieldOf(() => verifyInput(fields as object))).toBe(field);
    },
  );

  test('a hash of either draft may be expected', () => {
    for (const value of ['A'.repeat(43), `sha-512:${'A'.repeat(86)}`]) {
      expect(verifyInput({ inputBinding: { case: 'inpHash', value } }).inputHash).toBe(value);
    }
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
