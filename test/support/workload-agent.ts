// An agent with a SPIFFE Workload API, for tests: gRPC by another implementation than the service's, over a Unix socket.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type GrpcObject,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServerWritableStream,
  type ServiceClientConstructor,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { Certificate, CertificateAuthority } from './certificates.ts';

const PROTO = fileURLToPath(new URL('../../proto/spiffe/workload.proto', import.meta.url));

/** One X.509-SVID as the agent sends it. */
export interface SentSvid {
  readonly spiffeId: string;
  readonly x509Svid: Uint8Array;
  readonly x509SvidKey: Uint8Array;
  readonly bundle: Uint8Array;
  readonly hint?: string;
}

export interface SentX509 {
  readonly svids: readonly SentSvid[];
  readonly crl?: readonly Uint8Array[];
  readonly federatedBundles?: Readonly<Record<string, Uint8Array>>;
}

type Stream = ServerWritableStream<unknown, unknown>;

/** What a stream of one kind gets: its messages, or that its client has no identity. */
class Channel {
  readonly #streams = new Set<Stream>();
  #last: unknown;
  #code: status | undefined;

  readonly serve = (stream: Stream): void => {
    const isAsked = stream.metadata.get('workload.spiffe.io').join() === 'true';
    const code = isAsked ? this.#code : status.INVALID_ARGUMENT;
    if (code !== undefined) {
      reject(stream, code);
      return;
    }
    this.#streams.add(stream);
    stream.once('close', () => this.#streams.delete(stream));
    stream.once('cancelled', () => this.#streams.delete(stream));
    if (this.#last !== undefined) stream.write(this.#last);
  };

  send(message: unknown): void {
    this.#code = undefined;
    this.#last = message;
    for (const stream of this.#streams) stream.write(message);
  }

  reject(code: status): void {
    this.#code = code;
    for (const stream of this.#streams) reject(stream, code);
    this.#streams.clear();
  }

  get open(): number {
    return this.#streams.size;
  }
}

function reject(stream: Stream, code: status): void {
  stream.emit('error', { code, details: 'no identity issued' });
}

export class WorkloadAgent implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ect-agent-'));
  readonly path = join(this.#folder, 'agent.sock');
  readonly address = `unix://${this.path}`;
  readonly x509 = new Channel();
  readonly jwt = new Channel();
  #server: Server | undefined;

  /** Listens, also after a stop. Sends the last message to each new stream. */
  async start(): Promise<void> {
    const loaded = loadPackageDefinition(loadSync(PROTO, { keepCase: false })) as GrpcObject;
    const { service } = loaded['SpiffeWorkloadAPI'] as ServiceClientConstructor;
    const server = new Server({ 'grpc.max_send_message_length': -1 });
    server.addService(service, { FetchX509SVID: this.x509.serve, FetchJWTBundles: this.jwt.serve });
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(this.address, ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
    this.#server = server;
  }

  /** Ends as a crash would: streams are cut. */
  stop(): void {
    this.#server?.forceShutdown();
    this.#server = undefined;
    rmSync(this.path, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Converts certificates in PEM into the form in which an agent sends them: concatenated DER. */
export function derOf(pem: string): Buffer {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return Buffer.concat(blocks.map((block) => new X509Certificate(block).raw));
}

export function sentSvid(
  spiffeId: string,
  { cert, key }: Certificate,
  authority: Pick<CertificateAuthority, 'cert'>,
  hint = '',
): SentSvid {
  return {
    spiffeId,
    x509Svid: derOf(cert),
    x509SvidKey: createPrivateKey(key).export({ format: 'der', type: 'pkcs8' }),
    bundle: derOf(authority.cert),
    hint,
  };
}
