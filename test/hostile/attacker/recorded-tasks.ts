// What some attacks need to be there before: tasks in the ledger, recorded by a legal caller.

import { randomUUID } from 'node:crypto';
import { credentials } from '@grpc/grpc-js';
import { dial, type GrpcClient } from '../../interop/grpc-js-client.ts';
import type { Target } from '../support/target.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
// An answer is larger than its request, and grpc-js takes 4 MiB at most.
const MAX_ITEMS = 200;
const MAX_BYTES = 900_000;

/** An order to `Issue` as the protos name its fields. */
export type Order = Readonly<Record<string, unknown>>;

export function dialAs({ host, port, tls }: Target): GrpcClient {
  const bytes = (pem: string | undefined) => (pem === undefined ? null : Buffer.from(pem));
  const security =
    tls === undefined
      ? credentials.createInsecure()
      : credentials.createSsl(Buffer.from(tls.ca), bytes(tls.key), bytes(tls.cert));
  return dial(`${host}:${port}`, security);
}

/** Issues these, in batches. All of them must succeed. Answers the tokens. */
export async function issueAll(client: GrpcClient, orders: readonly Order[]): Promise<readonly string[]> {
  const requests = orders.map((order) => ({ exec_act: 'review', aud: ['urn:example:reviewer'], ...order }));
  const answers = await callInBatches<{ readonly token: string }>(client, 'BatchIssue', requests);
  return answers.map(({ token }) => token);
}

/**
 * Records tasks, each after its predecessors in this order. Nothing is recorded before all are issued: to issue after
 * what is in the ledger would be checked against all of it.
 */
export async function record(client: GrpcClient, orders: readonly Order[]): Promise<readonly string[]> {
  const tokens = await issueAll(client, orders);
  await callInBatches(
    client,
    'BatchAppendLedger',
    tokens.map((token) => ({ token })),
  );
  return tokens;
}

interface Result<Answer> {
  readonly response?: Answer | null;
  readonly error?: { readonly message: string } | null;
}

async function callInBatches<Answer>(
  client: GrpcClient,
  method: string,
  requests: readonly object[],
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const batch of inBatches(requests)) {
    const items = batch.map((request) => ({ request }));
    const { results } = await client.call<{ results: readonly Result<Answer>[] }>(`${AUTHORITY}/${method}`, { items });
    for (const { response, error } of results) {
      if (response === null || response === undefined)
        throw new Error(`${method} has rejected an item: ${error?.message}`);
      answers.push(response);
    }
  }
  return answers;
}

/** Batches of so many items, and of so many bytes, that they are legal. */
function* inBatches(requests: readonly object[]): Generator<readonly object[]> {
  let batch: object[] = [];
  let bytes = 0;
  for (const request of requests) {
    const size = JSON.stringify(request).length;
    if (batch.length === MAX_ITEMS || bytes + size > MAX_BYTES) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(request);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

/** Tasks in layers, in which each follows all tasks of the layer before, and one last task. */
function denseOrders(layers: number, width: number) {
  const wid = randomUUID();
  const orders: Order[] = [];
  let before: readonly string[] = [];
  for (let layer = 0; layer < layers; layer++) {
    const pred = before;
    before = Array.from({ length: width }, () => randomUUID());
    orders.push(...before.map((jti) => ({ jti, wid, pred })));
  }
  const last = randomUUID();
  orders.push({ jti: last, wid, pred: before });
  return { wid, last, lastLayer: before, orders };
}

/** Records rows of 100 tasks, each after three of the row before. Answers the id of the workflow. */
export async function recordRows(client: GrpcClient, rows: number): Promise<string> {
  const wid = randomUUID();
  const names = Array.from({ length: rows }, () => Array.from({ length: 100 }, () => randomUUID()));
  const orders = names.flatMap((row, nth) =>
    row.map((jti, place) => ({
      jti,
      wid,
      pred: nth === 0 ? [] : [0, 1, 2].map((next) => names[nth - 1]![(place + next) % 100]!),
    })),
  );
  await record(client, orders);
  return wid;
}

/** Records such a workflow. Answers its id, its last task and that token. */
export async function recordDense(client: GrpcClient, layers: number, width: number) {
  const { orders, ...dense } = denseOrders(layers, width);
  const tokens = await record(client, orders);
  return { ...dense, token: tokens.at(-1) ?? '' };
}
