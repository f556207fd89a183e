// The pages over plain HTTP: the key set, the probes and the metrics.

import { createHash } from 'node:crypto';
import { createAsyncIterable, type UniversalServerResponse } from '@connectrpc/connect/protocol';
import type { Page, PageContent } from '../api/page.ts';
import { EctError, reject } from '../errors.ts';
import { asResponse, problem } from './rejections.ts';
import type { RoutedRequest } from './routed-request.ts';

export interface StandardPages {
  /** The JWK Set document, byte for byte. */
  readonly jwks: () => string;
  /** How many seconds the JWK Set may be cached from now on. */
  readonly jwksMaxAgeSeconds: () => number;
  /** The dependencies of calls, each with whether it is available. */
  readonly ready: () => Readonly<Record<string, boolean>>;
  /** Methods with further dependencies, each with whether they are available. They do not affect the readiness of the instance. */
  readonly methods: Readonly<Record<string, () => boolean>>;
  /** Metrics in the Prometheus text format. */
  readonly metrics: () => Promise<string>;
}

const JSON_TYPE = 'application/json';
/** Writing the metrics takes milliseconds: all requests within this time get the same ones. */
const METRICS_AGE_MS = 100;

/** The pages that every instance has. */
export function standardPages({ jwks, jwksMaxAgeSeconds, ready, methods, metrics }: StandardPages): readonly Page[] {
  const readMetrics = readAtMostEvery(metrics, METRICS_AGE_MS);
  return [
    {
      path: '/.well-known/jwks.json',
      isOpen: true,
      read: () => ({
        status: 200,
        contentType: 'application/jwk-set+json',
        body: jwks(),
        maxAgeSeconds: jwksMaxAgeSeconds(),
      }),
    },
    {
      path: '/healthz',
      read: () => ({ status: 200, contentType: JSON_TYPE, body: '{"alive":true}\n', maxAgeSeconds: 0 }),
    },
    { path: '/readyz', read: () => readiness(ready(), methods) },
    {
      path: '/metrics',
      read: async () => ({
        status: 200,
        contentType: 'text/plain; version=0.0.4; charset=utf-8',
        body: await readMetrics(),
        maxAgeSeconds: 0,
      }),
    },
  ];
}

function readiness(
  checks: Readonly<Record<string, boolean>>,
  methods: Readonly<Record<string, () => boolean>>,
): PageContent {
  const ready = Object.values(checks).every(Boolean);
  const states = Object.entries(methods).map(([name, isReady]) => [name, isReady()]);
  const extra = states.length === 0 ? {} : { methods: Object.fromEntries(states) };
  const body = `${JSON.stringify({ ready, checks, ...extra })}\n`;
  return { status: ready ? 200 : 503, contentType: JSON_TYPE, body, maxAgeSeconds: 0 };
}

/** Serves a page: GET and HEAD, and 304 to a client that has the current version. */
export async function readPage(page: Page, { method, header }: RoutedRequest): Promise<UniversalServerResponse> {
  if (method !== 'GET' && method !== 'HEAD') {
    const rejected = asResponse(
      problem(
        405,
        new EctError({ ...reject('REQUEST_MALFORMED', 'this page is read by GET or HEAD'), remedy: 'Read it by GET.' }),
      ),
    );
    rejected.header?.set('allow', 'GET, HEAD');
    return rejected;
  }
  const { status, contentType, body, maxAgeSeconds } = await page.read();
  const { etag, bytes } = prepared(page, body);
  const isKnown = status === 200 && knows(header.get('if-none-match') ?? undefined, etag);
  const headers = new Headers({
    'cache-control': maxAgeSeconds > 0 ? `public, max-age=${maxAgeSeconds}` : 'no-store',
    etag,
    'x-content-type-options': 'nosniff',
    ...(page.isOpen === true ? { 'access-control-allow-origin': '*' } : {}),
  });
  if (isKnown) return { status: 304, header: headers };
  headers.set('content-type', contentType);
  headers.set('content-length', String(bytes.length));
  if (method === 'HEAD') return { status, header: headers };
  return { status, header: headers, body: createAsyncIterable([bytes]) };
}

interface Prepared {
  readonly body: string;
  readonly etag: string;
  readonly bytes: Buffer;
}

/** The last response of each page, shared by all requests. */
const lastAnswers = new WeakMap<Page, Prepared>();

function prepared(page: Page, body: string): Prepared {
  const last = lastAnswers.get(page);
  if (last?.body === body) return last;
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  const answer = { body, etag, bytes: Buffer.from(body) };
  lastAnswers.set(page, answer);
  return answer;
}

/** Calls the function at most once in this time, and once for all concurrent requests. */
function readAtMostEvery<T>(read: () => Promise<T>, maxAgeMs: number): () => Promise<T> {
  let latest: Promise<T> | undefined;
  let since = 0;
  return () => {
    const now = performance.now();
    if (latest === undefined || now - since > maxAgeMs) {
      since = now;
      latest = read();
      // Only the waiting requests get the failure; later requests try again.
      latest.catch(() => {
        latest = undefined;
      });
    }
    return latest;
  };
}

/** Whether a client has this version: RFC 9110, 13.1.2, by the weak comparison. */
function knows(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag);
}
