// The process from its start to its end: how it stops, what it keeps, what it warns of.

import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { status as codes } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import type { Issued, Recorded } from '../interop/answers.ts';
import { CallError, dial } from '../interop/grpc-js-client.ts';
import { FULL } from '../support/full.ts';
import { runMain, startService } from '../support/service-process.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const AUDIENCE = 'urn:example:reviewer';

describe('stopping', () => {
  test('L17 SIGTERM under load: calls in flight are answered, new ones are rejected with UNAVAILABLE, and it exits with 0', async () => {
    await using service = await startService();
    using client = dial(service.address);
    let answered = 0;
    let stopped: Promise<number | string> | undefined;
    const refusals: CallError[] = [];
    // Each caller goes on until it is rejected, so there is load when the signal comes and after it.
    const caller = async () => {
      for (;;) {
        try {
          await client.call(`${AUTHORITY}/Issue`, { exec_act: 'review', aud: [AUDIENCE], level: 'LEVEL_L3' });
          answered += 1;
          if (answered === 100) stopped = service.stop();
        } catch (error) {
          if (!(error instanceof CallError)) throw error;
          refusals.push(error);
          return;
        }
      }
    };
    await Promise.all(Array.from({ length: 50 }, caller));
    expect(await stopped).toBe(0);
    expect(new Set(refusals.map(({ code }) => codes[code]))).toEqual(new Set(['UNAVAILABLE']));

    // Whatever the service says that it answered has reached its caller.
    const calls = service.events('call');
    expect(calls.filter(({ code }) => code === 'OK')).toHaveLength(answered);
    const rejected = calls.filter(({ code }) => code !== 'OK');
    for (const call of rejected) expect(call).toMatchObject({ code: 'UNAVAILABLE', reason: 'SERVICE_DRAINING' });
    expect(service.events('draining')).toHaveLength(1);
    expect(service.events('stopped')).toEqual([expect.objectContaining({ cut: 0 })]);
    expect(service.events('bug')).toEqual([]);
  });

  test('L17 tokens that left before their entries: a stop writes every entry first', async () => {
    await using service = await startService();
    const order = { exec_act: 'review', aud: [AUDIENCE], level: 'LEVEL_L3', record_mode: 'RECORD_MODE_ASYNC' };
    let issued: readonly Issued[] = [];
    {
      using client = dial(service.address);
      const calls = Array.from({ length: 200 }, () => client.call<Issued>(`${AUTHORITY}/Issue`, order));
      issued = await Promise.all(calls);
      expect(await service.stop()).toBe(0);
    }
    await service.restart();
    using client = dial(service.address);
    for (const { claims, token } of issued) {
      const { entry } = await client.call<Recorded>('ect.v1.LedgerService/GetEntry', { task: { jti: claims.jti } });
      expect(entry.task.token).toBe(token);
    }
  });

  test('L17 a health watch ends with SERVICE_DRAINING and does not hold the process', async () => {
    await using service = await startService();
    using client = dial(service.address);
    const watch = client.stream('grpc.health.v1.Health/Watch', {});
    const ended = new Promise<CallError>((resolve) => {
      watch.on('error', (error) => resolve(client.readError(error as never)));
    });
    await new Promise((resolve) => watch.once('data', resolve));
    expect(await service.stop()).toBe(0);
    expect(await ended).toMatchObject({ code: codes.UNAVAILABLE, reason: 'SERVICE_DRAINING' });
  });
});

test('L17 a connection that first sends after the signal gets GOAWAY, and does not hold the process', async () => {
  await using service = await startService();
  const { hostname, port } = new URL(service.url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  // Its answer shows that the connection before it was taken too.
  await fetch(`${service.url}/healthz`);
  const stopped = service.stop();
  while (service.events('draining').length === 0) await pause(10);
  const session = connectHttp2(service.url, { createConnection: () => socket });
  await once(session, 'close');
  expect(await stopped).toBe(0);
  expect(service.events('stopped')).toEqual([expect.objectContaining({ cut: 0 })]);
});

describe('starting again', () => {
  test('continues the same tree under the same keys, and R8 remembers what was used and what was asked', async () => {
    await using service = await startService();
    const before = dial(service.address);
    const issue = { exec_act: 'review', aud: [AUDIENCE], request_id: 'job-1' };
    const issued = await before.call<Issued>(`${AUTHORITY}/Issue`, issue);
    const recorded = await before.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token: issued.token });
    const verify = { token: issued.token, audience: AUDIENCE, request_id: 'the-first-call-of-this-test' };
    const verdict = await before.call(`${AUTHORITY}/Verify`, verify);
    const keys = await before.call('ect.v1.KeyService/GetKeySet', {});
    before[Symbol.dispose]();
    expect(await service.stop()).toBe(0);
    await service.restart();

    using after = dial(service.address);
    expect(await after.call('ect.v1.KeyService/GetKeySet', {})).toEqual(keys);
    expect(await after.call(`${AUTHORITY}/Issue`, issue)).toMatchObject({ token: issued.token });
    expect(await after.call(`${AUTHORITY}/Verify`, { ...verify, request_id: '' })).toMatchObject({
      finding: { reason: 'ERROR_REASON_TOKEN_REPLAYED' },
    });
    expect(await after.call(`${AUTHORITY}/Verify`, verify)).toEqual(verdict);
    const again = await after.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token: issued.token });
    expect(again).toMatchObject({ duplicate: true, entry: recorded.entry, receipt: recorded.receipt });
    const next = await after.call<Issued>(`${AUTHORITY}/Issue`, {
      exec_act: 'approve',
      aud: [AUDIENCE],
      level: 'LEVEL_L3',
      pred: [issued.claims.jti],
    });
    expect(next).toMatchObject({ kid: issued.kid, receipt: { inclusion: { leaf_index: '3', tree_size: '4' } } });
  });
});

test('S10 a start with a wrong configuration is rejected: every mistake at once, by name, no value, exit code 2', async () => {
  const secret = 'c2VjcmV0-not-to-be-shown';
  const { code, stdout, stderr } = await runMain(['serve'], {
    ECT_LISTEN: secret,
    ECT_STORE: secret,
    ECT_ISSUER: `${secret} ${secret}`,
    ECT_TLS_CERT: secret,
    ECT_DEFAULT_EXPIRY_MIN: secret,
    ECT_LOG_LEVEL: secret,
    ECT_SINGER: secret,
  });
  expect(code).toBe(2);
  expect(stdout).toBe('');
  const named = ['ECT_LISTEN', 'ECT_STORE', 'ECT_ISSUER', 'ECT_TLS_KEY', 'ECT_DEFAULT_EXPIRY_MIN', 'ECT_LOG_LEVEL'];
  for (const key of [...named, 'ECT_SINGER']) expect(stderr).toMatch(new RegExp(`^ {2}.*\\b${key}\\b`, 'm'));
  expect(stderr).toContain('7 mistakes');
  expect(stderr).not.toContain(secret);
});

test.each(FULL ? ['1', '2'] : ['2'])(
  'ECT_CERT, a setting of the client, is warned of once, with %s worker(s)',
  async (workers) => {
    await using service = await startService({ ECT_CERT: 'c.pem', ECT_KEY: 'k.pem', ECT_WORKERS: workers });
    expect(service.events('settings-doubtful')).toEqual([
      expect.objectContaining({
        level: 'warn',
        warning: expect.stringContaining('ECT_CERT (for the service: ECT_TLS_CERT)'),
      }),
    ]);
  },
);

test('ECT_ALLOW_ANONYMOUS=yes serves, and warns at every start', async () => {
  await using service = await startService({ ECT_ALLOW_ANONYMOUS: 'yes' });
  await service.stop();
  await service.restart();
  using client = dial(service.address);
  await client.call(`${AUTHORITY}/Issue`, { exec_act: 'review', aud: [AUDIENCE] });
  expect(service.events('anonymous-open')).toEqual([
    expect.objectContaining({ level: 'warn' }),
    expect.objectContaining({ level: 'warn', address: service.url }),
  ]);
});
