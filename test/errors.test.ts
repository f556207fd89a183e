import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { codeName, codeOf, toStatusDetails } from '../src/calls/errors.ts';
import { failureOf } from '../src/calls/failures.ts';
import { EctError, type ErrorReason, REASONS, reject, rejectAll, remedyFor } from '../src/errors.ts';
import { ErrorReason as ErrorReasonEnum } from '../src/gen/ect/v1/error_reason_pb.ts';
import { OPTIONAL_METADATA } from '../src/reasons.ts';

const PREFIX = 'ERROR_REASON_';
const reasons = Object.keys(REASONS) as ErrorReason[];

interface Documented {
  readonly reason: string;
  readonly number: number;
  /** `INVALID_ARGUMENT`. */
  readonly code: string;
  /** `no`, `after 1 s`. */
  readonly retry: string;
  readonly metadata: readonly string[];
  /** Metadata that is there only sometimes. */
  readonly sometimes: readonly string[];
}

/** The values of the enum as the .proto documents them to callers. */
function readProto(): readonly Documented[] {
  const text = readFileSync(new URL('../proto/ect/v1/error_reason.proto', import.meta.url), 'utf8');
  const values = text.matchAll(/((?: {2}\/\/ .*\n)+) {2}ERROR_REASON_([A-Z0-9_]+) = ([0-9]+);/g);
  return [...values].map(([, comment = '', reason = '', number]) => {
    const sentences = comment.replaceAll(/^ {2}\/\/ /gm, '').replaceAll('\n', ' ');
    const [, code = ''] = /^([A-Z_]+)\. /.exec(sentences) ?? [];
    const [, retry = ''] = / Retry: ([^.]+)\./.exec(sentences) ?? [];
    const [, list = ''] = / Metadata: (.*)\. $/.exec(sentences) ?? [];
    const [always = '', sometimes = ''] = list.split('sometimes');
    return { reason, number: Number(number), code, retry, metadata: namesIn(always), sometimes: namesIn(sometimes) };
  });
}

function namesIn(list: string): readonly string[] {
  return [...list.matchAll(/`([a-z_]+)`/g)].map(([, name]) => name!);
}

/** How a comment says when the same call may be sent again. */
function retryOf(reason: ErrorReason): string {
  const { retrySeconds, isOpen } = failureOf(reason);
  if (isOpen === true) return 'only if the call is idempotent, because its outcome is unknown';
  if (retrySeconds === undefined) return 'no';
  const isNamed = (REASONS[reason].metadata as readonly string[]).includes('retry_after_seconds');
  return isNamed ? 'after the time in RetryInfo' : `after ${retrySeconds} s`;
}

const documented = readProto().filter(({ reason }) => reason !== 'UNSPECIFIED');

describe('the enum that callers see and the vocabulary of the service are one list', () => {
  test('in the .proto text', () => {
    expect(documented.map(({ reason }) => reason).sort()).toEqual([...reasons].sort());
  });

  test('in the generated code, with the numbers of the text', () => {
    const generated = Object.entries(ErrorReasonEnum).filter(([name]) => Number.isNaN(Number(name)));
    const stripped = generated.map(([name, number]) => [name.replace(PREFIX, ''), number] as const);
    expect(Object.fromEntries(stripped)).toEqual({
      UNSPECIFIED: 0,
      ...Object.fromEntries(documented.map(({ reason, number }) => [reason, number])),
    });
  });

  test('each number is given once', () => {
    expect(new Set(documented.map(({ number }) => number)).size).toBe(documented.length);
  });
});

describe.each(documented)('$reason', ({ reason, code, retry, metadata, sometimes }) => {
  const known = reason as ErrorReason;

  test('fails a call with the code that its comment names first', () => {
    expect(codeName(codeOf(known))).toBe(code);
  });

  test('is retried as its comment says', () => {
    expect(retry).toBe(retryOf(known));
  });

  test('carries the facts that its comment lists as metadata', () => {
    expect(metadata).toEqual(REASONS[known].metadata);
    expect(sometimes).toEqual((OPTIONAL_METADATA as Partial<Record<ErrorReason, readonly string[]>>)[known] ?? []);
  });

  test('has a remedy: a constant sentence with nothing to fill in', () => {
    expect(remedyFor(known)).toMatch(/^[A-Z].*[^.]\.$/);
    expect(remedyFor(known)).not.toMatch(/[<>{}$%]|undefined/);
  });
});

test('only a bug of ours is INTERNAL', () => {
  expect(reasons.filter((reason) => codeName(codeOf(reason)) === 'INTERNAL')).toEqual(['INTERNAL']);
  expect(reasons.filter((reason) => codeName(codeOf(reason)) === 'UNKNOWN')).toEqual([]);
});

describe('a rejection', () => {
  test('goes into an exception and comes out as it was', () => {
    const rejection = reject('CLAIM_MISSING', 'The token has no iss.', { claim: 'iss' });
    const error = new EctError(rejection);
    expect(error.rejection).toEqual(rejection);
    expect(error).toMatchObject({ name: 'EctError', message: 'The token has no iss.', reason: 'CLAIM_MISSING' });
  });

  test('has no facts where its reason has none', () => {
    expect(reject('KEY_UNKNOWN', 'No trusted key has this kid.').metadata).toEqual({});
  });

  test('S1: does not show the cause of its exception', () => {
    const error = new EctError(reject('LEDGER_UNAVAILABLE', 'The ledger does not answer.'), {
      cause: new Error('canary'),
    });
    expect(error.cause).toBeInstanceOf(Error);
    expect(JSON.stringify(error.rejection)).not.toContain('canary');
    expect(error.message).not.toContain('canary');
  });
});

describe('an error of a part of a request', () => {
  test('names its fields from the outside', () => {
    const rejection = reject('REQUEST_INVALID', 'ttl is wrong.', { field: 'ttl' });
    const violations = [{ field: 'aud[0]', description: 'aud[0] is wrong.' }];
    const error = new EctError({ ...rejection, violations }, { cause: 'kept' }).within('items[3].request');
    expect(error.metadata['field']).toBe('items[3].request.ttl');
    expect(error.violations).toEqual([{ field: 'items[3].request.aud[0]', description: 'aud[0] is wrong.' }]);
    expect([error.message, error.cause]).toEqual(['ttl is wrong.', 'kept']);
  });

  test('may be about the part itself', () => {
    const error = new EctError(reject('REQUEST_INVALID', 'request is required.', { field: '' }));
    expect(error.within('items[3].request').metadata['field']).toBe('items[3].request');
  });
});

describe('H28: texts of an error', () => {
  test.each([
    ['short', 'a short text', 'a short text'],
    ['of exactly the limit', 'x'.repeat(512), 'x'.repeat(512)],
    ['one byte longer', 'x'.repeat(513), `${'x'.repeat(509)}…`],
    ['long', 'x'.repeat(70_000), `${'x'.repeat(509)}…`],
    ['in no Latin', '字'.repeat(171), `${'字'.repeat(169)}…`],
    ['with a pair where they are cut', `${'x'.repeat(507)}😀😀`, `${'x'.repeat(507)}…`],
    ['with a lone surrogate', 'a\ud800b', 'a\ufffdb'],
    ['with a lone surrogate at the cut', `${'x'.repeat(511)}\ud83d😀`, `${'x'.repeat(509)}…`],
  ])('are cut where they are made, by bytes: %s', (_, text, cut) => {
    expect(reject('REQUEST_MALFORMED', text).message).toBe(cut);
    expect(new EctError({ reason: 'REQUEST_MALFORMED', message: text, metadata: {} }).message).toBe(cut);
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(512);
  });

  test('are cut in facts too', () => {
    const { metadata: facts } = reject('REQUEST_INVALID', 'no', { field: '😀'.repeat(1000) });
    expect(facts).toEqual({ field: `${'😀'.repeat(63)}…` });
    const error = new EctError({ reason: 'REQUEST_INVALID', message: 'no', metadata: { field: 'x'.repeat(300) } });
    expect(error.metadata['field']).toHaveLength(254);
  });

  test('are cut in field violations, of which no more are kept than a trailer has room for', () => {
    const long = reject('REQUEST_INVALID', 'd'.repeat(400), { field: 'f'.repeat(200) });
    const one = { field: `${'f'.repeat(125)}…`, description: `${'d'.repeat(253)}…` };
    expect(rejectAll([long, long], ({ metadata: facts }) => facts['field']!).violations).toEqual([one, one]);
    const violations = Array.from({ length: 40 }, () => ({
      field: long.metadata['field']!,
      description: long.message,
    }));
    expect(new EctError({ ...long, violations }).violations).toEqual(Array.from({ length: 8 }, () => one));
    const short = violations.map(() => ({ field: 'f', description: 'd' }));
    expect(new EctError({ ...long, violations: short }).violations).toHaveLength(16);
    const worst = new EctError({
      reason: 'REQUEST_INVALID',
      message: '😀'.repeat(400),
      metadata: { field: '😀'.repeat(100) },
      violations,
    });
    expect(toStatusDetails(worst).length + 3 * Buffer.byteLength(worst.message)).toBeLessThan(8192);
  });
});
