// Requests of web pages: under which names, from which origins, and the headers that their browsers get.

import * as http2 from 'node:http2';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { workload } from '../support/callers.ts';
import { type RawAnswer, type RawRequest, rawHttp1, rawHttp2, rawStream } from '../support/rpc-clients.ts';
import { startTestServer, type TestServer } from '../support/rpc-server.ts';

const GOOD = 'https://console.example.org';
const EVIL = 'https://evil.example';
const ISSUE = '/ect.v1.AuthorityService/Issue';
const JWKS = '/.well-known/jwks.json';

type Send = (url: string, request: RawRequest) => Promise<RawAnswer>;
/** A host, as each version of HTTP names it. */
const VERSIONS: readonly [name: string, send: Send, host: (name: string) => Record<string, string>][] = [
  ['HTTP/1.1', rawHttp1, (host) => ({ host })],
  ['HTTP/2', rawHttp2, (host) => ({ ':authority': host })],
];

let closed: TestServer;
let open: TestServer;
beforeAll(async () => {
  closed = await startTestServer({
    browsers: { allowedOrigins: [], rejectsOthers: true, allowedHosts: ['ect.internal.'] },
  });
  open = await startTestServer({
    browsers: { allowedOrigins: [GOOD], rejectsOthers: true, allowedHosts: undefined },
    identify: () => workload('spiffe://example.com/a'),
  });
});
afterAll(async () => {
  await closed[Symbol.asyncDispose]();
  await open[Symbol.asyncDispose]();
});

const json = (headers: Record<string, string>, path = ISSUE): RawRequest => ({
  path,
  headers: { 'content-type': 'application/json', ...headers },
  body: Buffer.from('{"execAct":"a"}'),
});
const reasonOf = ({ body }: RawAnswer) => /[A-Z]+_NOT_ALLOWED/.exec(body.toString())?.[0];

describe.each(VERSIONS)('over %s', (_, send, host) => {
  describe('H33: the name under which the service is reached', () => {
    test.each([
      'evil.example:8080',
      'evil.example',
      'localhost.evil.example',
      'evil/.localhost',
      'evil, x.localhost',
      'evil@x.localhost',
      '.localhost',
      '192.0.2.1:8080',
      '127.0.0.1.evil.example',
    ])('a call to %s is rejected before anything else', async (name) => {
      const before = closed.seen.length;
      const answer = await send(closed.server.url, json(host(name)));
      expect([answer.status, reasonOf(answer)]).toEqual([403, 'HOST_NOT_ALLOWED']);
      expect(closed.seen.length).toBe(before);
    });

    test('so is a page, with 421', async () => {
      const answer = await send(closed.server.url, { method: 'GET', path: JWKS, headers: host('evil.example') });
      expect([answer.status, reasonOf(answer)]).toEqual([421, 'HOST_NOT_ALLOWED']);
    });

    test.each([
      'localhost:8080',
      'LOCALHOST',
      'a.localhost',
      '127.0.0.1:9',
      '127.8.9.10',
      '[::1]:80',
      'ect.internal',
      'ECT.internal.:443',
    ])('%s is the service itself', async (name) => {
      expect((await send(closed.server.url, json(host(name)))).status).toBe(200);
    });
  });

  describe('H34: the page behind a request', () => {
    test.each([EVIL, 'null', 'http://console.example.org', `${GOOD}:8443`, `${GOOD}.evil.example`])(
      'a call of a page of %s is rejected',
      async (origin) => {
        for (const { server } of [closed, open]) {
          const answer = await send(server.url, json({ origin }));
          expect([answer.status, reasonOf(answer)]).toEqual([403, 'ORIGIN_NOT_ALLOWED']);
          expect(answer.headers['access-control-allow-origin']).toBeUndefined();
        }
      },
    );

    test.each(['cross-site', 'same-site'])(
      'what a page sends without an origin is rejected where it is %s',
      async (site) => {
        const path = '/ect.v1.KeyService/GetKeySet?connect=v1&encoding=json&message=%7B%7D';
        const get = (from: string) =>
          send(closed.server.url, {
            method: 'GET',
            path,
            headers: { 'sec-fetch-site': from, 'sec-fetch-mode': 'no-cors' },
          });
        expect(reasonOf(await get(site))).toBe('ORIGIN_NOT_ALLOWED');
        expect(reasonOf(await get('none'))).toBeUndefined();
        expect(reasonOf(await get('same-origin'))).toBeUndefined();
        const page = await send(closed.server.url, { method: 'GET', path: JWKS, headers: { 'sec-fetch-site': site } });
        expect(page.status).toBe(200);
      },
    );

    test('a page of an allowed origin may read what it is answered', async () => {
      const answer = await send(open.server.url, json({ origin: GOOD }));
      expect(answer.status).toBe(200);
      expect(answer.headers).toMatchObject({ 'access-control-allow-origin': GOOD, vary: 'Origin' });
      expect(answer.headers['access-control-expose-headers']?.toLowerCase()).toContain('grpc-status-details-bin');
    });

    test('and why it is rejected', async () => {
      const answer = await send(open.server.url, json({ origin: GOOD }, '/ect.v1.AdminService/ListKeys'));
      expect(answer.status).toBe(403);
      expect(answer.headers['access-control-allow-origin']).toBe(GOOD);
      const unknown = await send(open.server.url, json({ origin: GOOD }, '/ect.v1.KeyService/Nothing'));
      expect([unknown.status, unknown.headers['access-control-allow-origin']]).toEqual([501, GOOD]);
    });

    test('its preflight is answered without a certificate or a body', async () => {
      const preflight = (origin: string) =>
        send(open.server.url, {
          method: 'OPTIONS',
          path: ISSUE,
          headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-grpc-web' },
        });
      const answer = await preflight(GOOD);
      expect([answer.status, answer.body.length]).toEqual([204, 0]);
      expect(answer.headers).toMatchObject({ 'access-control-allow-origin': GOOD, 'access-control-max-age': '600' });
      expect(answer.headers['access-control-allow-headers']?.toLowerCase()).toContain('x-grpc-web');
      expect(answer.headers['access-control-allow-headers']).toContain('Authorization');
      expect(answer.headers['access-control-allow-methods']).toContain('POST');
      const evil = await preflight(EVIL);
      expect([evil.status, evil.headers['access-control-allow-origin']]).toEqual([403, undefined]);
    });

    test('a cache keeps the answers for pages apart', async () => {
      expect((await send(open.server.url, json({}))).headers['vary']).toBe('Origin');
      expect((await send(closed.server.url, json({}))).headers['vary']).toBeUndefined();
    });

    test('what is public may be read by any page', async () => {
      const answer = await send(closed.server.url, { method: 'GET', path: JWKS, headers: { origin: EVIL } });
      expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([200, '*']);
      const allowed = await send(open.server.url, { method: 'GET', path: JWKS, headers: { origin: GOOD } });
      expect([allowed.status, allowed.headers['access-control-allow-origin']]).toEqual([200, '*']);
      const metrics = await send(closed.server.url, { method: 'GET', path: '/metrics', headers: { origin: EVIL } });
      expect(metrics.status).toBe(403);
    });
  });
});

test('H34: where callers prove who they are a foreign page is not rejected, and cannot read what it is answered', async () => {
  await using proven = await startTestServer({
    browsers: { allowedOrigins: [], rejectsOthers: false, allowedHosts: undefined },
  });
  const answer = await rawHttp1(proven.server.url, json({ origin: EVIL, host: 'mesh.example.com' }));
  expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([200, undefined]);
});

test('H34: plain gRPC that names a foreign page is rejected in its own words', async () => {
  const { headers } = await rawHttp2(closed.server.url, {
    path: ISSUE,
    headers: { 'content-type': 'application/grpc', te: 'trailers', origin: EVIL },
    body: Buffer.alloc(5),
  });
  expect(headers['grpc-status']).toBe(String(Code.PermissionDenied));
});

test('H33 H17: a connection that goes on under a foreign name is read more slowly', async () => {
  await using flooded = await startTestServer({
    browsers: { allowedOrigins: [], rejectsOthers: true, allowedHosts: [] },
  });
  const session = http2.connect(flooded.server.url);
  const throttled = async () =>
    /ect_limit_met_total\{limit="rejections"\} (\d+)/.exec(await flooded.events.metrics())?.[1];
  for (let round = 0; round < 3; round++) {
    const requests = Array.from({ length: 50 }, () => rawStream(session, json({ ':authority': 'evil.example' })));
    for (const { status } of await Promise.all(requests)) expect(status).toBe(403);
  }
  expect(Number(await throttled())).toBeGreaterThan(0);
  session.destroy();
});
