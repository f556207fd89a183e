// How a command reaches the service: the options that name it, and one HTTP/2 connection for as long as the command runs.

import { readFileSync } from 'node:fs';
import { type Client, createClient } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { type Command, Option } from 'commander';
import { AuthorityService } from '../gen/ect/v1/authority_pb.ts';
import { KeyService } from '../gen/ect/v1/keys_pb.ts';
import { LedgerService } from '../gen/ect/v1/ledger_pb.ts';
import { fileFault } from '../system-faults.ts';
import { WrongUsage } from './exit.ts';
import { httpUrl, milliseconds } from './values.ts';

export interface ServiceOptions {
  readonly url: string;
  /** Files with PEM. */
  readonly ca?: string;
  readonly cert?: string;
  readonly certKey?: string;
  readonly timeout: number;
}

/** The three services behind one connection. */
export interface Service {
  readonly authority: Client<typeof AuthorityService>;
  readonly ledger: Client<typeof LedgerService>;
  readonly keys: Client<typeof KeyService>;
  /** The text of one of its pages, whatever its status; undefined where it cannot be read. */
  readPage(path: string): Promise<string | undefined>;
  close(): void;
}

/** Largest answer that is read: the service's own limit for batches, with room for what it adds. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

const MAX_PAGE_BYTES = 64 * 1024;

/** Adds the options that name a service. */
export function withService(command: Command): Command {
  return command
    .addOption(
      new Option('--url <url>', 'where the service listens')
        .env('ECT_URL')
        .default('http://127.0.0.1:8080')
        .argParser(httpUrl),
    )
    .addOption(new Option('--ca <file>', 'PEM: trust this CA for the service').env('ECT_CA'))
    .addOption(new Option('--cert <file>', 'PEM: your own certificate, for mutual TLS').env('ECT_CERT'))
    .addOption(new Option('--cert-key <file>', 'PEM: the key of --cert').env('ECT_KEY'))
    .addOption(
      new Option('--timeout <duration>', 'deadline of each call').default(10_000, '10s').argParser(milliseconds),
    );
}

/** Connects lazily: nothing is sent before the first call. */
export function connect(options: ServiceOptions): Service {
  const tls = readTls(options);
  const sessionManager = new Http2SessionManager(options.url, {}, tls);
  const transport = createGrpcTransport({
    baseUrl: options.url,
    sessionManager,
    defaultTimeoutMs: options.timeout,
    readMaxBytes: MAX_ANSWER_BYTES,
  });
  return {
    authority: createClient(AuthorityService, transport),
    ledger: createClient(LedgerService, transport),
    keys: createClient(KeyService, transport),
    readPage: (path) => readPage(sessionManager, `${new URL(options.url).pathname.replace(/\/$/, '')}${path}`, options),
    // A connection that stands keeps no process alive, and one that is failing still needs its listeners: only one that
    // is not there yet has to be given up.
    close: () => {
      if (sessionManager.state() === 'connecting') sessionManager.abort();
    },
  };
}

async function readPage(
  connection: Http2SessionManager,
  path: string,
  { timeout }: ServiceOptions,
): Promise<string | undefined> {
  try {
    const stream = await connection.request('GET', path, {}, {});
    stream.setTimeout(timeout, () => stream.destroy(new Error('no answer')));
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of stream) {
      chunks.push(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      // Leaving the loop ends the stream.
      if (bytes > MAX_PAGE_BYTES) return undefined;
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch {
    // What is between may pass on gRPC alone.
    return undefined;
  }
}

function readTls({ url, ca, cert, certKey: key }: ServiceOptions): Record<'ca' | 'cert' | 'key', Buffer> | object {
  const files = Object.entries({ ca, cert, key }).filter((entry) => entry[1] !== undefined);
  if (files.length > 0 && !url.startsWith('https:')) {
    throw new WrongUsage('--ca, --cert and --cert-key need a --url that begins with https://');
  }
  if ((cert === undefined) !== (key === undefined)) throw new WrongUsage('--cert and --cert-key are given together');
  return Object.fromEntries(files.map(([name, path]) => [name, readPem(name, String(path))]));
}

function readPem(name: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new WrongUsage(`--${name === 'key' ? 'cert-key' : name}: ${fileFault(path, cause)}`, { cause });
  }
}
