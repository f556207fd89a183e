// What else an error says than its reason: which state, which resource or which quota is to blame, and when to come back.

import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import { codeName, codeOf, isFault, toStatus } from '../../src/calls/errors.ts';
import { failureOf } from '../../src/calls/failures.ts';
import { EctError, type ErrorReason, REASONS, reject } from '../../src/errors.ts';
import {
  BadRequestSchema,
  PreconditionFailureSchema,
  QuotaFailureSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from '../../src/gen/google/rpc/error_details_pb.ts';

const reasons = Object.keys(REASONS) as ErrorReason[];
const SCHEMAS = {
  BadRequest: BadRequestSchema,
  PreconditionFailure: PreconditionFailureSchema,
  QuotaFailure: QuotaFailureSchema,
  ResourceInfo: ResourceInfoSchema,
  RetryInfo: RetryInfoSchema,
} as const;

function detailIn<N extends keyof typeof SCHEMAS>(error: EctError, name: N) {
  return toStatus(error)
    .details.map((any) => anyUnpack(any, SCHEMAS[name]))
    .find((found) => found !== undefined);
}

/** An error as it comes about, with every fact that its reason always has. */
function errorOf(reason: ErrorReason): EctError {
  const facts = Object.fromEntries(REASONS[reason].metadata.map((fact) => [fact, `the ${fact}`]));
  return new EctError({ reason, message: 'm.', metadata: facts });
}

describe('what a code promises', () => {
  const detailsByCode: Partial<Record<Code, string>> = {
    [Code.FailedPrecondition]: 'PreconditionFailure',
    [Code.NotFound]: 'ResourceInfo',
    [Code.InvalidArgument]: 'BadRequest',
    [Code.OutOfRange]: 'BadRequest',
  };
  test.each(reasons.map((reason) => [codeName(codeOf(reason)), reason] as const))('%s: %s', (_, reason) => {
    const { code, detail, retrySeconds } = failureOf(reason);
    if (detailsByCode[code] !== undefined) expect(detail?.as).toBe(detailsByCode[code]);
    // Clients retry by this code.
    if (code === Code.Unavailable) expect(retrySeconds).toBeGreaterThan(0);
    if (code === Code.DataLoss || code === Code.Internal) expect(retrySeconds).toBeUndefined();
  });

  test('a quota of one caller is RESOURCE_EXHAUSTED with a time to come back, and so is no load', () => {
    const exhausted = reasons.filter((reason) => codeOf(reason) === Code.ResourceExhausted);
    expect(exhausted).toEqual(['MESSAGE_TOO_LARGE', 'QUOTA_EXCEEDED']);
    for (const load of ['SERVICE_OVERLOADED', 'SIGNER_BUSY', 'SERVICE_DRAINING'] as const) {
      expect([codeOf(load), isFault(load)]).toEqual([Code.Unavailable, false]);
    }
  });
});

describe('the details', () => {
  test.each(reasons)('of %s name what the table says', (reason) => {
    const error = errorOf(reason);
    const { detail } = failureOf(reason);
    switch (detail?.as) {
      case 'PreconditionFailure': {
        const facts = error.metadata as Readonly<Record<string, string>>;
        const violation = { type: detail.type, subject: facts[detail.subject] ?? detail.subject, description: 'm.' };
        expect(detailIn(error, 'PreconditionFailure')?.violations).toMatchObject([violation]);
        break;
      }
      case 'ResourceInfo':
        expect(detailIn(error, 'ResourceInfo')).toMatchObject({ resourceType: detail.type, description: 'm.' });
        break;
      case 'QuotaFailure':
        expect(detailIn(error, 'QuotaFailure')?.violations).toMatchObject([
          { subject: 'caller', quotaMetric: 'the quota' },
        ]);
        break;
      default:
        for (const name of ['PreconditionFailure', 'ResourceInfo', 'QuotaFailure'] as const) {
          expect(detailIn(error, name)).toBeUndefined();
        }
    }
  });

  test('are of the kind that error_reason.proto has for their code', () => {
    const kinds: Readonly<Record<string, string>> = {
      INVALID_ARGUMENT: 'BadRequest',
      OUT_OF_RANGE: 'BadRequest',
      FAILED_PRECONDITION: 'PreconditionFailure',
      NOT_FOUND: 'ResourceInfo',
      ALREADY_EXISTS: 'ResourceInfo',
    };
    const others: Readonly<Record<string, string>> = {
      CLOCK_UNTRUSTED: 'PreconditionFailure',
      QUOTA_EXCEEDED: 'QuotaFailure',
    };
    for (const reason of reasons) {
      expect([reason, failureOf(reason).detail?.as]).toEqual([
        reason,
        others[reason] ?? kinds[codeName(codeOf(reason))],
      ]);
    }
  });

  test('name tasks of different names differently, whatever is in their ids', () => {
    const names = [{ wid: 'a/b', jti: 'x' }, { wid: 'a', jti: 'b/x' }, { jti: 'a/b/x' }, { wid: 'a%2Fb', jti: 'x' }];
    const reasonsOfTasks = ['DAG_DUPLICATE_TASK', 'TOKEN_EQUIVOCATED', 'TOKEN_REPLAYED', 'ENTRY_NOT_FOUND'] as const;
    for (const reason of reasonsOfTasks) {
      const named = names.map(
        (task) => detailIn(new EctError(reject(reason, 'm', task)), 'ResourceInfo')?.resourceName,
      );
      expect(named).toEqual(['a%2Fb/x', 'a/b%2Fx', 'a%2Fb%2Fx', 'a%252Fb/x']);
    }
  });

  test('name a task by workflow and id, and a resource by its fact', () => {
    const facts = { jti: 'j', wid: 'w' };
    expect(detailIn(new EctError(reject('ENTRY_NOT_FOUND', 'm', facts)), 'ResourceInfo')?.resourceName).toBe('w/j');
    expect(detailIn(new EctError(reject('ENTRY_PENDING', 'm', { jti: 'j' })), 'ResourceInfo')?.resourceName).toBe('j');
    expect(detailIn(new EctError(reject('KEY_NOT_FOUND', 'm', { kid: 'k' })), 'ResourceInfo')?.resourceName).toBe('k');
  });

  test('say the quota, its limit and when to come back', () => {
    const facts = { quota: 'written_bytes_per_hour', limit: '3600', retry_after_seconds: '90' };
    const error = new EctError(reject('QUOTA_EXCEEDED', 'm', facts));
    expect(detailIn(error, 'QuotaFailure')?.violations).toMatchObject([
      { quotaMetric: 'written_bytes_per_hour', quotaValue: 3600n },
    ]);
    expect(detailIn(error, 'RetryInfo')?.retryDelay?.seconds).toBe(90n);
  });

  test('of a key that is not the current one name that', () => {
    const current = new EctError(reject('KEY_NOT_CURRENT', 'm', { current_kid: 'k' }));
    const none = new EctError(reject('KEY_NOT_CURRENT', 'm', { current_kid: '' }));
    const subjects = [current, none].map((error) => detailIn(error, 'PreconditionFailure')?.violations[0]?.subject);
    expect(subjects).toEqual(['k', 'current_kid']);
  });

  test('of fields are there only where a field is known', () => {
    expect(detailIn(new EctError(reject('TOKEN_MALFORMED', 'm')), 'BadRequest')).toBeUndefined();
    const malformed = new EctError(reject('REQUEST_MALFORMED', 'm', { field: 'execAct' }));
    expect(detailIn(malformed, 'BadRequest')?.fieldViolations).toMatchObject([{ field: 'execAct', description: 'm' }]);
  });
});
