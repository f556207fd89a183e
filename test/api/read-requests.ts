// Requests as their readers take them, and what they are rejected for.

import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { expect } from 'vitest';
import { readDagSubject } from '../../src/api/dag-subject.ts';
import { readIssueInput } from '../../src/api/issue-request.ts';
import { readVerifyInput } from '../../src/api/verify-request.ts';
import { EctError } from '../../src/errors.ts';
import {
  IssueRequestSchema,
  ValidateDAGRequestSchema,
  VerifyRequestSchema,
} from '../../src/gen/ect/v1/authority_pb.ts';

export type IssueFields = MessageInitShape<typeof IssueRequestSchema>;
export type VerifyFields = MessageInitShape<typeof VerifyRequestSchema>;
export type DagFields = MessageInitShape<typeof ValidateDAGRequestSchema>;

export const HASH = 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg';

export const issueInput = (fields: IssueFields) => readIssueInput(create(IssueRequestSchema, fields));
export const verifyInput = (fields: VerifyFields) =>
  readVerifyInput(create(VerifyRequestSchema, { token: 't', ...fields }));
export const dagSubject = (fields: DagFields) => readDagSubject(create(ValidateDAGRequestSchema, fields));

/** The field that a reading rejects, with its rule. Anything but REQUEST_INVALID fails the test. */
export function rejection(read: () => unknown): { readonly field: string | undefined; readonly message: string } {
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

export const fieldOf = (read: () => unknown) => rejection(read).field;
