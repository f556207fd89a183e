// What TLS peers can cost below HTTP: records of one byte, records without data, long chains of certificates.

import { EventEmitter, once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer as createTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { expect, test, vi } from 'vitest';
import { writeFrame } from '../../bench/http2-frames.ts';
import { RecordOverhead } from '../../src/transport/record-overhead.ts';
import { TlsGuard } from '../../src/transport/tls-guard.ts';
import { hello } from '../http2-server/raw-frames.ts';
import {
  type Certificate,
  createCertificateAuthority,
  issueServerCertificate,
  issueSvid,
} from '../support/certificates.ts';
import { describeWith } from '../support/need.ts';
import { startTestServer, type TestServer } from '../support/rpc-server.ts';
import { SOON } from '../support/soon.ts';

/** A record for each byte, until the service closes the connection. Returns how many were sent. */
async function sendByteByByte(socket: TLSSocket, bytes: Buffer): Promise<number> {
  for (let at = 0; at < bytes.length; at++) {
    if (socket.destroyed || !socket.writable) return at;
    await new Promise((written) => socket.write(bytes.subarray(at, at + 1), written));
  }
  return bytes.length;
}

async function open(running: TestServer, ca: string, protocol: string): Promise<TLSSocket> {
  const { port } = running.server.address;
  const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca, ALPNProtocols: [protocol] });
  socket.setNoDelay(true);
  socket.on('error', () => undefined).resume();
  await once(socket, 'secureConnect');
  return socket;
}

const failures = ({ lines }: TestServer) =>
  lines.filter(({ event }) => event === 'connection-failed').map(({ stage }) => stage);

describeWith('openssl', 'H46: TLS records', () => {
  test('a frame of HTTP/2 in records of one byte ends its connection before it is complete', async () => {
    using authority = createCertificateAuthority();
    await using running = await startTestServer({ tls: issueServerCertificate(authority) });
    const socket = await open(running, authority.cert, 'h2');
    socket.write(hello());
    const sent = await sendByteByByte(socket, writeFrame(0xbb, 0, 0, Buffer.alloc(16_000)));
    expect(sent).toBeLessThan(16_000);
    await vi.waitFor(() => expect(failures(running)).toEqual([expect.stringMatching(/h2|records/)]), SOON);
  });

  test('a request of HTTP/1.1 in records of one byte is served; a long body in such records ends its connection', async () => {
    using authority = createCertificateAuthority();
    await using running = await startTestServer({ tls: issueServerCertificate(authority) });
    const socket = await open(running, authority.cert, 'http/1.1');
    const heard = once(socket, 'data');
    await sendByteByByte(socket, Buffer.from('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'));
    expect(String((await heard)[0])).toMatch(/^HTTP\/1\.1 200/);
    const head = 'POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30000\r\n\r\n';
    const sent = await sendByteByByte(socket, Buffer.from(head + 'x'.repeat(30_000)));
    expect(sent).toBeLessThan(30_000);
  });
});

describeWith('openssl', 'H47: chains of certificates above 16 KiB', () => {
  /** Whether a peer with this certificate, and enough others behind it, is served. */
  function isServed(running: TestServer, ca: string, { cert, key }: Certificate) {
    return asksHealth(running, { cert: cert + ca.repeat(150), key });
  }

  async function asksHealth({ server }: TestServer, { cert, key }: Certificate) {
    const { port } = server.address;
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, cert, key });
    socket.on('error', () => undefined);
    let heard = '';
    socket.on('data', (bytes: Buffer) => {
      heard += bytes;
      socket.destroy();
    });
    socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await new Promise((closed) => socket.once('close', closed));
    return heard.startsWith('HTTP/1.1 200');
  }

  test('one that is not trusted closes the connection, and its address is blocked; a trusted one is served', async () => {
    using authority = createCertificateAuthority();
    using stranger = createCertificateAuthority('a stranger');
    await using running = await startTestServer({
      tls: { ...issueServerCertificate(authority), clientCa: authority.cert },
    });
    const trusted = issueSvid(authority, 'spiffe://example.org/trusted');
    expect(await isServed(running, authority.cert, trusted)).toBe(true);
    expect(failures(running)).toEqual([]);
    await vi.waitFor(() => expect(running.server.connections()).toBe(0), SOON);

    const untrusted = issueSvid(stranger, 'spiffe://example.org/stranger');
    expect(await isServed(running, stranger.cert, untrusted)).toBe(false);
    expect(failures(running)).toEqual(['certificates']);
    expect(await isServed(running, stranger.cert, untrusted)).toBe(false);
    expect(failures(running)).toEqual(['certificates', 'blocked']);
  });

  test('the address of an open connection with a trusted certificate pays a tenth', async () => {
    using authority = createCertificateAuthority();
    using stranger = createCertificateAuthority('a stranger');
    await using running = await startTestServer({
      tls: { ...issueServerCertificate(authority), clientCa: authority.cert },
    });
    const { port } = running.server.address;
    const trusted = issueSvid(authority, 'spiffe://example.org/trusted');
    const open = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca: authority.cert, ...trusted });
    open.on('error', () => undefined);
    await once(open, 'secureConnect');
    open.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(open, 'data');
    const untrusted = issueSvid(stranger, 'spiffe://example.org/stranger');
    for (let time = 0; time < 2; time++) expect(await isServed(running, stranger.cert, untrusted)).toBe(false);
    expect(failures(running)).toEqual(['certificates', 'certificates']);
    open.destroy();
  });

  test('many callers of one address who connect at the same moment are all served', async () => {
    using authority = createCertificateAuthority();
    await using running = await startTestServer({
      tls: { ...issueServerCertificate(authority), clientCa: authority.cert },
    });
    const nobody = { cert: '', key: '' };
    const callers = Array.from({ length: 40 }, () => asksHealth(running, nobody));
    expect(await Promise.all(callers)).toEqual(callers.map(() => true));
    expect(failures(running)).toEqual([]);
  });

  test('a large request that arrives with the end of the handshake is no long chain', async () => {
    using authority = createCertificateAuthority();
    using stranger = createCertificateAuthority('a stranger');
    await using running = await startTestServer({
      tls: { ...issueServerCertificate(authority), clientCa: authority.cert },
    });
    const body = 'x'.repeat(40_000);
    await using between = await joiningProxy(running.server.address.port, body.length);
    const untrusted = issueSvid(stranger, 'spiffe://example.org/stranger');
    const socket = connectTls({ port: between.port, host: '127.0.0.1', rejectUnauthorized: false, ...untrusted });
    socket.on('error', () => undefined);
    socket.write(`POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    const [heard] = await Promise.race([once(socket, 'data'), once(socket, 'close')]);
    expect(failures(running)).toEqual([]);
    expect(String(heard)).toMatch(/^HTTP\/1\.1 404/);
    socket.destroy();
  });
});

describeWith('openssl', 'H47: a client without TLS', () => {
  test('is distinguished from a long chain of certificates, however much it sends', async () => {
    using authority = createCertificateAuthority();
    await using running = await startTestServer({
      tls: { ...issueServerCertificate(authority), clientCa: authority.cert },
    });
    for (let time = 0; time < 2; time++) {
      const socket = connectTcp(running.server.address.port, '127.0.0.1');
      socket.on('error', () => undefined).resume();
      socket.write(`POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40000\r\n\r\n${'x'.repeat(40_000)}`);
      await new Promise((closed) => socket.once('close', closed));
    }
    await vi.waitFor(() => expect(failures(running).length).toBeGreaterThan(1), SOON);
    expect(failures(running)).toEqual(['tls', 'tls']);
  });
});

/** A proxy that joins what a client sends after its ClientHello, up to so many bytes: a service whose loop is busy reads it like that. */
async function joiningProxy(target: number, bytes: number) {
  const proxy = createTcp((client) => {
    const service = connectTcp(target, '127.0.0.1');
    let joined = Buffer.alloc(0);
    client.once('data', (clientHello) => {
      service.write(clientHello);
      client.on('data', (chunk: Buffer) => {
        joined = Buffer.concat([joined, chunk]);
        if (joined.length < bytes) return;
        service.write(joined);
        joined = Buffer.alloc(0);
      });
    });
    service.pipe(client);
    for (const socket of [client, service]) {
      socket.on('error', () => undefined).once('close', () => (socket === client ? service : client).destroy());
    }
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: () => new Promise<void>((closed) => proxy.close(() => closed())) };
}

test('H46: a connection that lasts for days is not reported for what adds up', () => {
  const reported: unknown[] = [];
  let now = 0;
  const overhead = new RecordOverhead(
    (tcp) => void reported.push(tcp),
    () => now,
  );
  const side = (bytesRead: number) => Object.assign(Object.create(null), { bytesRead, once: () => undefined });
  const [tcp, tls] = [side(5_000), side(0)];
  overhead.watch(tcp as Socket, tls as Socket);
  // Each minute a fifth of what is too many at once.
  for (let minute = 0; minute < 100; minute++) {
    now += 60_000;
    tcp.bytesRead += 12_000;
    overhead.check();
  }
  expect(reported).toEqual([]);
  tcp.bytesRead += 65_537;
  overhead.check();
  expect(reported).toHaveLength(1);
  overhead.close();
});

test('H46: a connection is reported when it has sent far more bytes than data', () => {
  const reported: unknown[] = [];
  const overhead = new RecordOverhead((tcp) => void reported.push(tcp));
  const side = (bytesRead: number) => Object.assign(Object.create(null), { bytesRead, once: () => undefined });
  const [tcp, tls] = [side(100_000), side(0)];
  overhead.watch(tcp as Socket, tls as Socket);
  for (const [raw, data, count] of [
    [65_536, 0, 0],
    [65_536 + 4_000, 1_000, 0],
    [65_536 + 4_001, 1_000, 1],
    [900_000, 0, 1],
  ] as const) {
    tcp.bytesRead = 100_000 + raw;
    tls.bytesRead = data;
    overhead.check();
    expect(reported).toHaveLength(count);
  }
  overhead.close();
});

test('H47: a peer whose address is not known any more, because it has reset its connection, pays for its handshake and is not served', () => {
  const side = (address: string | undefined) =>
    Object.assign(new EventEmitter(), {
      remoteAddress: address,
      remotePort: address && 5,
      bytesRead: 0,
      bytesWritten: 2_000,
      destroy: () => undefined as unknown,
    });
  const failed: string[] = [];
  const guard = new TlsGuard({ asksForCertificates: true, maxWaitMs: 1_000, onFailure: (stage) => failed.push(stage) });
  const tcp = side('192.0.2.1');
  guard.accepted(tcp as unknown as Socket, () => undefined);
  tcp.bytesRead = 90_000;
  const isClosed = vi.fn();
  const tls = Object.assign(side(undefined), { destroy: isClosed });
  guard.secured(tls as unknown as TLSSocket, () => failed.push('served'));
  expect(isClosed).toHaveBeenCalledOnce();
  tcp.emit('close');
  expect(failed).toEqual(['certificates']);
  expect(guard.blocked.check('192.0.2.1')).toBe(true);
  guard.close();
});
