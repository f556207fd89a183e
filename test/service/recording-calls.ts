// Calls about tokens that left before their entries, as a client makes them.

import { expect } from 'vitest';
import type { Issued, Receipt, Recorded } from '../interop/answers.ts';
import { CallError, type GrpcClient, type Status } from '../interop/grpc-js-client.ts';

/** What GetRecording answers. */
export interface Recording {
  readonly status: string;
  readonly entry: Recorded['entry'] | null;
  readonly receipt: Receipt | null;
  readonly failure: Status | null;
}

const PENDING = 'RECORDING_STATUS_PENDING';
const RECORDED = 'RECORDING_STATUS_RECORDED';

export function issueLater(client: GrpcClient): Promise<Issued> {
  const order = { exec_act: 'review', aud: ['urn:a'], level: 'LEVEL_L3', record_mode: 'RECORD_MODE_ASYNC' };
  return client.call<Issued>('ect.v1.AuthorityService/Issue', order);
}

function recordingOf(client: GrpcClient, { claims }: Issued, waitSeconds = 0): Promise<Recording> {
  const request = { task: { jti: claims.jti }, wait: { seconds: String(waitSeconds) } };
  return client.call<Recording>('ect.v1.LedgerService/GetRecording', request);
}

/** Both ways to ask say that the entry is on its way. */
export async function expectPending(client: GrpcClient, issued: Issued): Promise<void> {
  const entry = client.call<Recorded>('ect.v1.LedgerService/GetEntry', { task: { jti: issued.claims.jti } });
  const reason = await entry.then(
    () => 'OK',
    (error: unknown) => (error instanceof CallError ? error.reason : String(error)),
  );
  expect(reason).toBe('ENTRY_PENDING');
  expect((await recordingOf(client, issued)).status).toBe(PENDING);
}

/** Waits until it is recorded: exactly the token that left. */
export async function expectRecorded(client: GrpcClient, issued: Issued): Promise<void> {
  let recording = await recordingOf(client, issued, 5);
  for (let round = 0; recording.status === PENDING && round < 10; round++) {
    recording = await recordingOf(client, issued, 5);
  }
  expect(recording.status).toBe(RECORDED);
  expect(recording.entry?.task.token).toBe(issued.token);
  expect(recording.receipt?.inclusion.checkpoint).not.toBe('');
}
