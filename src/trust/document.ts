// Fetches one small JSON document from a server that the operator named: HTTPS, no redirects, and limits on everything that the server
// controls. The response is attacker-controlled as far as its issuer is.

import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { isAllowedAddress, type Network } from './addresses.ts';

/** Why there is no document, as a message for the operator. It quotes nothing of a response. */
class DocumentFault extends Error {
  override readonly name = 'DocumentFault';
}

export interface DocumentRequest {
  readonly url: URL;
  readonly network: Network;
  /** PEM: the CAs of the server; undefined: those of Node.js. */
  readonly ca?: string | undefined;
  /** The value of the header `authorization`. A secret. */
  readonly authorization?: string | undefined;
}

/** Returns all addresses of a host. */
export type Resolve = (
  host: string,
  answer: (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[]) => void,
) => void;

export interface DocumentOptions {
  /** Default: the resolver of the system. */
  readonly resolve?: Resolve;
  /** The timeout for everything: resolving, connecting, TLS, and reading to the end. */
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
  /** Aborts the request. */
  readonly signal?: AbortSignal;
}

const TIMEOUT_MS = 5_000;
export const MAX_KEY_SET_BYTES = 256 * 1024;
const CONTENT_TYPES: ReadonlySet<string> = new Set(['application/json', 'application/jwk-set+json']);

/** Why a URL may not be fetched; undefined if it may. */
export function urlFault({ protocol, username, password, hash, hostname }: URL, network: Network): string | undefined {
  const isPlain = protocol === 'http:' && network === 'loopback';
  if (protocol !== 'https:' && !isPlain) return 'it must begin with https://';
  if (username !== '' || password !== '') return 'it must not have a user or a password';
  if (hash !== '') return 'it must not have a fragment';
  const address = hostname.replace(/^\[|\]$/g, '');
  if (isIP(address) !== 0 && !isAllowedAddress(address, network)) return addressRule(network);
  return undefined;
}

function addressRule(network: Network): string {
  if (network === 'loopback') return 'with network loopback it must lead to a loopback address';
  const others = network === 'public' ? ' (network: private allows private networks)' : '';
  return `it must not lead to a loopback, link-local, metadata or reserved address${others}`;
}

/** Fetches a document. Throws only DocumentFault, whatever the server does. */
export async function fetchDocument(request: DocumentRequest, options: DocumentOptions = {}): Promise<Buffer> {
  const fault = urlFault(request.url, request.network);
  if (fault !== undefined) throw new DocumentFault(`${request.url.origin} is rejected: ${fault}`);
  const { timeoutMs = TIMEOUT_MS, maxBytes = MAX_KEY_SET_BYTES, signal } = options;
  const timeout = AbortSignal.timeout(timeoutMs);
  const ended = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  try {
    const response = await open(request, options.resolve ?? resolveBySystem, ended);
    // Also ends the connection if the response was not read to its end.
    try {
      demandJson(response);
      return await readUpTo(response, maxBytes);
    } finally {
      response.destroy();
    }
  } catch (cause) {
    const where = request.url.origin;
    if (timeout.aborted) throw new DocumentFault(`${where} did not answer within ${timeoutMs} ms`, { cause });
    if (cause instanceof DocumentFault) throw new DocumentFault(`${where}: ${cause.message}`, { cause });
    throw new DocumentFault(`${where} cannot be read (${codeOf(cause)})`, { cause });
  }
}

function codeOf(cause: unknown): string {
  const { code, name } = cause as NodeJS.ErrnoException;
  return code ?? name;
}

function open(request: DocumentRequest, resolve: Resolve, signal: AbortSignal): Promise<IncomingMessage> {
  const { url, network, ca, authorization } = request;
  const options: RequestOptions & { ca?: string } = {
    // A separate connection, which ends with the response.
    agent: false,
    headers: {
      accept: [...CONTENT_TYPES].join(', '),
      // A compressed response may expand without limit; it is rejected below.
      'accept-encoding': 'identity',
      connection: 'close',
      ...(authorization === undefined ? {} : { authorization }),
    },
    lookup: guardedLookup(network, resolve),
    signal,
    ...(ca === undefined ? {} : { ca }),
  };
  const { promise, resolve: answer, reject } = Promise.withResolvers<IncomingMessage>();
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const sent: ClientRequest = send(url, options, answer);
  // Stays as long as the connection: an error after the response needs a listener.
  sent.on('error', reject);
  sent.end();
  return promise;
}

/**
 * Resolves a name, and returns only permitted addresses: the connection goes to a checked address, whatever the name resolves to later.
 * One address that is not permitted rejects all of them.
 */
function guardedLookup(network: Network, resolve: Resolve): LookupFunction {
  return (host, { all }, callback) =>
    resolve(host, (error, addresses) => {
      if (error !== null) return callback(error, []);
      const [first] = addresses;
      if (first === undefined) callback(new DocumentFault('its name has no address'), []);
      else if (!addresses.every(({ address }) => isAllowedAddress(address, network))) {
        callback(new DocumentFault(`it is rejected: ${addressRule(network)}`), []);
      } else if (all === true) callback(null, [...addresses]);
      else callback(null, first.address, first.family);
    });
}

function resolveBySystem(host: string, answer: Parameters<Resolve>[1]): void {
  systemLookup(host, { all: true }, answer);
}

function demandJson({ statusCode = 0, headers }: IncomingMessage): void {
  if (statusCode >= 300 && statusCode < 400) {
    throw new DocumentFault(
      `it answers with a redirect (${statusCode}), which is not followed: configure the final URL`,
    );
  }
  if (statusCode !== 200) throw new DocumentFault(`it answers with status ${statusCode}`);
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (!CONTENT_TYPES.has(type)) throw new DocumentFault('the content-type of its answer is not application/json');
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity') throw new DocumentFault('its answer is compressed, which was not asked for');
}

async function readUpTo(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = () => new DocumentFault(`its answer is larger than ${maxBytes} bytes`);
  if (Number(response.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  if (!response.complete) throw new DocumentFault('its answer ends before it is complete');
  return Buffer.concat(chunks);
}
