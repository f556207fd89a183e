// Rules for requests of browsers. Any web page can send requests to every address that its browser reaches, also to a service on
// loopback, and by DNS rebinding under the page's own name. Where callers need no identity, the page would be a caller.

import { isIPv4 } from 'node:net';
import { cors } from '@connectrpc/connect';
import { pathOf } from '../calls/method-table.ts';
import { EctError, reject } from '../errors.ts';

export interface BrowserOptions {
  /** Origins whose pages may call, as browsers write them. */
  readonly allowedOrigins: readonly string[];
  /**
   * Whether requests from pages of other origins are rejected. Otherwise they are served, and the browser hides the response from the
   * page.
   */
  readonly rejectsOthers: boolean;
  /** Host names, without ports, of the service besides those of loopback; undefined: any name. */
  readonly allowedHosts: readonly string[] | undefined;
}

/** Paths of public resources, which any page may read. */
export type IsOpenPage = (path: string) => boolean;

/** The parts of a request that identify the page that sent it. `host`: the authority. */
export interface BrowserRequest {
  readonly method: string | undefined;
  readonly target: string | undefined;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** Sec-Fetch-Site: how the origin of the page is related to the service. Browsers send it also when they send no origin. */
  readonly site: string | undefined;
  /** Access-Control-Request-Method: set if the request is a preflight. */
  readonly asksFor: string | undefined;
}

export type Fields = Readonly<Record<string, string>>;

export interface BrowserRules {
  /** Returns why a request is rejected; undefined if it is allowed. */
  judge(request: BrowserRequest): EctError | undefined;
  /** The header fields of the response to a preflight of an allowed origin; undefined if the request is no preflight. */
  preflight(request: BrowserRequest): Fields | undefined;
  /** The header fields that let the page read a response. */
  fieldsFor(origin: string | undefined): Fields;
}

/** How long a browser may cache a preflight, in seconds. */
const PREFLIGHT_AGE_SECONDS = '600';
const NO_FIELDS: Fields = {};

const HOST_NOT_ALLOWED = new EctError(reject('HOST_NOT_ALLOWED', 'the service is not reached under this name'));
const ORIGIN_NOT_ALLOWED = new EctError(reject('ORIGIN_NOT_ALLOWED', 'pages of this origin may not call'));

export function createBrowserRules(options: BrowserOptions, isOpenPage: IsOpenPage): BrowserRules {
  const { allowedHosts, rejectsOthers } = options;
  const origins = new Set(options.allowedOrigins);
  const hosts = allowedHosts === undefined ? undefined : new Set(allowedHosts.map(nameOf));
  /** The last accepted host: most requests name the same one. */
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
    // A cache must not use the response for one origin for another one.
    if (origin === undefined || !origins.has(origin)) return { vary: 'Origin' };
    return {
      vary: 'Origin',
      'access-control-allow-origin': origin,
      'access-control-expose-headers': cors.exposedHeaders.join(', '),
    };
  }

  return {
    judge: ({ host, origin, site, target }) => {
      // Browsers always send a host.
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
        // The list of Connect has no `Authorization`, which a page needs to send a bearer token.
        'access-control-allow-headers': [...cors.allowedHeaders, 'Authorization'].join(', '),
        'access-control-max-age': PREFLIGHT_AGE_SECONDS,
      };
    },
    fieldsFor,
  };
}

/** An image, script or link of a page sends requests without an origin. */
function isFromElsewhere(site: string | undefined): boolean {
  return site !== undefined && site !== 'none' && site !== 'same-origin';
}

/** The host of an authority, in lower case, without its port. */
function nameOf(authority: string): string {
  return authority
    .replace(/:\d{1,5}$/, '')
    .replace(/\.$/, '')
    .toLowerCase();
}

/** Hosts that no name server can redirect: addresses, and the names that RFC 6761 reserves for the machine. */
function isLoopbackName(name: string): boolean {
  const isName = /^(?:[a-z0-9-]+\.)*localhost$/.test(name);
  return isName || name === '[::1]' || (isIPv4(name) && name.startsWith('127.'));
}
