// The error of one item of a batch. A thousand of them share one response, whose maximum size is known before any work is done: each
// has a minimum number of bytes, and more details are included while the batch has room for them.

import { create } from '@bufbuild/protobuf';
import { type Any, anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';
import { toStatus } from '../calls/errors.ts';
import type { EctError, Rejection } from '../errors.ts';
import { BadRequestSchema, ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.ts';
import { type Status, StatusSchema } from '../gen/google/rpc/status_pb.ts';
import type { DetailBudget } from './detail-budget.ts';
import { FIELD_OVERHEAD, findingBytes, writeFinding, writeReason } from './findings.ts';

/** What an error has in any case. */
export const ERROR_BYTES = 1_024;
/** Tags and lengths of a status, and of one of its details. */
const AROUND_BYTES = 16;

/** The error as the status of an item. Without room it names as many fields as go into ERROR_BYTES. */
export function toItemStatus(error: EctError, room?: DetailBudget): Status {
  const status = toStatus(error);
  const excess = sizeOf(status) - ERROR_BYTES;
  return excess <= 0 || room === undefined || room.take(excess) ? status : shortened(status);
}

function sizeOf({ message, details }: Status): number {
  const each = details.map(({ typeUrl, value }) => typeUrl.length + value.length + AROUND_BYTES);
  return each.reduce((sum, bytes) => sum + bytes, Buffer.byteLength(message) + AROUND_BYTES);
}

/** Half of the bytes at most are the message; the last violations go first, then whole details. ErrorInfo stays. */
function shortened({ code, message, details: [info, ...others] }: Status): Status {
  const kept = info === undefined ? [] : [withShortMetadata(info)];
  const short = { code, message: cut(message, ERROR_BYTES / 2), details: kept };
  for (const detail of others) {
    kept.push(detail);
    const violations = anyUnpack(detail, BadRequestSchema)?.fieldViolations ?? [];
    while (sizeOf(create(StatusSchema, short)) > ERROR_BYTES) {
      kept.pop();
      if (violations.pop() === undefined || violations.length === 0) break;
      kept.push(anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations: violations })));
    }
  }
  return create(StatusSchema, short);
}

/** Of a text that was cut to so many bytes nothing of a character is left over. */
function cut(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  return `${Buffer.from(text)
    .toString('utf8', 0, bytes - 3)
    .replace(/\uFFFD+$/, '')}…`;
}

/** An ErrorInfo of at most half of the bytes: each value of its metadata is cut to its share. */
function withShortMetadata(info: Any): Any {
  if (info.value.length <= ERROR_BYTES / 2 - AROUND_BYTES) return info;
  const unpacked = anyUnpack(info, ErrorInfoSchema);
  if (unpacked === undefined) return info;
  const { reason, domain, metadata } = unpacked;
  const names = Object.keys(metadata);
  const fixed = names.reduce((sum, name) => sum + name.length + AROUND_BYTES, info.typeUrl.length + 6 * AROUND_BYTES);
  const share = (ERROR_BYTES / 2 - fixed) / names.length;
  const short = Object.fromEntries(names.map((name) => [name, cut(metadata[name]!, share)]));
  return anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason, domain, metadata: short }));
}

/** Why a token of a batch is not valid. It has ERROR_BYTES too; without room for more its message is cut. */
export function toItemFinding(rejection: Rejection, room: DetailBudget | undefined): ReturnType<typeof writeFinding> {
  const excess = findingBytes(rejection) + FIELD_OVERHEAD - ERROR_BYTES;
  if (excess <= 0 || room === undefined || room.take(excess)) return writeFinding(rejection);
  const bytes = Buffer.byteLength(rejection.message) - excess;
  if (bytes < LEAST_MESSAGE_BYTES) return writeReason(rejection);
  return writeFinding({ ...rejection, message: cut(rejection.message, bytes) });
}

const LEAST_MESSAGE_BYTES = 64;
