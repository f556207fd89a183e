// H33 H34: with the default settings no web page can have a token, or revoke a key.

import { expect, test } from 'vitest';
import { rawHttp1 } from '../support/rpc-clients.ts';
import { startService } from '../support/service-process.ts';

test('H33 H34 a page reaches the service on loopback by its own name, or from its own origin: it gets nothing', async () => {
  await using service = await startService({ ECT_ADMINS: 'anonymous' });
  const call = (method: string, headers: Record<string, string>, body = '{}') =>
    rawHttp1(service.url, {
      path: `/ect.v1.${method}`,
      headers: { 'content-type': 'application/json', ...headers },
      body: Buffer.from(body),
    });
  for (const method of ['AuthorityService/Issue', 'AdminService/RevokeKey']) {
    const rebound = await call(method, { host: 'evil.example:8080' });
    expect([rebound.status, rebound.body.toString()]).toEqual([403, expect.stringContaining('HOST_NOT_ALLOWED')]);
    const foreign = await call(method, { origin: 'https://evil.example' });
    expect([foreign.status, foreign.body.toString()]).toEqual([403, expect.stringContaining('ORIGIN_NOT_ALLOWED')]);
  }
  const honest = await call('AuthorityService/Issue', {}, '{"execAct":"a","aud":["urn:b"]}');
  expect([honest.status, honest.body.toString()]).toEqual([200, expect.stringContaining('token')]);
});

test('H34 ECT_ALLOWED_ORIGINS lets a page in, and any page may read the discovery document', async () => {
  const origin = 'https://console.example.org';
  await using service = await startService({ ECT_ALLOWED_ORIGINS: origin });
  const answer = await rawHttp1(service.url, {
    path: '/ect.v1.AuthorityService/Issue',
    headers: { 'content-type': 'application/json', origin },
    body: Buffer.from('{"execAct":"a","aud":["urn:b"]}'),
  });
  expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([200, origin]);
  for (const path of ['/.well-known/ect-authority', '/.well-known/jwks.json']) {
    const page = await rawHttp1(service.url, { method: 'GET', path, headers: { origin: 'https://evil.example' } });
    expect([page.status, page.headers['access-control-allow-origin']], path).toEqual([200, '*']);
  }
});
