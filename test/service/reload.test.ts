// A7: certificates, client CAs, foreign keys and the signing key change under a running service; no call is lost, nothing bad
// takes the place of something good, and nobody keeps an identity that a CA proved which is gone.

import { get } from 'node:https';
import { text } from 'node:stream/consumers';
import { connect, type TLSSocket } from 'node:tls';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CallError, dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import {
  type Certificate,
  type CertificateAuthority,
  createCertificateAuthority,
  issueServerCertificate,
  issueSvid,
  issueSvidBelow,
} from '../support/certificates.ts';
import { describeWith } from '../support/need.ts';
import { runMain, type ServiceProcess, startService } from '../support/service-process.ts';
import { A, createVolume, type Files, ISSUE, ORDER, until } from './replaced-volume.ts';

describeWith('openssl', 'files that change while the service runs', () => {
  let ca: CertificateAuthority;
  let otherCa: CertificateAuthority;
  let servers: readonly Certificate[];
  let a: Certificate;

  beforeAll(() => {
    ca = createCertificateAuthority();
    otherCa = createCertificateAuthority('another CA');
    servers = [issueServerCertificate(ca), issueServerCertificate(ca)];
    a = issueSvid(ca, A);
  });
  afterAll(() => {
    ca[Symbol.dispose]();
    otherCa[Symbol.dispose]();
  });

  const filesOf = (server: Certificate, clientCa = ca.cert): Files => ({ ...server, ca: clientCa });

  function dialAs({ url }: ServiceProcess, { cert, key }: Certificate): GrpcClient {
    const security = credentials.createSsl(Buffer.from(ca.cert), Buffer.from(key), Buffer.from(cert));
    return dial(`localhost:${new URL(url).port}`, security);
  }

  async function reasonOf(call: Promise<unknown>): Promise<string> {
    try {
      await call;
      return 'OK';
    } catch (error) {
      if (error instanceof CallError) return error.reason || `code ${error.code}`;
      throw error;
    }
  }

  /** The certificate that a new connection is shown. */
  function shownBy({ url }: ServiceProcess): Promise<string> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(url);
      const socket: TLSSocket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false }, () => {
        resolve(socket.getPeerX509Certificate()?.toString() ?? '');
        socket.destroy();
      });
      socket.on('error', reject);
    });
  }

  async function metric({ url }: ServiceProcess, line: string): Promise<number> {
    const page = await new Promise<string>((resolve, reject) => {
      get(`${url}/metrics`, { rejectUnauthorized: false, agent: false }, (answer) => resolve(text(answer))).on(
        'error',
        reject,
      );
    });
    const found = page.split('\n').find((candidate) => candidate.startsWith(`${line} `));
    return found === undefined ? Number.NaN : Number(found.split(' ').at(-1));
  }

  test.each([1, 2])(
    'A7 twenty swaps under load, with %i workers: no call fails, and new connections see the new certificate',
    async (workers) => {
      await using volume = await createVolume(filesOf(servers[0]!));
      await using service = await startService({ ...volume.settings, ECT_WORKERS: String(workers) });
      let isOver = false;
      let answered = 0;
      // Some channels live through it all, others are made anew again and again.
      const lasting = async () => {
        using client = dialAs(service, a);
        while (!isOver) {
          await client.call(ISSUE, ORDER);
          answered++;
        }
      };
      const renewed = async () => {
        while (!isOver) {
          using client = dialAs(service, a);
          for (let call = 0; call < 5; call++) await client.call(ISSUE, ORDER);
          answered += 5;
        }
      };
      const load = Promise.all([...Array.from({ length: 6 }, lasting), renewed(), renewed()]);
      for (let swap = 1; swap <= 20; swap++) {
        const server = servers[swap % 2]!;
        const before = answered;
        await volume.swap(filesOf(server));
        await Promise.race([load, until(() => expect(service.events('files-reloaded')).toHaveLength(swap * workers))]);
        expect((await shownBy(service)).trim()).toBe(server.cert.trim());
        await Promise.race([load, until(() => expect(answered).toBeGreaterThan(before + 10))]);
      }
      isOver = true;
      // A call that failed would be thrown here.
      await load;
      expect(answered).toBeGreaterThan(200);
      expect(service.events('reload-refused')).toEqual([]);
      await until(async () =>
        expect(await metric(service, 'ect_reloads_total{files="tls",outcome="replaced"}')).toBe(20 * workers),
      );
      expect(await service.stop()).toBe(0);
      expect(service.events('bug')).toEqual([]);
    },
  );

  test.each([1, 2])('A7 SIGHUP with %i workers ends nothing, and says again what cannot be used', async (workers) => {
    await using volume = await createVolume(filesOf(servers[0]!));
    await using service = await startService({ ...volume.settings, ECT_WORKERS: String(workers) });
    using client = dialAs(service, a);
    await client.call(ISSUE, ORDER);
    const stranger = otherCa.issue({});
    await volume.swap({ ...filesOf(servers[1]!), key: stranger.key });
    await until(() => expect(service.events('reload-refused')).toHaveLength(workers));
    for (const event of service.events('reload-refused')) {
      expect(event).toMatchObject({ level: 'error', files: 'tls' });
      expect(event['why']).toContain(`The file of ECT_TLS_KEY must be the private key`);
      expect(event['why']).toContain(volume.path('tls.key'));
    }
    expect(service.stderr()).not.toContain('PRIVATE KEY');
    process.kill(service.pid, 'SIGHUP');
    await until(() => expect(service.events('reload-refused')).toHaveLength(2 * workers));
    expect(await metric(service, 'ect_reload_refused{files="tls"}')).toBe(1);
    expect((await shownBy(service)).trim()).toBe(servers[0]!.cert.trim());
    await client.call(ISSUE, ORDER);

    await volume.swap(filesOf(servers[1]!));
    await until(() => expect(service.events('files-reloaded')).toHaveLength(workers));
    expect(await metric(service, 'ect_reload_refused{files="tls"}')).toBe(0);
    expect((await shownBy(service)).trim()).toBe(servers[1]!.cert.trim());
    await client.call(ISSUE, ORDER);
    expect(await service.stop()).toBe(0);
  });

  test('A7 a new CA is trusted from then on; with the old one its identities end, also on open connections', async () => {
    await using volume = await createVolume(filesOf(servers[0]!));
    await using service = await startService(volume.settings);
    const [old, fresh] = [a, issueSvid(otherCa, A)];
    using before = dialAs(service, old);
    expect(await reasonOf(before.call(ISSUE, ORDER))).toBe('OK');
    {
      using early = dialAs(service, fresh);
      expect(await reasonOf(early.call(ISSUE, ORDER))).toBe('CALLER_UNTRUSTED');
    }
    await volume.swap(filesOf(servers[0]!, ca.cert + otherCa.cert));
    await until(() => expect(service.events('files-reloaded')).toHaveLength(1));
    using next = dialAs(service, fresh);
    expect(await reasonOf(next.call(ISSUE, ORDER))).toBe('OK');
    expect(await reasonOf(before.call(ISSUE, ORDER))).toBe('OK');

    await volume.swap(filesOf(servers[0]!, otherCa.cert));
    await until(() => expect(service.events('files-reloaded')).toHaveLength(2));
    // The same connection: nothing has been shaken hands on since.
    expect(await reasonOf(before.call(ISSUE, ORDER))).toBe('CALLER_UNTRUSTED');
    expect(await reasonOf(next.call(ISSUE, ORDER))).toBe('OK');
    using again = dialAs(service, old);
    expect(await reasonOf(again.call(ISSUE, ORDER))).toBe('CALLER_UNTRUSTED');
  });

  test.each([1, 2])(
    'A7 a caller below an intermediate connects again after a CA was taken out, with %i workers, and is served from then on',
    async (workers) => {
      await using volume = await createVolume(filesOf(servers[0]!, ca.cert + otherCa.cert));
      await using service = await startService({ ...volume.settings, ECT_WORKERS: String(workers) });
      const below = issueSvidBelow(ca, A);
      using early = dialAs(service, below);
      expect(await reasonOf(early.call(ISSUE, ORDER))).toBe('OK');
      await volume.swap(filesOf(servers[0]!, ca.cert));
      await until(() => expect(service.events('files-reloaded')).toHaveLength(workers));
      for (let connection = 0; connection < 4; connection++) {
        using late = dialAs(service, below);
        expect(await reasonOf(late.call(ISSUE, ORDER))).toBe('OK');
      }
      // The earlier connection gets GOAWAY and closes; its channel opens another.
      expect(await reasonOf(early.call(ISSUE, ORDER))).toBe('CALLER_UNTRUSTED');
      await until(async () => expect(await reasonOf(early.call(ISSUE, ORDER))).toBe('OK'));
    },
  );

  test('A7 the end of a certificate is a metric, and an expired one does not start', async () => {
    await using volume = await createVolume(filesOf(servers[0]!));
    await using service = await startService(volume.settings);
    const inSeconds =
      (await metric(service, 'ect_certificate_expiry_timestamp_seconds{certificate="server"}')) - Date.now() / 1000;
    expect(inSeconds).toBeGreaterThan(23 * 3600);
    expect(inSeconds).toBeLessThan(25 * 3600);
    expect(await metric(service, 'ect_certificate_expiry_timestamp_seconds{certificate="client-ca"}')).toBeGreaterThan(
      Date.now() / 1000,
    );

    const expired = ca.issue({ commonName: 'localhost', days: -1 });
    await volume.swap(filesOf(expired));
    await until(() => expect(service.events('reload-refused')).toHaveLength(1));
    expect(service.events('reload-refused')[0]?.['why']).toMatch(/ECT_TLS_CERT expired at 20/);
    expect((await shownBy(service)).trim()).toBe(servers[0]!.cert.trim());

    const { code, stderr } = await runMain(['serve'], {
      ...volume.settings,
      ECT_STORE: 'memory',
      ECT_LISTEN: '127.0.0.1:0',
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^The certificate in the file of ECT_TLS_CERT expired at .*tls\.crt\.$/m);
  });
});
