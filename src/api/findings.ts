// What does not hold, as a message: for verdicts, for steps that failed, and for broken rules of a graph.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Rejection, remedyOf } from '../errors.ts';
import { ErrorReason } from '../gen/ect/v1/error_reason_pb.ts';
import type { FindingSchema } from '../gen/ect/v1/token_pb.ts';

export function writeFinding(rejection: Rejection): MessageInitShape<typeof FindingSchema> {
  const { reason, message, metadata: facts } = rejection;
  return { reason: ErrorReason[reason], message, metadata: { ...facts }, remedy: remedyOf(rejection) };
}

/** The reason alone, where there is no room for more. */
export function writeReason({ reason }: Rejection): MessageInitShape<typeof FindingSchema> {
  return { reason: ErrorReason[reason] };
}

/** Tag and length of one field in front of its bytes. */
export const FIELD_OVERHEAD = 4;

/** What a finding takes, at most. */
export function findingBytes(rejection: Rejection): number {
  const { message, metadata: facts } = rejection;
  let bytes = 3 * FIELD_OVERHEAD + Buffer.byteLength(message) + Buffer.byteLength(remedyOf(rejection));
  for (const [name, fact] of Object.entries(facts)) {
    bytes += 3 * FIELD_OVERHEAD + Buffer.byteLength(name) + Buffer.byteLength(fact);
  }
  return bytes;
}
