// What some attacks need to be there before: tasks in the ledger, recorded by a legal caller.

import { randomUUID } from 'node:crypto';
import { credentials } from '@grpc/grpc-js';
import { dial, type GrpcClient } from '../../interop/grpc-js-client.ts';
import type { Target } from '../support/target.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const ITEMS = 1000;

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

/** Issues these at level 3, in batches. All of them must succeed. Answers the tokens. */
export async function record(client: GrpcClient, orders: readonly Order[]): Promise<readonly string[]> {
  const tokens: string[] = [];
  for (let at = 0; at < orders.length; at += ITEMS) {
    const items = orders.slice(at, at + ITEMS).map((order) => ({
      request: { exec_act: 'review', aud: ['urn:example:reviewer'], level: 'LEVEL_L3', ...order },
    }));
    const { results } = await client.call<{ results: readonly { response?: { token: string }; error?: unknown }[] }>(
      `${AUTHORITY}/BatchIssue`,
      { items },
    );
    for (const { response, error } of results) {
      if (response === null || response === undefined)
        throw new Error(`a task was not recorded: ${JSON.stringify(error)}`);
      tokens.push(response.token);
    }
  }
  return tokens;
}

/** A workflow in layers, in which each task follows all tasks of the layer before. Answers its id, its last task and that token. */
export async function recordDense(client: GrpcClient, layers: number, width: number) {
  const wid = randomUUID();
  let before: readonly string[] = [];
  for (let layer = 0; layer < layers; layer++) {
    const ids = Array.from({ length: width }, () => randomUUID());
    await record(
      client,
      ids.map((jti) => ({ jti, wid, pred: before })),
    );
    before = ids;
  }
  const last = randomUUID();
  const [token = ''] = await record(client, [{ jti: last, wid, pred: before }]);
  return { wid, last, token };
}
