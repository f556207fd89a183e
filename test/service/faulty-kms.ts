// A KMS that is away, hangs, denies or throttles, and what a service that was started meanwhile serves.

import { createServer, type Server } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { type KmsDouble, startKmsDouble } from '../../kms-double/server.ts';
import { startTrialKms } from '../../kms-double/trial.ts';
import type { Issued } from '../interop/answers.ts';
import type { GrpcClient } from '../interop/grpc-js-client.ts';
import type { ServiceProcess } from '../support/service-process.ts';

export const AUTHORITY = 'ect.v1.AuthorityService';
export const AUDIENCE = 'urn:example:reviewer';

/** AWS KMS as the tests take it away and bring it back: the same keys at the same address. */
export class Kms {
  readonly settings: Readonly<Record<string, string>>;
  #double: KmsDouble;
  #deaf: Server | undefined;

  private constructor(double: KmsDouble, settings: Readonly<Record<string, string>>) {
    this.#double = double;
    this.settings = settings;
  }

  static async start(): Promise<Kms> {
    const { double, settings } = await startTrialKms();
    const kms = new Kms(double, { ...settings, ECT_LOG_LEVEL: 'debug' });
    onTestFinished(async () => {
      await kms.#double[Symbol.asyncDispose]();
      kms.#deaf?.close();
    });
    return kms;
  }

  get double(): KmsDouble {
    return this.#double;
  }

  /** Nobody listens: connections are rejected. */
  async leave(): Promise<void> {
    await this.#double[Symbol.asyncDispose]();
  }

  /** Connections are taken, and not a byte is answered. */
  async goDeaf(): Promise<void> {
    await this.leave();
    this.#deaf = createServer((socket) => socket.on('error', () => undefined));
    await new Promise<void>((resolve) => this.#deaf?.listen(this.#port, '127.0.0.1', resolve));
  }

  async comeBack(): Promise<void> {
    this.#double.script.clear();
    this.#deaf?.close();
    await this.leave();
    this.#double = await startKmsDouble({ port: this.#port, keys: this.#double.keys });
  }

  get #port(): number {
    return Number(new URL(this.#double.url).port);
  }
}

/** How KMS fails, and what a caller of Issue reads of it. */
export const FAULTS: Readonly<Record<string, readonly [(kms: Kms) => void | Promise<void>, RegExp]>> = {
  'rejects connections': [(kms) => kms.leave(), /ECONNREFUSED: it does not answer; check the network/],
  'accepts and never answers': [(kms) => kms.goDeaf(), /it does not answer; check the network/],
  'denies with AccessDeniedException': [
    ({ double }) => double.script.add({ kind: 'error', name: 'AccessDeniedException' }),
    /AccessDeniedException: allow kms:Sign, kms:GetPublicKey and kms:DescribeKey on the key/,
  ],
  'denies to sign only': [
    ({ double }) => double.script.add({ kind: 'error', name: 'AccessDeniedException' }, { operation: 'Sign' }),
    /AccessDeniedException: allow kms:Sign/,
  ],
  throttles: [
    ({ double }) => double.script.add({ kind: 'error', name: 'ThrottlingException' }),
    /ThrottlingException: it answers that it cannot now; check its health and the quota/,
  ],
};

export const issue = (client: GrpcClient, more = {}) =>
  client.call<Issued>(`${AUTHORITY}/Issue`, { exec_act: 'review', aud: [AUDIENCE], ...more });

export interface Rejected {
  readonly code: string;
  readonly message: string;
  readonly details: readonly { readonly type: string; readonly debug?: { readonly reason?: string } }[];
}

/** What Issue is rejected with, with the details that gRPC clients read too. */
export async function rejectionOf({ url }: ServiceProcess): Promise<Rejected> {
  const answer = await fetch(`${url}/${AUTHORITY}/Issue`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ execAct: 'review', aud: [AUDIENCE] }),
  });
  return (await answer.json()) as Rejected;
}

export async function readiness({ url }: ServiceProcess, client: GrpcClient) {
  const page = await fetch(`${url}/readyz`);
  const { methods } = (await page.json()) as { methods: Record<string, boolean> };
  const status = async (service: string) =>
    (await client.call<{ status: string }>('grpc.health.v1.Health/Check', { service })).status;
  return {
    page: page.status,
    issue: [methods[`${AUTHORITY}/Issue`], methods[`${AUTHORITY}/BatchIssue`], await status(`${AUTHORITY}/Issue`)],
    append: [methods[`${AUTHORITY}/AppendLedger`], await status('')],
  };
}

export const ALL = { page: 200, issue: [true, true, 'SERVING'], append: [true, 'SERVING'] };
export const ALL_BUT_ISSUE = { page: 200, issue: [false, false, 'NOT_SERVING'], append: [true, 'SERVING'] };

export interface KeySet {
  readonly keys: readonly { readonly kid: string }[];
}

export async function keySet({ url }: ServiceProcess): Promise<{ kids: readonly string[]; kept: string | null }> {
  const answer = await fetch(`${url}/.well-known/jwks.json`);
  const { keys } = (await answer.json()) as KeySet;
  return { kids: keys.map(({ kid }) => kid), kept: answer.headers.get('cache-control') };
}

export const sizeOf = async (client: GrpcClient) =>
  Number((await client.call<{ tree_size: string }>('ect.v1.LedgerService/GetCheckpoint', {})).tree_size);

/** The process of a worker sees what another recorded at its next look. */
export async function whole(service: ServiceProcess, client: GrpcClient, workers: number): Promise<void> {
  // Each worker answers for itself, and new connections reach one after the other.
  for (let inARow = 0; inARow < 4 * workers; await pause(20)) {
    const { issue: state } = await readiness(service, client);
    inARow = state[0] === true && state[2] === 'SERVING' ? inARow + 1 : 0;
  }
}

/** Waits until something is so. The test's own time limit ends it otherwise. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await pause(20);
}
