// Callers over real TLS, with certificates made by openssl: rows A1 to A3, A5 and A6.
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { Code, createClient, type Transport } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { anonymousCallers, spiffeCallers } from '../../src/callers/identify.ts';
import type { IssueResponse } from '../../src/gen/ect/v1/authority_pb.ts';
import { KeyService } from '../../src/gen/ect/v1/keys_pb.ts';
import {
  type Certificate,
  type CertificateAuthority,
  createCertificateAuthority,
  issueServerCertificate,
  issueSvid,
  type LeafOptions,
} from '../support/certificates.ts';
import { describeWith } from '../support/need.ts';
import { authorityClient, failureOf, PROTOCOLS, transports } from '../support/rpc-clients.ts';
import { startTestServer, type TestServer } from '../support/rpc-server.ts';
import { SOON } from '../support/soon.ts';

const ID = 'spiffe://example.com/agent/a';

describeWith('openssl', 'a caller is who its certificate says', () => {
  let authority: CertificateAuthority;
  let stranger: CertificateAuthority;
  let running: TestServer;
  let url: string;
  let now = Date.now;

  beforeAll(async () => {
    authority = createCertificateAuthority();
    stranger = createCertificateAuthority('another CA');
    const tls = { ...issueServerCertificate(authority), clientCa: authority.cert };
    running = await startTestServer({ tls, identify: spiffeCallers(() => now()) });
    url = running.server.url;
  });
  afterAll(async () => {
    await running[Symbol.asyncDispose]();
    authority[Symbol.dispose]();
    stranger[Symbol.dispose]();
  });

  const issue = (certificate: Certificate | undefined, protocol = 'gRPC over HTTP/2'): Promise<IssueResponse> =>
    authorityClient(url, protocol, { ca: authority.cert, ...certificate }).issue({});
  const failure = (options: LeafOptions) => failureOf(issue(authority.issue(options)));

  test.each(PROTOCOLS)('its single URI SAN is its identity over %s', async (protocol) => {
    const { token } = await issue(issueSvid(authority, ID), protocol);
    expect(token).toBe(`issued for ${ID}`);
    expect(running.calls().at(-1)).toMatchObject({ caller: ID, proof: 'mtls', by: 'example.com' });
  });

  test('names of other kinds beside the URI change nothing', async () => {
    const { token } = await issue(
      authority.issue({ names: [{ dns: 'a.example.com' }, { uri: ID }, { ip: '10.0.0.1' }] }),
    );
    expect(token).toBe(`issued for ${ID}`);
  });

  test('A3: the common name is ignored', async () => {
    const options = { commonName: 'spiffe://example.com/admin', names: [{ uri: ID }] };
    // openssl reads / in a subject as a separator of names, so the slashes are escaped.
    const certificate = authority.issue({ ...options, commonName: options.commonName.replaceAll('/', '\\/') });
    expect((await issue(certificate)).token).toBe(`issued for ${ID}`);
    const nameless = await failure({ commonName: 'spiffe:\\/\\/example.com\\/agent\\/a' });
    expect(nameless.info?.reason).toBe('CALLER_ID_INVALID');
  });

  test.each<[string, () => Certificate | undefined]>([
    ['no certificate', () => undefined],
    ['a certificate of another CA', () => issueSvid(stranger, ID)],
    ['a chain that ends in a certificate of its own', () => withChain(stranger)],
    ['an expired certificate', () => authority.issue({ names: [{ uri: ID }], days: -1 })],
    ['a certificate for servers only', () => authority.issue({ names: [{ uri: ID }], extendedKeyUsage: 'serverAuth' })],
  ])('A1: with %s it is UNAUTHENTICATED, CALLER_UNTRUSTED', async (_title, certificate) => {
    const found = await failureOf(issue(certificate()));
    expect(found.code).toBe(Code.Unauthenticated);
    expect(found.info?.reason).toBe('CALLER_UNTRUSTED');
  });

  test.each([
    ['the CA flag', { isCa: true, keyUsage: 'digitalSignature' }],
    ['the right to sign certificates', { keyUsage: 'digitalSignature,keyCertSign' }],
    ['the right to sign revocation lists', { keyUsage: 'digitalSignature,cRLSign' }],
  ])('A1: a leaf with %s is CALLER_ID_INVALID', async (_title, options) => {
    const found = await failure({ names: [{ uri: ID }], ...options });
    expect(found.code).toBe(Code.Unauthenticated);
    expect(found.info?.reason).toMatch(/^CALLER_(ID_INVALID|UNTRUSTED)$/);
  });

  test.each([
    ['no SAN', {}],
    ['a DNS name only', { names: [{ dns: 'a.example.com' }] }],
    ['two URIs', { names: [{ uri: ID }, { uri: 'spiffe://example.com/agent/b' }] }],
    ['the same URI twice', { names: [{ uri: ID }, { uri: ID }] }],
    ['an https URI', { names: [{ uri: 'https://example.com/agent/a' }] }],
    ['an upper-case trust domain', { names: [{ uri: 'spiffe://EXAMPLE.com/agent/a' }] }],
    ['NUL inside', { names: [{ uri: `${ID}\0.evil` }] }],
    ['text that would fool a joined list', { names: [{ uri: `${ID}, URI:spiffe://example.com/admin` }] }],
    ['a quote', { names: [{ uri: `${ID}"` }] }],
    ['a DNS name that spells a URI', { names: [{ dns: `x, URI:${ID}` }] }],
    ['non-ASCII bytes', { names: [{ uri: Uint8Array.from([...Buffer.from(ID), 0xc3, 0xa4]) }] }],
    ['2,049 bytes', { names: [{ uri: `spiffe://example.com/${'a'.repeat(2049 - 21)}` }] }],
  ] as readonly [string, LeafOptions][])('A2: %s is CALLER_ID_INVALID', async (_title, options) => {
    const found = await failure(options);
    expect(found.code).toBe(Code.Unauthenticated);
    expect(found.info?.reason).toBe('CALLER_ID_INVALID');
  });

  test('A1: a certificate out of its time is not trusted: one that ends while its connection lives, or has yet to begin', async () => {
    const client = authorityClient(url, 'gRPC over HTTP/2', { ca: authority.cert, ...issueSvid(authority, ID) });
    await client.issue({});
    try {
      for (const days of [3, -1]) {
        now = () => Date.now() + days * 86_400_000;
        expect((await failureOf(client.issue({}))).info?.reason).toBe('CALLER_UNTRUSTED');
      }
    } finally {
      now = Date.now;
    }
    await client.issue({});
  });

  test('A5: headers that claim an identity are ignored', async () => {
    const client = authorityClient(url, 'gRPC over HTTP/2', { ca: authority.cert, ...issueSvid(authority, ID) });
    const headers = {
      'x-spiffe-id': 'spiffe://example.com/admin',
      'x-forwarded-client-cert': 'URI=spiffe://example.com/admin',
      authorization: 'Bearer eyJ',
    };
    expect((await client.issue({}, { headers })).token).toBe(`issued for ${ID}`);
  });

  test('public services need no identity, and note the one that there is', async () => {
    const ask = (certificate?: Certificate) => {
      const transport = transports(url, { ca: authority.cert, ...certificate })['gRPC over HTTP/2'] as Transport;
      return createClient(KeyService, transport).getKeySet({});
    };
    expect((await ask()).jwksJson).toBe('{"kind":"anonymous"}');
    expect((await ask(issueSvid(authority, ID))).jwksJson).toBe(
      `{"kind":"spiffe","id":"${ID}","proof":{"method":"mtls","strength":"possession","by":"example.com"}}`,
    );
  });

  const handshake = async (options: ConnectionOptions): Promise<TLSSocket> => {
    const { port } = running.server.address;
    const socket = connectTls({ port, host: '127.0.0.1', ca: authority.cert, ...options });
    await once(socket, 'secureConnect');
    return socket;
  };

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('A6: a %s session is never resumed', async (version) => {
    const options = {
      ...issueSvid(authority, ID),
      minVersion: version,
      maxVersion: version,
      ALPNProtocols: ['http/1.1'],
    };
    const first = await handshake(options);
    first.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(first, 'data'); // TLS 1.3 sends its tickets after the handshake.
    const session = first.getSession();
    first.destroy();
    const second = await handshake({ ...options, ...(session === undefined ? {} : { session }) });
    expect(second.isSessionReused()).toBe(false);
    second.destroy();
  });

  test('A6: TLS 1.1 is rejected', async () => {
    const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(handshake(old)).rejects.toThrow(/protocol version|unsupported/i);
  });

  test('H8: a connection that never finishes its handshake is closed', async () => {
    const tls = issueServerCertificate(authority);
    await using other = await startTestServer({ tls, limits: { firstBytesMs: 50 } });
    const socket: Socket = connectTcp(other.server.address.port, '127.0.0.1');
    socket.on('error', () => undefined).resume();
    await once(socket, 'close');
    const failed = () => other.lines.filter(({ event }) => event === 'connection-failed');
    await vi.waitFor(() => expect(failed()).toMatchObject([{ stage: 'tls' }]), SOON);
  });

  test('without a client CA all callers are anonymous, over TLS too', async () => {
    await using other = await startTestServer({ tls: issueServerCertificate(authority), identify: anonymousCallers() });
    const client = authorityClient(other.server.url, 'Connect over HTTP/2', { ca: authority.cert });
    expect((await client.issue({})).token).toBe('issued for anonymous');
  });

  test('with a client CA but without TLS no caller is trusted', async () => {
    await using other = await startTestServer({ identify: spiffeCallers() });
    const found = await failureOf(authorityClient(other.server.url, 'gRPC over HTTP/2').issue({}));
    expect(found.info?.reason).toBe('CALLER_UNTRUSTED');
  });
});

/** A leaf together with its CA, which nobody here knows. */
function withChain(authority: CertificateAuthority): Certificate {
  const leaf = issueSvid(authority, ID);
  return { cert: leaf.cert + authority.cert, key: leaf.key };
}
