import { Code, createClient, type Transport } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import { Health, HealthCheckResponse_ServingStatus as Status } from '../../src/gen/grpc/health/v1/health_pb.ts';
import { failureOf, grpcJsClient, transports } from '../support/rpc-clients.ts';
import { startTestServer } from '../support/rpc-server.ts';

function healthClient(url: string, protocol = 'gRPC over HTTP/2') {
  return createClient(Health, transports(url)[protocol] as Transport);
}

describe('H15: grpc.health.v1', () => {
  test('Check answers for the whole server and for each service', async () => {
    await using running = await startTestServer();
    const client = healthClient(running.server.url);
    for (const service of ['', 'ect.v1.AuthorityService', 'ect.v1.KeyService']) {
      expect((await client.check({ service })).status).toBe(Status.SERVING);
    }
  });

  test('Check of an unknown service is NOT_FOUND', async () => {
    await using running = await startTestServer();
    const failure = await failureOf(healthClient(running.server.url).check({ service: 'nope' }));
    expect(failure.code).toBe(Code.NotFound);
    expect(failure.info?.reason).toBe('SERVICE_UNKNOWN');
  });

  test('List names every service with its status', async () => {
    await using running = await startTestServer();
    const { statuses } = await healthClient(running.server.url).list({});
    const serving = { status: Status.SERVING };
    expect(statuses).toMatchObject({
      '': serving,
      'ect.v1.AuthorityService': serving,
      'ect.v1.KeyService': serving,
      'ect.v1.AdminService': serving,
    });
    expect(Object.keys(statuses)).toHaveLength(4);
  });

  test('a dependency that is down makes every service NOT_SERVING, for Check and for those who watch', async () => {
    let isThere = true;
    await using running = await startTestServer({ ready: () => ({ ledger: isThere }) });
    const client = healthClient(running.server.url);
    const watched = client.watch({ service: 'ect.v1.AuthorityService' })[Symbol.asyncIterator]();
    expect((await watched.next()).value?.status).toBe(Status.SERVING);
    isThere = false;
    expect((await watched.next()).value?.status).toBe(Status.NOT_SERVING);
    expect((await client.check({})).status).toBe(Status.NOT_SERVING);
    isThere = true;
    expect((await watched.next()).value?.status).toBe(Status.SERVING);
    await watched.return?.();
  });

  test('a method that needs more is known by its name, and is down without the rest', async () => {
    let canSign = true;
    const issue = 'ect.v1.AuthorityService/Issue';
    await using running = await startTestServer({ methodsReady: { [issue]: () => canSign } });
    const client = healthClient(running.server.url);
    const readyz = async () => (await fetch(`${running.server.url}/readyz`)).json();
    expect((await client.check({ service: issue })).status).toBe(Status.SERVING);
    expect(await readyz()).toMatchObject({ ready: true, methods: { [issue]: true } });
    canSign = false;
    expect((await client.check({ service: issue })).status).toBe(Status.NOT_SERVING);
    for (const service of ['', 'ect.v1.AuthorityService']) {
      expect((await client.check({ service })).status).toBe(Status.SERVING);
    }
    expect(await readyz()).toMatchObject({ ready: true, methods: { [issue]: false } });
    expect((await client.list({})).statuses).toMatchObject({ [issue]: { status: Status.NOT_SERVING } });
  });

  test('Watch of an unknown service returns SERVICE_UNKNOWN and continues', async () => {
    await using running = await startTestServer();
    const abort = new AbortController();
    const answers = healthClient(running.server.url).watch({ service: 'nope' }, { signal: abort.signal });
    const watched = answers[Symbol.asyncIterator]();
    expect((await watched.next()).value?.status).toBe(Status.SERVICE_UNKNOWN);
    abort.abort();
    await expect(watched.next()).rejects.toMatchObject({ code: Code.Canceled });
  });

  test.each(['gRPC over HTTP/2', 'gRPC-Web over HTTP/1.1', 'Connect over HTTP/1.1', 'Connect over HTTP/2'])(
    'L17: a watch over %s hears NOT_SERVING when the service drains, and ends with SERVICE_DRAINING',
    async (protocol) => {
      await using running = await startTestServer({ watchIntervalMs: 3_600_000 });
      const watched = healthClient(running.server.url, protocol).watch({})[Symbol.asyncIterator]();
      expect((await watched.next()).value?.status).toBe(Status.SERVING);
      const drained = running.server.drain(10_000);
      expect((await watched.next()).value?.status).toBe(Status.NOT_SERVING);
      const failure = await failureOf(watched.next());
      expect(failure.code).toBe(Code.Unavailable);
      expect(failure.info?.reason).toBe('SERVICE_DRAINING');
      await drained;
      expect(running.lines.at(-1)).toMatchObject({ event: 'stopped', cut: 0 });
    },
  );

  test('a grpc-js client with its own loader understands it', async () => {
    await using running = await startTestServer();
    const client = grpcJsClient(running.server.url.replace('http://', ''), 'grpc.health.v1.Health');
    const answer = await new Promise((resolve, reject) => {
      client['Check']?.({ service: '' }, {}, (error, found) => (error === null ? resolve(found) : reject(error)));
    });
    client.close();
    expect(answer).toEqual({ status: Status.SERVING });
  });
});
