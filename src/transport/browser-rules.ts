// What a browser may do here. A web page that somebody happens to open can send requests to whatever its browser reaches, also to
// a service on loopback, and by DNS rebinding under the page's own name: where callers prove nothing it would be a caller.

import { isIPv4 } from 'node:net';
import { cors } from '@connectrpc/connect';
import { pathOf } from '../calls/method-table.ts';
import { EctError, reject } from '../errors.ts';

export interface BrowserOptions {
  /** Origins whose pages may call, as browsers spell them. */
  readonly allowedOrigins: readonly string[];
  /** Whether pages of other origins are rejected. Otherwise their browsers keep the responses from them, and nothing more. */
  readonly rejectsOthers: boolean;
  /** Names, without ports, under which the service is reached beside those of loopback; undefined: any name. */
  readonly allowedHosts: readonly string[] | undefined;
}

/** What is public, and may be read by any page. */
export type IsOpenPage = (path: string) => boolean;

/** What of a request says which page is behind it. `host`: the authority. */
export interface BrowserRequest {
  readonly method: string | undefined;
  readonly target: string | undefined;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** Sec-Fetch-Site: how the page and the service are related. Browsers send it also where they send no origin. */
  readonly site: string | undefined;
  /** Access-Control-Request-Method: the request is a preflight. */
  readonly asksFor: string | undefined;
}

export type Fields = Readonly<Record<string, string>>;

export interface BrowserRules {
  /** Returns why a request is rejected; undefined where it may go on. */
  judge(request: BrowserRequest): EctError | undefined;
  /** The fields that answer a preflight of an allowed origin; undefined where the request is none. */
  preflight(request: BrowserRequest): Fields | undefined;
  /** The fields with which a response may be read by the page that asked for it. */
  fieldsFor(origin: string | undefined): Fields;
}

/** For how long a browser may remember a preflight, in seconds. */
const PREFLIGHT_AGE_SECONDS = '600';
const NO_FIELDS: Fields = {};

const HOST_NOT_ALLOWED = new EctError(reject('HOST_NOT_ALLOWED', 'the service is not reached under this name'));
const ORIGIN_NOT_ALLOWED = new EctError(reject('ORIGIN_NOT_ALLOWED', 'pages of this origin may not call'));

export function createBrowserRules(options: BrowserOptions, isOpenPage: IsOpenPage): BrowserRules {
  const { allowedHosts, rejectsOthers } = options;
  const origins = new Set(options.allowedOrigins);
  const hosts = allowedHosts === undefined ? undefined : new Set(allowedHosts.map(nameOf));
  /** Most requests name the host that the one before named. */
  let lastAllowed: string | undefined;

  function isHostAllowed(host: string): boolean {
    if (hosts === undefined || host === lastAllowed) return true;
    const name = nameOf(host);
    if (!isLoopbackName(name) && !hosts.has(name)) return false;
    lastAllowed = host;
    return true;
  }

  function fieldsFor(origin: string | undefined): Fields {
    if (origins.size === 0) return NO_FIELDS;
    // A cache must not give the response for one origin to another.
    if (origin === undefined || !origins.has(origin)) return { vary: 'Origin' };
    return {
      vary: 'Origin',
      'access-control-allow-origin': origin,
      'access-control-expose-headers': cors.exposedHeaders.join(', '),
    };
  }

  return {
    judge: ({ host, origin, site, target }) => {
      // Browsers always name a host.
      if (host !== undefined && !isHostAllowed(host)) return HOST_NOT_ALLOWED;
      if (!rejectsOthers || (origin === undefined ? !isFromElsewhere(site) : origins.has(origin))) return undefined;
      return isOpenPage(pathOf(target)) ? undefined : ORIGIN_NOT_ALLOWED;
    },
    preflight: ({ method, origin, asksFor }) => {
      if (method !== 'OPTIONS' || asksFor === undefined || origin === undefined || !origins.has(origin))
        return undefined;
      return {
        ...fieldsFor(origin),
        'access-control-allow-methods': cors.allowedMethods.join(', '),
        // Of the service's own: a page of these origins may send a bearer token.
        'access-control-allow-headers': [...cors.allowedHeaders, 'Authorization'].join(', '),
        'access-control-max-age': PREFLIGHT_AGE_SECONDS,
      };
    },
    fieldsFor,
  };
}

/** An image, a script or a link of a page needs no origin to send a request. */
function isFromElsewhere(site: string | undefined): boolean {
  return site !== undefined && site !== 'none' && site !== 'same-origin';
}

/** The name or address of an authority, in lower case, without its port. */
function nameOf(authority: string): string {
  return authority
    .replace(/:\d{1,5}$/, '')
    .replace(/\.$/, '')
    .toLowerCase();
}

/** What no name server can make point elsewhere: addresses, and the names that RFC 6761 keeps on the machine. */
function isLoopbackName(name: string): boolean {
  const isName = /^(?:[a-z0-9-]+\.)*localhost$/.test(name);
  return isName || name === '[::1]' || (isIPv4(name) && name.startsWith('127.'));
}
