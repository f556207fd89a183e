// A double of AWS KMS over real HTTP: it checks signatures of requests, keeps keys with their states, signs, and fails as it
// is told to. One server stands for every region: a request says for which one it was signed.

import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type Fault, Script } from './faults.ts';
import { type KmsKey, KmsKeys } from './keys.ts';
import { KmsError } from './kms-error.ts';
import { type Fields, perform, readMessage } from './operations.ts';
import { signHigh, signOther } from './signature.ts';
import { authenticate, type Credentials } from './sigv4.ts';

export interface KmsDoubleOptions {
  /** Default 0: any free port. */
  readonly port?: number;
  /** Default: some that are nobody's. */
  readonly credentials?: Credentials;
  /** How long every answer takes, in milliseconds. */
  readonly delayMs?: number;
  /** Requests in any second and region, above which they are throttled. */
  readonly requestsPerSecond?: number;
  /** Those of a double that was stopped; default: none yet. */
  readonly keys?: KmsKeys;
}

/** A request that was authenticated. */
interface Request {
  readonly operation: string;
  readonly region: string;
  readonly fields: Fields;
}

export interface KmsDouble extends AsyncDisposable {
  /** `http://127.0.0.1:40123`. */
  readonly url: string;
  readonly credentials: Credentials;
  readonly keys: KmsKeys;
  readonly script: Script;
  /** How many requests of an operation came, failed ones included. */
  count(operation: string): number;
  /** The most requests that were open at once. */
  mostAtOnce(): number;
}

const CONTENT_TYPE = 'application/x-amz-json-1.1';
const MAX_BODY_BYTES = 64 * 1024;
const TARGET = /^TrentService\.([A-Za-z]+)$/;
/** Nobody's: these open nothing anywhere. */
export const CREDENTIALS: Credentials = { accessKeyId: 'AKIDDOUBLE', secretAccessKey: 'not-a-secret' };

/** Starts a double on loopback. Dispose it to stop it. */
export async function startKmsDouble(options: KmsDoubleOptions = {}): Promise<KmsDouble> {
  const keys = options.keys ?? new KmsKeys();
  const script = new Script();
  const credentials = options.credentials ?? CREDENTIALS;
  const counts = new Map<string, number>();
  const recent = new Map<string, number[]>();
  let open = 0;
  let most = 0;

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(incoming);
    const operation = TARGET.exec(String(incoming.headers['x-amz-target']))?.[1] ?? '';
    counts.set(operation, (counts.get(operation) ?? 0) + 1);
    const region = authenticate({ method: incoming.method ?? '', headers: incoming.headers, body }, credentials);
    if (operation === '') throw new KmsError('UnknownOperationException');
    const request = { operation, region, fields: readFields(body) };
    throttle(region);
    await answer(request, script.next(operation, region), response);
  }

  function throttle(region: string): void {
    if (options.requestsPerSecond === undefined) return;
    const now = performance.now();
    const times = (recent.get(region) ?? []).filter((time) => time > now - 1000);
    if (times.length >= options.requestsPerSecond) throw new KmsError('ThrottlingException');
    recent.set(region, [...times, now]);
  }

  async function answer(request: Request, fault: Fault | undefined, response: ServerResponse): Promise<void> {
    const delayMs = fault?.kind === 'delay' ? fault.ms : (options.delayMs ?? 0);
    if (delayMs > 0) await pause(delayMs, undefined, { ref: false });
    switch (fault?.kind) {
      case 'hang':
        return;
      case 'stall':
        response.writeHead(200, { 'content-type': CONTENT_TYPE, 'content-length': 100 }).flushHeaders();
        return;
      case 'reset':
        response.socket?.resetAndDestroy();
        return;
      case 'lost':
        perform(request.operation, keys, request.region, request.fields);
        response.socket?.resetAndDestroy();
        return;
      case 'error':
        throw new KmsError(fault.name);
      case 'page':
        write(response, fault.status, fault.body, fault.type);
        return;
      default: {
        const document = perform(request.operation, keys, request.region, request.fields);
        write(response, 200, JSON.stringify({ ...document, ...changes(request, fault) }));
      }
    }
  }

  function changes({ region, fields }: Request, fault: Fault | undefined): Fields {
    if (fault?.kind === 'answer') return fault.members;
    if (fault?.kind !== 'high-s' && fault?.kind !== 'other-digest') return {};
    const key: KmsKey = keys.find(region, String(fields['KeyId']));
    const sign = fault.kind === 'high-s' ? signHigh : signOther;
    return { Signature: sign(key, readMessage(fields)).toString('base64') };
  }

  const server = createServer((incoming, response) => {
    most = Math.max(most, ++open);
    response.once('close', () => open--);
    serve(incoming, response).catch((error: unknown) => {
      if (incoming.destroyed && !incoming.complete) return; // the client has gone in the middle of its request
      if (!(error instanceof KmsError)) throw error;
      write(response, error.status, error.body);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: options.port ?? 0 }, resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials,
    keys,
    script,
    count: (operation) => counts.get(operation) ?? 0,
    mostAtOnce: () => most,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new KmsError('ValidationException');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function readFields(body: Buffer): Fields {
  try {
    const fields: unknown = JSON.parse(body.toString());
    if (typeof fields === 'object' && fields !== null) return fields as Fields;
  } catch {
    // Rejected below, as anything else that is no object.
  }
  throw new KmsError('ValidationException');
}

function write(response: ServerResponse, status: number, body: string, type = CONTENT_TYPE): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'x-amzn-requestid': randomUUID(),
  });
  response.end(body);
}
