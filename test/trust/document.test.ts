// Fetching from servers that do what they should not, each a real one on loopback.

import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import type { Network } from '../../src/trust/addresses.ts';
import { type DocumentOptions, fetchDocument, type Resolve, urlFault } from '../../src/trust/document.ts';
import { type CannedServer, json, startCannedServer } from '../support/canned-server.ts';
import { createCertificateAuthority, issueServerCertificate } from '../support/certificates.ts';
import { describeWith } from '../support/need.ts';

const servers: CannedServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});

async function serve(answer: CannedServer['answer']): Promise<CannedServer> {
  const server = await startCannedServer(answer);
  servers.push(server);
  return server;
}

/** What comes of a fetch: the text, or the sentence of the fault. */
async function outcome(url: string, network: Network = 'loopback', options: DocumentOptions = {}): Promise<string> {
  try {
    return (await fetchDocument({ url: new URL(url), network }, options)).toString();
  } catch (error) {
    expect(error).toMatchObject({ name: 'DocumentFault' });
    return (error as Error).message;
  }
}

describe('a document', () => {
  test.each(['application/json', 'application/json; charset=utf-8', 'Application/JWK-Set+JSON'])(
    'is read as it is sent, of type %s',
    async (type) => {
      const { url } = await serve(json('{"keys":[]}', { 'content-type': type }));
      expect(await outcome(url)).toBe('{"keys":[]}');
    },
  );

  test('is asked for without compression, with the secret for its server, and nothing more', async () => {
    const server = await serve(json({}));
    await fetchDocument({ url: new URL(`${server.url}/keys?a=b`), network: 'loopback', authorization: 'Bearer x' });
    const [request] = server.requests;
    expect(request).toMatchObject({ method: 'GET', url: '/keys?a=b' });
    expect(request?.headers).toEqual({
      accept: 'application/json, application/jwk-set+json',
      'accept-encoding': 'identity',
      authorization: 'Bearer x',
      connection: 'close',
      host: `127.0.0.1:${server.port}`,
    });
  });
});

describe('K3: a server that answers badly', () => {
  test.each([301, 302, 303, 307, 308])('a redirect (%i) is not followed, wherever it leads', async (status) => {
    const sink = await serve(json({}));
    const server = await serve((response) => {
      response.writeHead(status, { location: sink.url });
      response.end();
    });
    expect(await outcome(server.url)).toMatch(/redirect .* is not followed/);
    expect(sink.connections()).toBe(0);
  });

  test.each([500, 404, 401, 204, 206])('status %i', async (status) => {
    const { url } = await serve((response) => void response.writeHead(status).end());
    expect(await outcome(url)).toContain(`status ${status}`);
  });

  test('HTML', async () => {
    const { url } = await serve(json('<html>', { 'content-type': 'text/html' }));
    expect(await outcome(url)).toContain('content-type');
  });

  test('no content-type', async () => {
    const { url } = await serve((response) => void response.end('{}'));
    expect(await outcome(url)).toContain('content-type');
  });

  test('a gzip bomb is not unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(50 << 20));
    const { url } = await serve((response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
      response.end(bomb);
    });
    expect(await outcome(url)).toContain('compressed');
  });

  test('50 MB that say so are not read', async () => {
    const { url } = await serve(json('', { 'content-length': String(50 << 20) }));
    expect(await outcome(url)).toContain('larger than 262144 bytes');
  });

  test('50 MB that do not say so are read as far as they may go', async () => {
    const chunk = Buffer.alloc(64 * 1024, 0x20);
    let sent = 0;
    const { url } = await serve((response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const write = (): void => {
        while (sent < 50 << 20 && !response.destroyed) {
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', write);
        }
      };
      write();
    });
    expect(await outcome(url)).toContain('larger than 262144 bytes');
    expect(sent).toBeLessThan(16 << 20);
  });

  test('exactly the limit is read, and a byte more is not', async () => {
    const server = await serve(json('x'.repeat(1000)));
    expect(await outcome(server.url, 'loopback', { maxBytes: 1000 })).toHaveLength(1000);
    expect(await outcome(server.url, 'loopback', { maxBytes: 999 })).toContain('larger than 999 bytes');
  });

  test('a body of a byte now and then ends with the time', async () => {
    const { url } = await serve((response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const timer = setInterval(() => response.write(' '), 20);
      response.once('close', () => clearInterval(timer));
    });
    expect(await outcome(url, 'loopback', { timeoutMs: 200 })).toContain('did not answer within 200 ms');
  });

  test('a server that never answers ends with the time', async () => {
    const { url } = await serve(() => undefined);
    expect(await outcome(url, 'loopback', { timeoutMs: 100 })).toContain('did not answer within 100 ms');
  });

  test('a name that is never resolved ends with the time', async () => {
    const resolve = () => undefined;
    expect(await outcome('http://issuer.test/', 'loopback', { timeoutMs: 100, resolve })).toContain('within 100 ms');
  });

  test('a body that is cut off', async () => {
    const { url } = await serve((response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
      response.write('{"keys":[');
      response.socket?.end();
    });
    expect(await outcome(url)).toMatch(/before it is complete|cannot be read/);
  });

  test('no server at all, and what is given up', async () => {
    const server = await serve(() => undefined);
    await server[Symbol.asyncDispose]();
    expect(await outcome(server.url)).toContain('ECONNREFUSED');
    expect(await outcome(server.url, 'loopback', { signal: AbortSignal.abort() })).toContain('cannot be read');
  });
});

describe('K2: where a name leads', () => {
  const to = (...addresses: readonly string[]) => {
    const asked: string[] = [];
    const resolve: Resolve = (host, answer) => {
      asked.push(host);
      answer(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
    };
    return { resolve, asked };
  };

  test.each([
    ['loopback', '127.0.0.1'],
    ['a private network', '10.1.2.3'],
    ['the metadata service', '169.254.169.254'],
  ])('a public issuer whose name leads to %s is rejected', async (_, address) => {
    const sink = await serve(json({}));
    expect(await outcome(`https://issuer.test:${sink.port}/`, 'public', to(address))).toMatch(/must not lead to/);
    expect(sink.connections()).toBe(0);
  });

  test('one address that is not allowed rejects those that are', async () => {
    const sink = await serve(json({}));
    const { resolve } = to('8.8.8.8', '127.0.0.1');
    expect(await outcome(`https://issuer.test:${sink.port}/`, 'public', { resolve })).toMatch(/must not lead to/);
    expect(sink.connections()).toBe(0);
  });

  test('the connection goes to the address that was checked, though the name leads elsewhere a moment later', async () => {
    const good = await serve(json({ from: 'good' }));
    const answers: readonly string[] = ['127.0.0.1', '169.254.169.254'];
    let asked = 0;
    const resolve: Resolve = (_host, answer) =>
      answer(null, [{ address: answers[asked++] ?? '169.254.169.254', family: 4 }]);
    expect(await outcome(`http://issuer.test:${good.port}/`, 'loopback', { resolve })).toBe('{"from":"good"}');
    expect(asked).toBe(1);
    expect(await outcome(`http://issuer.test:${good.port}/`, 'loopback', { resolve })).toMatch(
      /must lead to a loopback/,
    );
  });

  test('a name without addresses, and one that is not found', async () => {
    expect(await outcome('https://issuer.test/', 'public', to())).toContain('has no address');
    const resolve: Resolve = (_host, answer) => answer(Object.assign(new Error('x'), { code: 'ENOTFOUND' }), []);
    expect(await outcome('https://issuer.test/', 'public', { resolve })).toContain('ENOTFOUND');
  });

  test.each<[string, Network, RegExp | undefined]>([
    ['http://issuer.test/', 'public', /https/],
    ['http://issuer.test/', 'private', /https/],
    ['http://issuer.test/', 'loopback', undefined],
    ['https://issuer.test/', 'public', undefined],
    ['ftp://issuer.test/', 'loopback', /https/],
    ['file:///etc/passwd', 'loopback', /https/],
    ['https://user@issuer.test/', 'public', /user or a password/],
    ['https://issuer.test/#x', 'public', /fragment/],
    ['https://127.0.0.1/', 'public', /must not lead/],
    ['https://2130706433/', 'public', /must not lead/],
    ['https://0x7f.1/', 'public', /must not lead/],
    ['https://[::ffff:169.254.169.254]/', 'public', /must not lead/],
    ['https://169.254.169.254/', 'private', /must not lead/],
    ['https://10.0.0.1/', 'public', /network: private allows/],
    ['https://10.0.0.1/', 'private', undefined],
    ['http://10.0.0.1/', 'loopback', /loopback address/],
  ])('%s with network %s', (url, network, fault) => {
    const found = urlFault(new URL(url), network);
    if (fault === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(fault);
  });
});

describeWith('openssl', 'K2: TLS', () => {
  test('the certificate counts, under the CA of the issuer where it names one', async () => {
    using ca = createCertificateAuthority();
    using otherCa = createCertificateAuthority('another CA');
    const server = await startCannedServer(json({ ok: true }), issueServerCertificate(ca));
    servers.push(server);
    const url = new URL(server.url);
    const read = (pem: string | undefined) =>
      fetchDocument({ url, network: 'loopback', ca: pem }).then(String, (error: Error) => error.message);
    expect(await read(ca.cert)).toBe('{"ok":true}');
    expect(await read(otherCa.cert)).toMatch(/cannot be read \(.*(?:SIGNATURE|CERT|ISSUER)/);
    expect(await read(undefined)).toMatch(/cannot be read \(.*(?:SIGNATURE|CERT|ISSUER)/);
    expect(server.requests).toHaveLength(1);
  });
});
