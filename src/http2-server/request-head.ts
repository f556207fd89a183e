// Checks the headers of a request by the rules of HTTP/2 (RFC 9113, section 8). A malformed list must not be served, because other
// readers may interpret it differently.

import type { HeaderList } from './hpack.ts';

/** The headers of a request. It may be shared by all calls with the same header block. */
export interface RequestHead {
  readonly list: HeaderList;
  readonly method: string;
  readonly path: string;
  /** The announced length of the body, if any. */
  readonly contentLength: number | undefined;
  /** The list is larger than the limit. The request must be rejected. */
  readonly isTooLarge: boolean;
}

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** No NUL, line feed or carriage return, and no space at either end. */
const VALUE = /^(?![ \t])[^\0\r\n]*(?<![ \t])$/;
/** Fields of an HTTP/1.1 connection. */
const CONNECTION_FIELDS = new Set(['connection', 'proxy-connection', 'keep-alive', 'transfer-encoding', 'upgrade']);
const PSEUDO_FIELDS = [':method', ':scheme', ':path', ':authority'];

/** Reads the headers of a request; `undefined` if they are malformed. */
export function readRequestHead(list: HeaderList, isTooLarge: boolean): RequestHead | undefined {
  const pseudo = new Map<string, string>();
  let at = 0;
  for (; list[at]?.startsWith(':'); at += 2) {
    const name = list[at]!;
    if (!PSEUDO_FIELDS.includes(name) || pseudo.has(name) || !VALUE.test(list[at + 1]!)) return undefined;
    pseudo.set(name, list[at + 1]!);
  }
  if (!areFields(list, at)) return undefined;
  const method = pseudo.get(':method');
  const path = pseudo.get(':path');
  const isComplete = method !== undefined && pseudo.has(':scheme') && path !== undefined && /^(?:\/|\*$)/.test(path);
  // CONNECT has other rules and is not supported.
  if (!isComplete || method === 'CONNECT') return undefined;
  if (!isHostSound(list, pseudo.get(':authority'))) return undefined;
  const contentLength = readContentLength(list);
  if (contentLength === 'malformed') return undefined;
  return { list, method, path, contentLength, isTooLarge };
}

/** Whether there is at most one `host`, equal to `:authority`: two readers must not see two hosts. */
function isHostSound(list: HeaderList, authority: string | undefined): boolean {
  let host: string | undefined;
  for (let at = 0; at < list.length; at += 2) {
    if (list[at] !== 'host') continue;
    const value = list[at + 1]!;
    if (host !== undefined || value === '') return false;
    host = value;
  }
  return host === undefined || authority === undefined || host.toLowerCase() === authority.toLowerCase();
}

function readContentLength(list: HeaderList): number | undefined | 'malformed' {
  const value = headerOf({ list }, 'content-length');
  if (value === undefined) return undefined;
  return /^\d{1,15}$/.test(value) ? Number(value) : 'malformed';
}

/** Whether these are valid trailers: fields only. */
export function areTrailers(list: HeaderList): boolean {
  return areFields(list, 0);
}

/** The value of a header; several are joined as in HTTP. */
export function headerOf({ list }: Pick<RequestHead, 'list'>, name: string): string | undefined {
  let value: string | undefined;
  for (let at = 0; at < list.length; at += 2) {
    if (list[at] === name) value = value === undefined ? list[at + 1]! : `${value}, ${list[at + 1]!}`;
  }
  return value;
}

const NO_VALUES: readonly string[] = [];

/** The values of a header field, in order. `ignoresCase`: the names in the list may have capital letters. */
export function valuesOf(list: HeaderList, name: string, ignoresCase = false): readonly string[] {
  let values: string[] | undefined;
  for (let at = 0; at < list.length; at += 2) {
    const found = list[at]!;
    if (found !== name && !(ignoresCase && found.toLowerCase() === name)) continue;
    values ??= [];
    values.push(list[at + 1]!);
  }
  return values ?? NO_VALUES;
}

function areFields(list: HeaderList, from: number): boolean {
  for (let at = from; at < list.length; at += 2) {
    const name = list[at]!;
    const value = list[at + 1]!;
    if (!NAME.test(name) || !VALUE.test(value) || CONNECTION_FIELDS.has(name)) return false;
    if (name === 'te' && value !== 'trailers') return false;
  }
  return true;
}
