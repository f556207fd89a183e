// A service of several workers as its callers, its metrics and the operating system see it.

import { readFile } from 'node:fs/promises';
import { expect, vi } from 'vitest';
import type { Issued } from '../interop/answers.ts';
import { dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import type { ServiceProcess } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';
import { Witness } from './witness.ts';

export const AUTHORITY = 'ect.v1.AuthorityService';
export const AUDIENCE = 'urn:example:reviewer';
export const TWO = { ECT_WORKERS: '2' };
/** The key is announced, and made active. */
export const KEY_ENTRIES = 2;

/** Channels with a connection each: the supervisor hands them to its workers in turn. */
export function dialAll(
  service: ServiceProcess,
  count: number,
): Disposable & { readonly clients: readonly GrpcClient[] } {
  const clients = Array.from({ length: count }, () => dial(service.address));
  return {
    clients,
    [Symbol.dispose]: () => {
      for (const client of clients) client[Symbol.dispose]();
    },
  };
}

export async function issueTokens(client: GrpcClient, count: number): Promise<readonly string[]> {
  const items = Array.from({ length: count }, () => ({ request: { exec_act: 'review', aud: [AUDIENCE] } }));
  const answer = await client.call<{ results: readonly { response: Issued }[] }>(`${AUTHORITY}/BatchIssue`, { items });
  return answer.results.map(({ response }) => response.token);
}

export async function witnessOf(client: GrpcClient): Promise<Witness> {
  const keys = await client.call<{ ledger_verifier_key: string }>('ect.v1.KeyService/GetKeySet', {});
  return new Witness(keys.ledger_verifier_key);
}

/** The process ids of the workers. */
export async function workersOf({ pid }: ServiceProcess): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

/** Whether a process runs. One that nobody has waited for (state Z) does not. */
async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat !== '' && !stat.slice(stat.lastIndexOf(')')).startsWith(') Z');
}

export async function haveEnded(pids: readonly number[]): Promise<boolean> {
  return !(await Promise.all(pids.map(isRunning))).includes(true);
}

export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  await vi.waitFor(async () => expect(await holds(), what).toBe(true), SOON);
}

/** The samples of a metric, from whichever worker takes the connection, by their labels. */
export async function readMetric({ url }: ServiceProcess, name: string): Promise<ReadonlyMap<string, number>> {
  const answer = await fetch(`${url}/metrics`, { headers: { connection: 'close' } });
  expect(answer.status).toBe(200);
  const lines = (await answer.text())
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return new Map(lines.map((line) => [line.slice(name.length, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

export const ISSUED = '{method="ect.v1.AuthorityService/Issue",code="OK",reason=""}';

/** A worker that is too busy to answer is shown as it was before, so the newest value may come later. */
export async function untilMetric(service: ServiceProcess, name: string, labels: string, value: number): Promise<void> {
  await vi.waitFor(async () => expect((await readMetric(service, name)).get(labels)).toBe(value), SOON);
}
