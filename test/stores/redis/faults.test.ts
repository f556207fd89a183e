// What becomes of used tokens when Redis is killed, frozen, emptied, or replaced by a replica that is behind: none is accepted again.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { ReplayGuard, TokenUse } from '../../../src/authority/replay-guard.ts';
import { underDeadline } from '../../../src/concurrency/call-deadline.ts';
import { tokenUse } from '../../contracts/replay-guard.ts';
import { FULL } from '../../support/full.ts';
import { describeWithRedis, freePort, type RedisServer, startRedis, startSentinel } from '../../support/redis.ts';
import { SOON } from '../../support/soon.ts';
import { ANSWER_MS, GAP_SECONDS, openGuard, unavailable } from './guards.ts';

const seconds = () => Math.floor(Date.now() / 1000);

describeWithRedis('Redis', () => {
  const started: { stop(): Promise<void> }[] = [];
  const opened: ReplayGuard[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((guard) => guard.close()));
    await Promise.all(started.splice(0).map((server) => server.stop()));
  });

  async function start(settings: Parameters<typeof startRedis>[0] = {}): Promise<RedisServer> {
    const server = await startRedis(settings);
    started.push(server);
    return server;
  }

  async function open(...args: Parameters<typeof openGuard>) {
    const found = await openGuard(...args);
    opened.push(found.guard);
    return found;
  }

  const claim = (guard: ReplayGuard, differs: Partial<TokenUse> = {}) =>
    guard.claim(tokenUse({ iat: seconds(), ...differs }), seconds() + 600, seconds());

  /** A token that was issued when the history that begins now has been there for long enough. */
  const later = () => ({ iat: seconds() + GAP_SECONDS + 60 });
  const issuedBefore = unavailable(expect.stringContaining('issued before'));

  /** While Redis is away each call is rejected within its turn of the event loop: it does not wait for the network. */
  async function rejectsAtOnce(guard: ReplayGuard): Promise<void> {
    for (let n = 0; n < 50; n++) {
      const nextTurn = new Promise((resolve) => setImmediate(resolve, 'no answer in this turn'));
      const outcome = claim(guard, { jti: `${n}` }).catch((error: unknown) => error);
      expect(await Promise.race([outcome, nextTurn])).toMatchObject(unavailable());
    }
  }

  describe.each([
    ['that keeps nothing on the disk', {}, issuedBefore],
    ['with an append-only file', { appendonly: 'yes', appendfsync: 'always' }, 'replayed'],
  ] as const)('a server %s', (_, settings, afterwards) => {
    test('L23, R8: when it is killed claims are rejected, and after its restart no used token is fresh', async () => {
      const server = await start(settings);
      const { guard, reported } = await open(server.target());
      expect(await claim(guard)).toBe('fresh');
      await server.crash();
      await expect.poll(() => guard.isReady(), SOON).toBe(false);
      await rejectsAtOnce(guard);
      await server.restart();
      await expect.poll(() => guard.isReady(), SOON).toBe(true);
      if (typeof afterwards === 'string') expect(await claim(guard)).toBe(afterwards);
      else await expect(claim(guard)).rejects.toMatchObject(afterwards);
      // Nobody knows whether this one was used.
      await expect(claim(guard, { jti: 'unknown' })).rejects.toMatchObject(issuedBefore);
      await expect(guard.look(tokenUse({ jti: 'unknown', iat: seconds() }), seconds())).rejects.toMatchObject(
        issuedBefore,
      );
      expect(await claim(guard, { jti: 'later', ...later() })).toBe('fresh');
      expect(await claim(guard, { jti: 'later', ...later() })).toBe('replayed');
      expect(reported.downs).toHaveLength(1);
      expect(reported.ups.map(({ begun }) => begun)).toEqual([undefined, expect.any(Number)]);
    });
  });

  test('L23: the time from which tokens are accepted is exact and reported: as late as clocks and `iat` may be ahead', async () => {
    const server = await start();
    const { guard, reported } = await open(server.target(), { isUnused: false });
    const since = reported.ups[0]?.begun ?? 0;
    expect(since).toBeGreaterThan(seconds() - 60);
    for (const iat of [since - 900, since, since + GAP_SECONDS]) {
      await expect(claim(guard, { jti: `${iat}`, iat })).rejects.toMatchObject(issuedBefore);
    }
    const before = seconds();
    const rejected = (await claim(guard).catch((error: unknown) => error)) as { metadata: Record<string, string> };
    const wait = Number(rejected.metadata['retry_after_seconds']);
    expect(seconds() + wait).toBeGreaterThan(since + GAP_SECONDS);
    expect(before + wait).toBeLessThanOrEqual(since + GAP_SECONDS + 2);
    expect(await claim(guard, { iat: since + GAP_SECONDS + 1 })).toBe('fresh');
  });

  test('L23: an emptied server rejects every token from before, through every guard', async () => {
    const server = await start();
    const [one, other] = [await open(server.target()), await open(server.target())];
    expect(await claim(one.guard)).toBe('fresh');
    await server.command('FLUSHALL');
    for (const { guard } of [one, other]) {
      await expect(claim(guard)).rejects.toMatchObject(unavailable());
      await expect.poll(() => guard.isReady(), SOON).toBe(true);
      await expect(claim(guard)).rejects.toMatchObject(issuedBefore);
    }
    expect(await claim(one.guard, { jti: 'later', ...later() })).toBe('fresh');
    expect(await claim(other.guard, { jti: 'later', ...later() })).toBe('replayed');
  });

  test('L23: a frozen server is given up in time, then at once; a claim whose answer was lost is its caller’s own', async () => {
    const server = await start();
    const { guard } = await open(server.target());
    expect(await claim(guard, { jti: 'used' })).toBe('fresh');
    server.signal('SIGSTOP');
    // A frozen server never answers.
    await expect(claim(guard, { requestId: 'call 1' })).rejects.toMatchObject(
      unavailable(expect.stringContaining('the outcome is open')),
    );
    await rejectsAtOnce(guard);
    server.signal('SIGCONT');
    await expect.poll(() => guard.isReady(), SOON).toBe(true);
    expect(await claim(guard, { requestId: 'call 1' })).toBe('repeated');
    expect(await claim(guard, { requestId: 'call 2' })).toBe('replayed');
    expect(await claim(guard, { jti: 'used' })).toBe('replayed');
  });

  test('L23: a caller gets within its deadline the rejection that Redis does not answer, and its retry is recognised', async () => {
    const server = await start();
    const { guard } = await open(server.target(), { timeouts: { answerMs: 60_000, examineMs: 60_000 } });
    server.signal('SIGSTOP');
    const answerByMs = performance.now() + 50;
    await expect(underDeadline(answerByMs, () => claim(guard, { requestId: 'call 1' }))).rejects.toMatchObject(
      unavailable(expect.stringContaining('within the deadline of the call')),
    );
    server.signal('SIGCONT');
    expect(await claim(guard, { requestId: 'call 1' })).toBe('repeated');
    expect(await claim(guard)).toBe('replayed');
  });

  test('L23: without memory claims are rejected as full, and go on when there is some', async () => {
    const server = await start();
    const { guard } = await open(server.target());
    expect(await claim(guard)).toBe('fresh');
    await server.command('CONFIG', 'SET', 'maxmemory', 1);
    await expect(claim(guard, { jti: 'next' })).rejects.toMatchObject({ reason: 'REPLAY_GUARD_FULL' });
    await expect(claim(guard)).rejects.toMatchObject({ reason: 'REPLAY_GUARD_FULL' });
    await server.command('CONFIG', 'SET', 'maxmemory', 0);
    expect(await claim(guard)).toBe('replayed');
    expect(await claim(guard, { jti: 'next' })).toBe('fresh');
  });

  test('L23: a master without the replicas that it must have accepts nothing', async () => {
    const server = await start();
    const { guard } = await open(server.target());
    await server.command('CONFIG', 'SET', 'min-replicas-to-write', 1);
    await expect(claim(guard)).rejects.toMatchObject(unavailable(expect.stringContaining('min-replicas-to-write')));
    await server.command('CONFIG', 'SET', 'min-replicas-to-write', 0);
    expect(await claim(guard)).toBe('fresh');
  });

  test('L23: a server that is away at the start is waited for, and accepts nothing from before', async () => {
    const server = await start();
    await server.crash();
    const { guard, reported } = await open(server.target());
    await expect(claim(guard)).rejects.toMatchObject(unavailable('Redis cannot be reached.'));
    expect(reported.downs).toHaveLength(1);
    await server.restart();
    await expect.poll(() => guard.isReady(), SOON).toBe(true);
    await expect(claim(guard)).rejects.toMatchObject(issuedBefore);
  });

  test('L23: a server that is loading its data is waited for', async () => {
    const server = await start({
      appendonly: 'yes',
      // By default a write may wait up to two seconds for a flush to the disk, and a crash would lose it.
      appendfsync: 'always',
      'key-load-delay': '2000',
      'loading-process-events-interval-bytes': '1024',
    });
    const { guard, reported } = await open(server.target());
    const claims = Array.from({ length: 250 }, (_, n) => claim(guard, { jti: `${n}` }));
    expect(new Set(await Promise.all(claims))).toEqual(new Set(['fresh']));
    await server.crash();
    const restarted = server.restart();
    await expect.poll(() => reported.downs.length, SOON).toBeGreaterThan(0);
    await restarted;
    await expect.poll(() => guard.isReady(), SOON).toBe(true);
    expect(await claim(guard, { jti: '1' })).toBe('replayed');
  });

  describe('failover', () => {
    /** A name that leads to one server after another, as DNS or a load balancer makes it. */
    async function startProxy(first: RedisServer) {
      let { port } = first;
      const sockets = new Set<Socket>();
      const listener = createServer((socket) => {
        const onward = connect(port, '127.0.0.1');
        for (const [from, to] of [
          [socket, onward],
          [onward, socket],
        ] as const) {
          sockets.add(from);
          from.pipe(to);
          from.on('error', () => to.destroy());
          from.on('close', () => {
            sockets.delete(from);
            to.destroy();
          });
        }
      }).listen(0, '127.0.0.1');
      await once(listener, 'listening');
      const stop = async () => {
        for (const socket of sockets) socket.destroy();
        listener.close();
        await once(listener, 'close');
      };
      started.push({ stop });
      return {
        place: { kind: 'server', host: '127.0.0.1', port: (listener.address() as AddressInfo).port } as const,
        leadTo: (server: RedisServer) => {
          port = server.port;
        },
      };
    }

    async function inStep(master: RedisServer, replica: RedisServer): Promise<void> {
      const synced = async () => {
        const [a, b] = await Promise.all([master, replica].map((each) => each.command('INFO', 'replication')));
        const offset = /master_repl_offset:([0-9]+)/.exec(String(a))?.[1];
        return /master_link_status:up/.test(String(b)) && String(b).includes(`slave_repl_offset:${offset}`);
      };
      await expect.poll(synced, SOON).toBe(true);
    }

    test('L23: to a replica that is behind: what it lacks is rejected, not accepted again', async () => {
      const master = await start();
      const replica = await start({ replicaof: `127.0.0.1 ${master.port}` });
      const proxy = await startProxy(master);
      const { guard } = await open(master.target({ place: proxy.place }));
      expect(await claim(guard, { jti: 'known' })).toBe('fresh');
      await inStep(master, replica);
      // It is cut off: nobody is where its master is to be.
      await replica.command('REPLICAOF', '127.0.0.1', await freePort());
      expect(await claim(guard, { jti: 'lost' })).toBe('fresh');
      await master.crash();
      proxy.leadTo(replica);
      // A replica is not taken for the master.
      await expect
        .poll(() => claim(guard, { jti: 'lost' }).catch(({ message }) => message), SOON)
        .toContain('is a replica');
      await replica.command('REPLICAOF', 'NO', 'ONE');
      await expect.poll(() => guard.isReady(), SOON).toBe(true);
      expect(await claim(guard, { jti: 'known' })).toBe('replayed');
      await expect(claim(guard, { jti: 'lost' })).rejects.toMatchObject(issuedBefore);
      expect(await claim(guard, { jti: 'later', ...later() })).toBe('fresh');
    });

    test('L23: of a server that becomes a replica under an open connection nothing is accepted', async () => {
      const server = await start();
      const next = await start();
      const { guard } = await open(server.target(), {
        timeouts: { connectMs: 600, answerMs: ANSWER_MS, examineMs: 60_000 },
      });
      expect(await claim(guard)).toBe('fresh');
      await server.command('REPLICAOF', '127.0.0.1', next.port);
      await expect(claim(guard, { jti: 'next' })).rejects.toMatchObject(unavailable());
      await expect(guard.look(tokenUse({ jti: 'next' }), seconds())).rejects.toMatchObject(unavailable());
      // It has the data of the other one then, which knows no history.
      await expect
        .poll(() => server.command('INFO', 'replication').then(String), SOON)
        .toContain('master_link_status:up');
      await server.command('REPLICAOF', 'NO', 'ONE');
      await expect.poll(() => guard.isReady(), SOON).toBe(true);
      await expect(claim(guard)).rejects.toMatchObject(issuedBefore);
    });

    test.runIf(FULL)('L23: by a Sentinel: the guard follows, and what was used stays used or is rejected', async () => {
      const master = await start();
      const replica = await start({ replicaof: `127.0.0.1 ${master.port}` });
      await inStep(master, replica);
      const sentinel = await startSentinel(master);
      started.push(sentinel);
      const place = {
        kind: 'sentinel',
        sentinels: [{ host: '127.0.0.1', port: sentinel.port }],
        master: 'main',
      } as const;
      const { guard, reported } = await open(master.target({ place }));
      expect(reported.ups[0]?.warnings.join()).toContain('min-replicas-to-write');
      expect(await claim(guard)).toBe('fresh');
      await expect
        .poll(() => sentinel.command('SENTINEL', 'REPLICAS', 'main').then(String), SOON)
        .toContain(`${replica.port}`);
      await master.crash();
      await expect.poll(() => guard.isReady(), SOON).toBe(false);
      await expect.poll(() => guard.isReady(), SOON).toBe(true);
      const again = await claim(guard).catch((error: unknown) => error);
      if (again instanceof Error) expect(again).toMatchObject(issuedBefore);
      else expect(again).toBe('replayed');
      await expect(claim(guard, { jti: 'unknown' })).rejects.toMatchObject(issuedBefore);
    });
  });
});
