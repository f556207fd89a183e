import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rawHttp1, rawHttp2 } from '../support/rpc-clients.ts';
import { startTestServer, type TestServer } from '../support/rpc-server.ts';

let running: TestServer;
let url: string;
let jwks = '{"keys":[{"kid":"a"}]}';
let isThere = true;
beforeAll(async () => {
  running = await startTestServer({
    jwks: () => jwks,
    ready: () => ({ ledger: isThere, signer: true }),
    pages: [
      { path: '/extra', read: () => ({ status: 200, contentType: 'text/plain', body: 'more', maxAgeSeconds: 0 }) },
      { path: '/broken', read: () => Promise.reject(new Error('hunter2')) },
    ],
  });
  url = running.server.url;
});
afterAll(() => running[Symbol.asyncDispose]());

const get = (path: string, headers = {}) => rawHttp1(url, { method: 'GET', path, headers });

describe('the pages beside the calls', () => {
  test('the key set is served byte for byte, with how long it may be kept', async () => {
    const answer = await get('/.well-known/jwks.json');
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/jwk-set+json');
    expect(answer.headers['cache-control']).toBe('public, max-age=300');
    expect(answer.body.toString()).toBe(jwks);
  });

  test('a caller that has the key set already gets 304, until it changes', async () => {
    const { etag } = (await get('/.well-known/jwks.json')).headers;
    const again = await get('/.well-known/jwks.json', { 'if-none-match': etag });
    expect([again.status, again.body.length]).toEqual([304, 0]);
    jwks = '{"keys":[{"kid":"b"}]}';
    expect((await get('/.well-known/jwks.json', { 'if-none-match': etag })).body.toString()).toBe(jwks);
  });

  test('the same over HTTP/2', async () => {
    const answer = await rawHttp2(url, { method: 'GET', path: '/.well-known/jwks.json?x=1' });
    expect([answer.status, answer.body.toString()]).toEqual([200, jwks]);
  });

  test('HEAD answers the headers of GET without its body', async () => {
    const answer = await rawHttp1(url, { method: 'HEAD', path: '/.well-known/jwks.json' });
    expect([answer.status, answer.headers['content-length'], answer.body.length]).toEqual([
      200,
      String(jwks.length),
      0,
    ]);
  });

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('%s is 405 and says what is allowed', async (method) => {
    const answer = await rawHttp1(url, { method, path: '/healthz' });
    expect([answer.status, answer.headers['allow']]).toEqual([405, 'GET, HEAD']);
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  test('H15: /readyz is 503 and names what is missing when a dependency is down; /healthz stays up', async () => {
    expect((await get('/readyz')).status).toBe(200);
    isThere = false;
    const answer = await get('/readyz');
    isThere = true;
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body.toString())).toEqual({
      ready: false,
      checks: { ledger: false, signer: true, accepting: true },
    });
    expect((await get('/healthz')).status).toBe(200);
  });

  test('/metrics is in the Prometheus text format', async () => {
    const answer = await get('/metrics');
    expect(answer.headers['content-type']).toContain('text/plain; version=0.0.4');
    expect(answer.body.toString()).toContain('# TYPE ect_calls_total counter');
  });

  test('further pages can be added', async () => {
    expect((await get('/extra')).body.toString()).toBe('more');
  });

  test('a page that fails is 500 with INTERNAL, and its cause stays here', async () => {
    const answer = await get('/broken');
    expect(answer.status).toBe(500);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ reason: 'INTERNAL' });
    expect(answer.body.toString()).not.toContain('hunter2');
    expect(running.lines.at(-1)).toMatchObject({ event: 'bug', method: '/broken' });
  });
});
