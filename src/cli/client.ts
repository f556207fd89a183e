// Connects a command to the service: the options for the connection, and one HTTP/2 connection while the command runs.

import { readFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import { type Client, createClient, type Interceptor } from '@connectrpc/connect';
import { createGrpcTransport, type Http2SessionManager } from '@connectrpc/connect-node';
import { type Command, Option } from 'commander';
import { serverFault } from '../callers/server-id.ts';
import { fileFault } from '../files/system-faults.ts';
import { AdminService } from '../gen/ect/v1/admin_pb.ts';
import { AuthorityService } from '../gen/ect/v1/authority_pb.ts';
import { KeyService } from '../gen/ect/v1/keys_pb.ts';
import { LedgerService } from '../gen/ect/v1/ledger_pb.ts';
import { WrongUsage } from './exit.ts';
import { milliseconds, serviceUrl, socketPath, workloadId } from './values.ts';
import { WholeResponses } from './whole-responses.ts';

export interface ServiceOptions {
  readonly url: string;
  /** Files in PEM. */
  readonly ca?: string;
  readonly cert?: string;
  readonly certKey?: string;
  /** A file that contains a bearer token. */
  readonly tokenFile?: string;
  /** The expected SPIFFE ID of the service. */
  readonly serverId?: string;
  readonly timeout: number;
}

/** The clients of the services on one connection. */
export interface Service {
  readonly authority: Client<typeof AuthorityService>;
  readonly ledger: Client<typeof LedgerService>;
  readonly keys: Client<typeof KeyService>;
  readonly admin: Client<typeof AdminService>;
  /** Returns the text of a page, whatever its status; undefined if it cannot be read. */
  readPage(path: string): Promise<string | undefined>;
  close(): void;
}

/** The maximum size of a response: the limit of the service for batches, with room for what it adds. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

const MAX_PAGE_BYTES = 64 * 1024;

/** Adds the connection options. */
export function withService(command: Command): Command {
  return command
    .addOption(
      new Option('--url <url>', 'where the service listens')
        .env('ECT_URL')
        .default('http://127.0.0.1:8080')
        .argParser(serviceUrl),
    )
    .addOption(new Option('--ca <file>', 'PEM: trust this CA for the service').env('ECT_CA'))
    .addOption(new Option('--cert <file>', 'PEM: your own certificate, for mutual TLS').env('ECT_CERT'))
    .addOption(new Option('--cert-key <file>', 'PEM: the key of --cert').env('ECT_KEY'))
    .addOption(
      new Option('--token-file <file>', 'a JWT that proves who you are, read again for each call').env(
        'ECT_TOKEN_FILE',
      ),
    )
    .addOption(
      new Option('--server-id <id>', 'SPIFFE ID that the service must have, in the place of a DNS name')
        .env('ECT_SERVER_ID')
        .argParser(workloadId),
    )
    .addOption(
      new Option('--timeout <duration>', 'deadline of each call').default(10_000, '10s').argParser(milliseconds),
    );
}

/** Returns the clients. They connect when the first call is made. */
export function connect(options: ServiceOptions): Service {
  const tls = readTls(options);
  const { tokenFile } = options;
  if (tokenFile !== undefined) {
    rejectClearText(options.url);
    // A file that cannot be read is wrong usage here, but would be a failed call later.
    readToken(tokenFile);
  }
  const socket = socketPath(options.url);
  const baseUrl = socket === undefined ? options.url : 'http://localhost';
  const session = socket === undefined ? tls : { createConnection: () => connectSocket(socket) };
  const sessionManager = new WholeResponses(baseUrl, {}, session);
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager,
    defaultTimeoutMs: options.timeout,
    readMaxBytes: MAX_ANSWER_BYTES,
    interceptors: tokenFile === undefined ? [] : [bearing(tokenFile)],
  });
  return {
    authority: createClient(AuthorityService, transport),
    ledger: createClient(LedgerService, transport),
    keys: createClient(KeyService, transport),
    admin: createClient(AdminService, transport),
    readPage: (path) => readPage(sessionManager, `${new URL(baseUrl).pathname.replace(/\/$/, '')}${path}`, options),
    // An open connection does not keep the process alive, and its error listeners are still needed. Only a connection that is being
    // opened must be aborted.
    close: () => {
      if (sessionManager.state() === 'connecting') sessionManager.abort();
    },
  };
}

/** Rejects a plain-text connection with a bearer token, because anyone who sees the token can use it. */
function rejectClearText(url: string): void {
  if (socketPath(url) !== undefined) return;
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:' || /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname)) return;
  throw new WrongUsage(
    `${NAMES.tokenFile} needs a --url (ECT_URL) that begins with https://, or leads to this machine`,
  );
}

/** Sends the token that the file contains at the time of the call, so that it can be renewed. */
function bearing(path: string): Interceptor {
  return (next) => (request) => {
    request.header.set('authorization', `Bearer ${readToken(path)}`);
    return next(request);
  };
}

function readToken(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'latin1').trim();
  } catch (cause) {
    throw new WrongUsage(`${NAMES.tokenFile}: ${fileFault(path, cause)}`, { cause });
  }
  if (/^[A-Za-z0-9._~+/-]+=*$/.test(text)) return text;
  throw new WrongUsage(`${NAMES.tokenFile}: there is no bearer token in ${path}`);
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
      // To leave the loop ends the stream.
      if (bytes > MAX_PAGE_BYTES) return undefined;
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch {
    // A proxy in between may pass gRPC only.
    return undefined;
  }
}

/** The connection options, with their environment variables. */
const NAMES = {
  ca: '--ca (ECT_CA)',
  cert: '--cert (ECT_CERT)',
  key: '--cert-key (ECT_KEY)',
  serverId: '--server-id (ECT_SERVER_ID)',
  tokenFile: '--token-file (ECT_TOKEN_FILE)',
} as const;

function readTls({ url, ca, cert, certKey: key, serverId }: ServiceOptions): ConnectionOptions {
  const given = Object.entries({ ca, cert, key, serverId }).filter(([, value]) => value !== undefined);
  if (given.length > 0 && !url.startsWith('https:')) {
    const names = given.map(([name]) => NAMES[name as keyof typeof NAMES]).join(', ');
    throw new WrongUsage(`${names}: only with a --url (ECT_URL) that begins with https://`);
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new WrongUsage(`${NAMES.cert} and ${NAMES.key} are given together`);
  }
  const files = given.filter(([name]) => name !== 'serverId');
  const pems = Object.fromEntries(files.map(([name, path]) => [name, readPem(name, String(path))]));
  rejectMismatch(pems);
  if (serverId === undefined) return pems;
  // This replaces the comparison with the name in the URL. TLS has already verified the certificate chain.
  return { ...pems, checkServerIdentity: (_host, { raw }) => serverFault(raw, serverId) };
}

/** Rejects a certificate that does not match its key. The connection would fail with a message of OpenSSL that names no file. */
function rejectMismatch(pems: Readonly<Record<string, Buffer>>): void {
  try {
    createSecureContext(pems);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code !== 'ERR_OSSL_X509_KEY_VALUES_MISMATCH') return;
    throw new WrongUsage(`${NAMES.key} is not the key of the certificate in ${NAMES.cert}`, { cause });
  }
}

function readPem(name: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new WrongUsage(`${NAMES[name as keyof typeof NAMES]}: ${fileFault(path, cause)}`, { cause });
  }
}
