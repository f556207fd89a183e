// Loads the keys of an issuer from its source: a file, a URL, or a document with the URL. Every URL is the operator's own, or comes from
// such a document; none comes from a token.

import { type Content, loadGroup } from '../reload/index.ts';
import { type JsonObject, parseStrictObject } from '../token/index.ts';
import { type DocumentOptions, type DocumentRequest, fetchDocument, MAX_KEY_SET_BYTES, urlFault } from './document.ts';
import type { LoadedSource } from './issuer.ts';
import { type KeySetContent, KeySetFault, readKeySet } from './key-set.ts';

/** The JWK Set of a trust domain in the SPIFFE Workload API; undefined: it has none. Rejects while the API is unavailable. */
export type ReadBundle = (trustDomain: string) => Promise<Uint8Array | undefined>;

export interface LoadOptions extends DocumentOptions {
  /** Undefined: no Workload API is configured. */
  readonly readBundle?: ReadBundle | undefined;
}

/** Loads the keys of `iss`. KeySetFault or DocumentFault if there are none. */
export async function loadKeySet(iss: string, source: LoadedSource, options: LoadOptions = {}): Promise<KeySetContent> {
  // A trust domain publishes its keys as a bundle.
  const isBundle = iss.startsWith('spiffe://');
  if (source.kind === 'jwks_file') return readKeySet(await readSmallFile(source.place), isBundle);
  if (source.kind === 'workload_api') return readWorkloadBundle(source.place, options.readBundle);
  return readKeySet(await fetchKeySet(iss, source, options), isBundle);
}

/** Keys that the agent removes are no longer trusted; other sources keep their last keys. */
async function readWorkloadBundle(trustDomain: string, readBundle: ReadBundle | undefined): Promise<KeySetContent> {
  if (readBundle === undefined) throw new KeySetFault('only the running service asks the SPIFFE Workload API');
  const bytes = await readBundle(trustDomain);
  if (bytes === undefined)
    return { keys: [], problems: ['the SPIFFE Workload API names no bundle of this trust domain'] };
  // A federated trust domain determines its own bundle.
  if (bytes.length > MAX_KEY_SET_BYTES) throw new KeySetFault(`the bundle is larger than ${MAX_KEY_SET_BYTES} bytes`);
  return readKeySet(Buffer.from(bytes), true);
}

/** Reads the local files of a source, and fetches nothing. KeySetFault if one cannot be used. */
export async function readLocalFiles(iss: string, source: LoadedSource): Promise<void> {
  if (source.kind === 'workload_api') return;
  await (source.kind === 'jwks_file' ? loadKeySet(iss, source) : requestOf(new URL(source.place), source));
}

async function fetchKeySet(iss: string, source: LoadedSource, options: DocumentOptions): Promise<Buffer> {
  const first = await requestOf(new URL(source.place), source);
  if (source.kind === 'jwks_uri') return fetchDocument(first, options);
  const url = keySetUrl(iss, source, await fetchDocument(first, options));
  return fetchDocument(requestFrom(first, url), options);
}

/**
 * The request for the URL in a document: the secret of its server goes to no other.
 *
 * @internal Exported because the rule is tested by itself.
 */
export function requestFrom(first: DocumentRequest, url: URL): DocumentRequest {
  return { ...first, url, authorization: url.origin === first.url.origin ? first.authorization : undefined };
}

async function requestOf(url: URL, { network, caFile, tokenFile }: LoadedSource): Promise<DocumentRequest> {
  const ca = caFile === undefined ? undefined : (await readSmallFile(caFile)).toString('utf8');
  const token = tokenFile === undefined ? undefined : (await readSmallFile(tokenFile)).toString('latin1').trim();
  if (token !== undefined && !/^[!-~]{1,8192}$/.test(token))
    throw new KeySetFault('the file of token_file holds no token');
  return { url, network, ca, authorization: token === undefined ? undefined : `Bearer ${token}` };
}

/** The URL of the key set in a discovery document (OpenID Connect Discovery 1.0, 4.3), or in that of another authority. */
function keySetUrl(iss: string, { kind, place, network }: LoadedSource, bytes: Buffer): URL {
  const document = readDocument(bytes, kind);
  if (document['issuer'] !== iss) throw new KeySetFault(`the issuer in the document of ${kind} is not iss`);
  const text = document['jwks_uri'];
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw new KeySetFault(`the document of ${kind} has no jwks_uri`);
  const fault = urlFault(url, network);
  if (fault !== undefined) throw new KeySetFault(`the jwks_uri in the document of ${kind} is rejected: ${fault}`);
  // An issuer must not direct this service to other servers of its network.
  if (network !== 'public' && url.origin !== new URL(place).origin) {
    throw new KeySetFault(
      `the jwks_uri in the document of ${kind} is of another server, which network ${network} does not allow: ` +
        'name the URL of the key set as jwks_uri instead',
    );
  }
  return url;
}

function readDocument(bytes: Buffer, kind: string): JsonObject {
  const parsed = parseStrictObject(bytes.toString('utf8'));
  if (parsed.ok) return parsed.value;
  throw new KeySetFault(`the document of ${kind} is not strict JSON: ${parsed.fault}`);
}

async function readSmallFile(path: string): Promise<Buffer> {
  const parse = ([content]: readonly Content[]) => {
    if (content !== undefined && 'bytes' in content) return content.bytes;
    throw new KeySetFault(`the file cannot be read (${content?.code ?? 'unknown'}): ${path}`);
  };
  return (await loadGroup({ name: 'trust', paths: [path], parse })).value;
}
