// Waits for the entry of a token that was issued before it was recorded.

import { create } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { type GetEntryResponse, GetEntryResponseSchema, RecordingStatus } from '../gen/ect/v1/ledger_pb.ts';
import { ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.ts';
import type { Status } from '../gen/google/rpc/status_pb.ts';
import type { Service } from './client.ts';
import { type Failure, Rejected } from './exit.ts';
import { splitMessage } from './failure.ts';

/** The maximum wait of one call, in milliseconds. */
const LONGEST_WAIT_MS = 5_000;

interface Awaited {
  readonly jti: string;
  readonly wid: string;
  readonly waitMs: number;
  /** The deadline of one call, in milliseconds. */
  readonly timeoutMs: number;
}

/** Returns the entry of a task and its receipt when it has been recorded. Throws Rejected if the recording failed or takes too long. */
export async function awaitEntry(
  { ledger }: Pick<Service, 'ledger'>,
  { jti, wid, waitMs, timeoutMs }: Awaited,
): Promise<GetEntryResponse> {
  const endMs = performance.now() + waitMs;
  for (;;) {
    const leftMs = Math.max(0, Math.min(endMs - performance.now(), LONGEST_WAIT_MS, timeoutMs / 2));
    const wait = { seconds: BigInt(Math.floor(leftMs / 1_000)), nanos: Math.floor(leftMs % 1_000) * 1_000_000 };
    const { status, entry, receipt, failure } = await ledger.getRecording({ task: { wid, jti }, wait });
    if (status === RecordingStatus.FAILED) throw new Rejected(failureOf(failure));
    if (status === RecordingStatus.RECORDED) {
      return create(GetEntryResponseSchema, { ...(entry && { entry }), ...(receipt && { receipt }) });
    }
    if (performance.now() >= endMs) throw new Rejected(PENDING);
  }
}

const PENDING: Failure = {
  reason: 'ENTRY_PENDING',
  message: 'The entry is still pending.',
  remedy: 'Try again later, or wait longer with --wait.',
  metadata: {},
};

function failureOf(status: Status | undefined): Failure {
  const info = status?.details.map((detail) => anyUnpack(detail, ErrorInfoSchema)).find((found) => found !== undefined);
  const reason = info?.reason ?? 'ENTRY_FAILED';
  const { message, remedy } = splitMessage(reason, status?.message ?? '');
  return { reason, message: `There will be no entry: ${message}`, remedy, metadata: info?.metadata ?? {} };
}
