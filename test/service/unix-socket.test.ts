// A5: a service on a Unix socket: who may connect, who they are, and what is in the way of the socket.

import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { afterAll, describe, expect, test } from 'vitest';
import { AuthorityService } from '../../src/gen/ect/v1/authority_pb.ts';
import { failureOf } from '../support/rpc-clients.ts';
import { runMain, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

const AGENT = 'spiffe://example.org/agent';
const order = { execAct: 'review_spec', aud: ['urn:example:reviewer'] };

describe('a service on a Unix socket', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ect-unix-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const place = (name: string) => join(folder, name);

  const clientAt = (path: string, opened: Socket[] = []) => {
    const createConnection = () => {
      const socket = connect(path);
      opened.push(socket);
      return socket;
    };
    return createClient(
      AuthorityService,
      createGrpcTransport({ baseUrl: 'http://localhost', nodeOptions: { createConnection } }),
    );
  };
  const rejectionOf = async (path: string, settings: Record<string, string> = {}) =>
    (await runMain(['serve'], { ECT_LISTEN: `unix:${path}`, ECT_STORE: 'memory', ...settings })).stderr;

  test('A5 callers are anonymous, and the socket is for its owner alone', async () => {
    const path = place('plain.sock');
    await using service = await startService({ ECT_LISTEN: `unix:${path}` });
    expect(service.url).toBe(`unix:${path}`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const { claims } = await clientAt(path).issue(order);
    expect(claims?.iss).toBe('urn:ect:dev');
    const { code, stdout } = await runMain(['checkpoint', '--url', service.url]);
    expect({ code, stdout }).toMatchObject({ code: 0 });
    await service.stop();
    expect(() => statSync(path)).toThrow('ENOENT');
  });

  test('A5 callers are the workload of ECT_UNIX_CALLER, and no other', async () => {
    const path = place('caller.sock');
    await using service = await startService({
      ECT_LISTEN: `unix://${path}`,
      ECT_UNIX_MODE: '660',
      ECT_UNIX_CALLER: AGENT,
      ECT_ADMINS: AGENT,
    });
    expect(statSync(path).mode & 0o777).toBe(0o660);
    expect((await clientAt(path).issue(order)).claims?.iss).toBe(AGENT);
    const other = clientAt(path).issue({ ...order, iss: 'spiffe://example.org/other' });
    expect((await failureOf(other)).info?.reason).toBe('ISSUER_NOT_ALLOWED');
    const first = () => service.events('call').at(0);
    await expect.poll(first, SOON).toMatchObject({ caller: AGENT, proof: 'unix', by: path });
  });

  test('A5 its connections are not counted by address: they have none, and all of them would be one', async () => {
    const path = place('many.sock');
    await using _service = await startService({
      ECT_LISTEN: `unix:${path}`,
      ECT_STORE: 'memory',
      ECT_MAX_CONNECTIONS: '20',
      ECT_MAX_CONNECTIONS_PER_ADDRESS: '1',
    });
    const opened: Socket[] = [];
    const clients = Array.from({ length: 10 }, () => clientAt(path, opened));
    for (const client of [...clients, ...clients]) expect((await client.issue(order)).token).toContain('.');
    expect(opened).toHaveLength(clients.length);
    expect(opened.map(({ destroyed }) => destroyed)).not.toContain(true);
  });

  test('A5 a proxy on the socket says for whom it calls', async () => {
    const path = place('proxy.sock');
    await using _service = await startService({
      ECT_LISTEN: `unix:${path}`,
      ECT_UNIX_CALLER: 'spiffe://example.org/envoy',
      ECT_FORWARDED_BY: 'spiffe://example.org/envoy',
    });
    const headers = { 'x-forwarded-client-cert': `URI=${AGENT}` };
    expect((await clientAt(path).issue(order, { headers })).claims?.iss).toBe(AGENT);
    expect((await failureOf(clientAt(path).issue(order))).info?.reason).toBe('CALLER_UNTRUSTED');
  });

  test('A5 a socket that a crash left behind is replaced; one that somebody listens on, or another file, is not', async () => {
    const path = place('left.sock');
    await using service = await startService({ ECT_LISTEN: `unix:${path}` });
    await service.kill();
    expect(statSync(path).isSocket()).toBe(true);
    await service.restart();
    expect((await clientAt(path).issue(order)).token).toContain('.');
    expect(await rejectionOf(path)).toContain('another process listens there');
    expect((await clientAt(path).issue(order)).token).toContain('.');

    writeFileSync(place('file'), 'precious');
    expect(await rejectionOf(place('file'))).toContain('no socket');
    expect(statSync(place('file')).size).toBe(8);
    expect(await rejectionOf(join(folder, 'missing', 'ect.sock'))).toContain(join(folder, 'missing'));
    mkdirSync(place('open'));
    chmodSync(place('open'), 0o777);
    expect(await rejectionOf(join(folder, 'open', 'ect.sock'))).toContain('everybody may write');
  });

  test('A5 a process that begins to listen while the service starts keeps its socket', async () => {
    const path = place('raced.sock');
    // Who only looks whether somebody listens resets the connection.
    const other = createServer((socket) => socket.on('error', () => undefined).end('other'));
    // The keys of a foreign issuer are asked for late in a start: by then the place of the socket was looked at.
    const issuer = createHttpServer((_, response) => {
      if (other.listening) response.writeHead(500).end();
      else other.listen(path, () => response.writeHead(500).end());
    });
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
    const iss = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
    const trust = place('trust.json');
    const entry = { iss, jwks_uri: `${iss}/jwks`, fetch: { network: 'loopback' } };
    writeFileSync(trust, JSON.stringify({ issuers: [entry] }));
    try {
      const stderr = await rejectionOf(path, { ECT_TRUST_FILE: trust });
      expect(stderr).toContain('another process listens there');
      const socket = connect(path);
      expect(String(await once(socket, 'data'))).toBe('other');
    } finally {
      issuer.close();
      other.close();
    }
  });

  test('A5 a check says the same and leaves what is there', async () => {
    const path = place('checked.sock');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const settings = { ECT_LISTEN: `unix:${path}`, ECT_STORE: 'memory' };
    const used = await runMain(['config', 'check'], settings);
    expect(used).toMatchObject({ code: 0 });
    expect(used.stderr).toContain('another process listens there');
    await new Promise((resolve) => server.close(resolve));
    expect(await runMain(['config', 'check'], settings)).toMatchObject({ code: 0 });
    expect((await runMain(['config', 'check'], { ...settings, ECT_LISTEN: `unix:${folder}` })).stderr).toContain(
      'no socket',
    );
  });

  test('A5 settings that would undo each other are rejected', async () => {
    const path = place('never.sock');
    const stderr = await rejectionOf(path, {
      ECT_UNIX_CALLER: AGENT,
      ECT_UNIX_MODE: '666',
      ECT_TLS_CERT: '/tls/c.pem',
      ECT_TLS_KEY: '/tls/k.pem',
      ECT_WORKERS: '2',
    });
    for (const key of ['ECT_UNIX_CALLER', 'ECT_TLS_CERT', 'ECT_WORKERS']) expect(stderr).toContain(key);
  });
});
