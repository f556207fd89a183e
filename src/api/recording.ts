// LedgerService.GetRecording: the state of an asynchronous recording.

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Duration } from '@bufbuild/protobuf/wkt';
import { type AuthorityContext, demandIntact, getRecording, MAX_WAIT_MS } from '../authority/index.ts';
import type { Call } from '../calls/call.ts';
import { toStatus } from '../calls/errors.ts';
import { EctError } from '../errors.ts';
import { type GetRecordingRequest, type GetRecordingResponseSchema, RecordingStatus } from '../gen/ect/v1/ledger_pb.ts';
import { writeEntry, writeReceipt } from './entry-messages.ts';
import { demand } from './invalid.ts';
import { provenanceFor } from './provenance-messages.ts';
import { checkReceiptFormat, checkTaskName } from './request-fields.ts';
import { readDurationMs } from './times.ts';
import { checkAll } from './violations.ts';

export async function answerRecording(
  context: AuthorityContext,
  { task, wait, receiptFormat, signingInputSha256 }: GetRecordingRequest,
  { caller, signal }: Call,
): Promise<MessageInitShape<typeof GetRecordingResponseSchema>> {
  const { wid = '', jti = '' } = task ?? {};
  checkAll(
    () => checkTaskName({ wid, jti }),
    () => readWait(wait),
    () => readDigest(signingInputSha256),
    () => checkReceiptFormat(receiptFormat),
  );
  const recording = await getRecording(
    context,
    caller,
    { wid, jti, digest: readDigest(signingInputSha256) },
    readWait(wait),
    signal,
  );
  if (recording.status === 'pending') return { status: RecordingStatus.PENDING };
  if (recording.status === 'failed') {
    return { status: RecordingStatus.FAILED, failure: toStatus(new EctError(recording.failure)) };
  }
  const { ledger } = context;
  const { record } = recording;
  await demandIntact(ledger, [record]);
  const receipt = writeReceipt(await ledger.receiptFor(record), receiptFormat);
  const entry = writeEntry(record, provenanceFor(context, caller)(record));
  return { status: RecordingStatus.RECORDED, entry, receipt };
}

/** Returns the wait in milliseconds. */
function readWait(wait: Duration | undefined): number {
  return Math.min(readDurationMs('wait', wait) ?? 0, MAX_WAIT_MS);
}

/** Undefined if the request does not name one token. */
function readDigest(digest: Uint8Array): Uint8Array | undefined {
  demand(digest.length === 0 || digest.length === SHA_256_BYTES, 'signing_input_sha256', 'must have 32 bytes');
  return digest.length === 0 ? undefined : digest;
}

const SHA_256_BYTES = 32;
