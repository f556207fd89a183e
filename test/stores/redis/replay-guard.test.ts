// The replay guard in Redis: the contract, what it stores, and which servers it takes.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { replayGuardContract, tokenUse } from '../../contracts/replay-guard.ts';
import { createCertificateAuthority } from '../../support/certificates.ts';
import { describeWithRedis, freePort, type RedisServer, startRedis } from '../../support/redis.ts';
import { NO_HURRY, openGuard, unavailable } from './guards.ts';

describeWithRedis('Redis', () => {
  let server: RedisServer;
  let prefixes = 0;
  let prefix: string;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());
  beforeEach(() => {
    prefix = `test:${++prefixes}`;
  });

  replayGuardContract('RedisReplayGuard', async () => {
    const opened: { close(): Promise<void> }[] = [];
    const open = async () => {
      // With the time limits of a service.
      const { guard } = await openGuard(server.target({ prefix }), { timeouts: {} });
      opened.push(guard);
      return guard;
    };
    const dispose = async () => void (await Promise.all(opened.map((guard) => guard.close())));
    return { guard: await open(), open, dispose, keepsNoContent: true };
  });

  const seconds = () => Math.floor(Date.now() / 1000);

  test('S1: nothing of a token is stored but digests: no name, no request id, no signing input', async () => {
    const { guard } = await openGuard(server.target({ prefix }));
    const names = { audience: 'CANARY-audience', iss: 'CANARY-iss', wid: 'CANARY-wid', jti: 'CANARY-jti' };
    await guard.claim(
      tokenUse({ ...names, content: 'CANARY-content', requestId: 'CANARY-id' }),
      seconds() + 60,
      seconds(),
    );
    const keys = (await server.command('KEYS', `${prefix}:*`)) as string[];
    expect(keys).toHaveLength(2);
    const values = await Promise.all(keys.map((key) => server.command('GET', key)));
    expect([...keys, ...values].join('\n')).not.toContain('CANARY');
    await guard.close();
  });

  test('L24: a use is kept until its time is over, and a minute longer, since clocks differ', async () => {
    const { guard } = await openGuard(server.target({ prefix }));
    const now = seconds();
    await guard.claim(tokenUse(), now + 600, now);
    const [key = ''] = ((await server.command('KEYS', `${prefix}:*`)) as string[]).filter(
      (name) => !/history/.test(name),
    );
    const left = Number(await server.command('PTTL', key));
    expect(left).toBeGreaterThan(650_000);
    expect(left).toBeLessThanOrEqual(660_000);
    await guard.close();
  });

  test.each([
    ['ahead of', 31],
    ['behind', -31],
  ])(
    'L24: while Redis’ clock is %s ours nothing is judged, since it decides when a use is forgotten',
    async (_, by) => {
      const clock = { ahead: 0 };
      const { guard } = await openGuard(server.target({ prefix }), {
        nowSeconds: () => Date.now() / 1000 - clock.ahead,
      });
      expect(await guard.claim(tokenUse({ jti: 'a' }), seconds() + 60, seconds())).toBe('fresh');
      clock.ahead = by;
      const sentence = expect.stringContaining('clocks');
      await expect(guard.claim(tokenUse({ jti: 'b' }), seconds() + 60, seconds())).rejects.toMatchObject(
        unavailable(sentence),
      );
      await expect(guard.look(tokenUse({ jti: 'a' }), seconds())).rejects.toMatchObject(unavailable(sentence));
      const opening = await openGuard(server.target({ prefix: `${prefix}:new` }), {
        nowSeconds: () => Date.now() / 1000 - by,
      });
      expect(opening.guard.isReady()).toBe(false);
      expect(opening.reported.downs).toMatchObject([unavailable(sentence)]);
      clock.ahead = 0;
      expect(await guard.claim(tokenUse({ jti: 'b' }), seconds() + 60, seconds())).toBe('fresh');
      await guard.close();
      await opening.guard.close();
    },
  );

  test('several services share one Redis by their prefixes', async () => {
    const guards = await Promise.all(
      ['a', 'b'].map((name) => openGuard(server.target({ prefix: `${prefix}:${name}` })).then(({ guard }) => guard)),
    );
    for (const guard of guards) expect(await guard.claim(tokenUse(), seconds() + 60, seconds())).toBe('fresh');
    for (const guard of guards) expect(await guard.claim(tokenUse(), seconds() + 60, seconds())).toBe('replayed');
    await Promise.all(guards.map((guard) => guard.close()));
  });

  describe('a server', () => {
    test.each(['allkeys-lru', 'volatile-ttl'])(
      'L23: that evicts (%s) is rejected: it would forget uses',
      async (policy) => {
        const evicting = await startRedis({ 'maxmemory-policy': policy });
        await expect(openGuard(evicting.target())).rejects.toThrow(`maxmemory-policy = ${policy}`);
        await evicting.stop();
      },
    );

    test('L23: that begins to evict is not used any more, until it does not', async () => {
      const { guard, reported } = await openGuard(server.target({ prefix }));
      await server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lfu');
      await expect.poll(() => guard.isReady()).toBe(false);
      await expect(guard.claim(tokenUse(), seconds() + 60, seconds())).rejects.toMatchObject(
        unavailable(expect.stringContaining('maxmemory-policy = allkeys-lfu')),
      );
      await server.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
      await expect.poll(() => guard.isReady()).toBe(true);
      expect(reported.downs).toHaveLength(1);
      await guard.close();
    });

    test('L23: that is a replica is rejected, and so are a Sentinel’s master that is one, a cluster and a single server in each other’s place', async () => {
      const replica = await startRedis({ replicaof: `127.0.0.1 ${server.port}` });
      await expect(openGuard(replica.target())).rejects.toThrow('Redis is a replica: name its master');
      await replica.stop();
      const place = { kind: 'cluster', host: '127.0.0.1', port: server.port } as const;
      await expect(openGuard(server.target({ place }))).rejects.toThrow('Redis is no cluster');
      const member = await startRedis({ 'cluster-enabled': 'yes' });
      await expect(openGuard(member.target())).rejects.toThrow('set ECT_REDIS_CLUSTER=yes');
      await member.stop();
    });

    test('L23: that wants another password, or has no such database, is rejected, and the message has no secret', async () => {
      const closed = await startRedis({ requirepass: 'right one' });
      const rejected = async (differs: Parameters<RedisServer['target']>[0]) => {
        const error = await openGuard(closed.target(differs)).catch((thrown: unknown) => thrown as Error);
        const said = error instanceof Error ? `${error.message} ${String((error.cause as Error).message)}` : 'opened';
        expect(said).not.toContain('wrong one');
        return said;
      };
      expect(await rejected({ password: async () => 'wrong one' })).toMatch(/rejects the user or the password/);
      expect(await rejected({})).toMatch(/wants a password/);
      expect(await rejected({ password: async () => 'right one', database: 99 })).toMatch(/no database of the number/);
      const { guard } = await openGuard(closed.target({ password: async () => 'right one', database: 3 }));
      expect(await guard.claim(tokenUse(), seconds() + 60, seconds())).toBe('fresh');
      await guard.close();
      await closed.stop();
    });

    test('over TLS proves by its certificate and its name that it is the right one, or is rejected', async () => {
      using authority = createCertificateAuthority();
      using other = createCertificateAuthority('another CA');
      const folder = mkdtempSync(join(tmpdir(), 'ect-redis-tls-'));
      const file = (name: string, text: string) => {
        writeFileSync(join(folder, name), text);
        return join(folder, name);
      };
      const { cert, key } = authority.issue({ names: [{ ip: '127.0.0.1' }] });
      const port = await freePort();
      const secured = await startRedis({
        'tls-port': `${port}`,
        'tls-cert-file': file('cert.pem', cert),
        'tls-key-file': file('key.pem', key),
        'tls-auth-clients': 'no',
      });
      const target = (host: string, ca: string) =>
        secured.target({ place: { kind: 'server', host, port }, tls: { ca } });
      const { guard } = await openGuard(target('127.0.0.1', authority.cert), { timeouts: NO_HURRY });
      expect(await guard.claim(tokenUse(), seconds() + 60, seconds())).toBe('fresh');
      await guard.close();
      const distrusted = 'does not prove by TLS that it is the right one';
      await expect(openGuard(target('127.0.0.1', other.cert), { timeouts: NO_HURRY })).rejects.toThrow(distrusted);
      await expect(openGuard(target('localhost', authority.cert), { timeouts: NO_HURRY })).rejects.toThrow(distrusted);
      // Redis says nothing to what it takes for a command that is not whole.
      const plain = await openGuard(secured.target({ tls: { ca: authority.cert } }));
      expect(plain.reported.downs).toMatchObject([unavailable('Redis does not answer.')]);
      await plain.guard.close();
      await secured.stop();
      rmSync(folder, { recursive: true });
    });

    test('a user with the rights that the operating page lists is enough', async () => {
      const rights =
        '~ect:* resetchannels -@all +hello +auth +select +info +evalsha +eval +get +set +time +client|setname';
      await server.command('ACL', 'SETUSER', 'service', 'on', '>secret', ...rights.split(' '));
      const { guard } = await openGuard(server.target({ user: 'service', password: async () => 'secret' }));
      expect(await guard.claim(tokenUse(), seconds() + 60, seconds())).toBe('fresh');
      await server.command('ACL', 'SETUSER', 'service', '-evalsha');
      await expect(guard.claim(tokenUse(), seconds() + 60, seconds())).rejects.toMatchObject(
        unavailable(expect.stringContaining('rights')),
      );
      await guard.close();
    });

    test('its warnings for the operator are reported', async () => {
      const { guard, reported } = await openGuard(server.target({ prefix }));
      expect(reported.ups).toEqual([{ warnings: [expect.stringContaining('appendonly = no')], begun: undefined }]);
      await guard.close();
    });
  });
});
