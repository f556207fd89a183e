// Converts rejections into findings, for verdicts, failed steps and violated rules of a graph.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Rejection, remedyOf } from '../errors.ts';
import { ErrorReason } from '../gen/ect/v1/error_reason_pb.ts';
import type { FindingSchema } from '../gen/ect/v1/token_pb.ts';

export function writeFinding(rejection: Rejection): MessageInitShape<typeof FindingSchema> {
  const { reason, message, metadata: facts } = rejection;
  return { reason: ErrorReason[reason], message, metadata: { ...facts }, remedy: remedyOf(rejection) };
}

/** Returns a finding with the reason alone, for results that have no room for more. */
export function writeReason({ reason }: Rejection): MessageInitShape<typeof FindingSchema> {
  return { reason: ErrorReason[reason] };
}

/** The bytes of the tag and length of one field. */
export const FIELD_OVERHEAD = 4;

/** Returns the maximum size of a finding in bytes. */
export function findingBytes(rejection: Rejection): number {
  const { message, metadata: facts } = rejection;
  let bytes = 3 * FIELD_OVERHEAD + Buffer.byteLength(message) + Buffer.byteLength(remedyOf(rejection));
  for (const [name, fact] of Object.entries(facts)) {
    bytes += 3 * FIELD_OVERHEAD + Buffer.byteLength(name) + Buffer.byteLength(fact);
  }
  return bytes;
}
