// The faults in the rejection of a request, by the procedures and in the status of an item.

import { create, fromBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { expect } from 'vitest';
import { authorityService } from '../../src/api/authority.ts';
import { ledgerService } from '../../src/api/ledger.ts';
import type { Call } from '../../src/calls/call.ts';
import { toStatusDetails } from '../../src/calls/errors.ts';
import { EctError } from '../../src/errors.ts';
import { IssueRequestSchema, VerifyRequestSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import { BadRequestSchema } from '../../src/gen/google/rpc/error_details_pb.ts';
import { type Status, StatusSchema } from '../../src/gen/google/rpc/status_pb.ts';
import { makeAuthority } from '../support/authority.ts';

export const call: Call = {
  method: 'test',
  caller: { kind: 'anonymous' },
  signal: new AbortController().signal,
  note() {},
};

export const NO_TASK = '00000000-0000-4000-8000-000000000000';

export const { context } = await makeAuthority();
export const authority = authorityService(context).procedures;
export const ledger = ledgerService(context).procedures;

/** What a call is rejected with. */
export async function errorOf(begin: () => unknown): Promise<EctError> {
  const error = await Promise.resolve()
    .then(begin)
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
  expect(error).toBeInstanceOf(EctError);
  return error as EctError;
}

export const rejectionOf = (procedure: 'issue' | 'verify', fields: object): Promise<EctError> =>
  errorOf(() =>
    procedure === 'issue'
      ? authority.issue(create(IssueRequestSchema, fields), call)
      : authority.verify(create(VerifyRequestSchema, fields), call),
  );

/** The fields that the details of a failure name, as a client unpacks them. */
export function fieldsIn(error: EctError): readonly string[] {
  return fieldsInStatus(fromBinary(StatusSchema, Buffer.from(toStatusDetails(error), 'base64')));
}

export function fieldsInStatus(status: Status): readonly string[] {
  const details = status.details.map((any) => anyUnpack(any, BadRequestSchema)).filter((found) => found !== undefined);
  return details.flatMap(({ fieldViolations }) => fieldViolations.map(({ field }) => field));
}
