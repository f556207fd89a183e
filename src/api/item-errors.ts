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

/** The minimum size of an error: every item has this much. */
export const ERROR_BYTES = 1_024;
/** The tags and lengths of a status and of one of its details. */
const AROUND_BYTES = 16;

/**
 * Converts an error into the status of an item. If the budget has no room for all of it, it names as many fields as fit into ERROR_BYTES.
 */
export function toItemStatus(error: EctError, room?: DetailBudget): Status {
  const status = toStatus(error);
  const excess = sizeOf(status) - ERROR_BYTES;
  return excess <= 0 || room === undefined || room.take(excess) ? status : shortened(status);
}

function sizeOf({ message, details }: Status): number {
  const each = details.map(({ typeUrl, value }) => typeUrl.length + value.length + AROUND_BYTES);
  return each.reduce((sum, bytes) => sum + bytes, Buffer.byteLength(message) + AROUND_BYTES);
}

/**
 * Shortens a status: the message gets at most half of the bytes; then the last violations are removed, then whole details. ErrorInfo is
 * always kept.
 */
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

/** Cuts a text to this many bytes, without splitting a character. */
function cut(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  return `${Buffer.from(text)
    .toString('utf8', 0, bytes - 3)
    .replace(/\uFFFD+$/, '')}…`;
}

/** Returns an ErrorInfo of at most half of the bytes: the values of its metadata are cut to equal shares. */
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

/** Converts the rejection of a token in a batch. It has at least ERROR_BYTES; if the budget has no room for more, its message is cut. */
export function toItemFinding(rejection: Rejection, room: DetailBudget | undefined): ReturnType<typeof writeFinding> {
  const excess = findingBytes(rejection) + FIELD_OVERHEAD - ERROR_BYTES;
  if (excess <= 0 || room === undefined || room.take(excess)) return writeFinding(rejection);
  const bytes = Buffer.byteLength(rejection.message) - excess;
  if (bytes < LEAST_MESSAGE_BYTES) return writeReason(rejection);
  return writeFinding({ ...rejection, message: cut(rejection.message, bytes) });
}

const LEAST_MESSAGE_BYTES = 64;
