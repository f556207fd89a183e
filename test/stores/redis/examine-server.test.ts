// What INFO of a server says about whether it can be trusted to remember.

import { describe, expect, test } from 'vitest';
import { examineServer, type ServerKind } from '../../../src/stores/redis/examine-server.ts';

const GOOD = {
  redis_version: '7.0.15',
  redis_mode: 'standalone',
  run_id: 'a'.repeat(40),
  role: 'master',
  loading: '0',
  aof_enabled: '1',
  maxmemory_policy: 'noeviction',
};

function examine(differs: Readonly<Record<string, string | undefined>> = {}, kind: ServerKind = 'server') {
  const lines = Object.entries({ ...GOOD, ...differs }).filter(([, value]) => value !== undefined);
  return examineServer(`# Server\r\n${lines.map(([name, value]) => `${name}:${value}\r\n`).join('')}`, kind);
}

test('a good one is known by its run', () => {
  expect(examine()).toEqual({ runId: GOOD.run_id, warnings: [] });
  expect(examine({ redis_version: '10.1.0' }).warnings).toEqual([]);
});

test('Valkey says its mode under a name of its own', () => {
  const valkey = { redis_version: '7.2.4', valkey_version: '9.1.2', redis_mode: undefined };
  const [alone, member] = ['standalone', 'cluster'].map((mode) => ({ ...valkey, server_mode: mode }));
  expect(examine(alone).warnings).toEqual([]);
  expect(examine(member, 'cluster').warnings).toEqual([]);
  expect(() => examine(member)).toThrow('set ECT_REDIS_CLUSTER=yes');
  expect(() => examine(alone, 'cluster')).toThrow('unset ECT_REDIS_CLUSTER');
  expect(() => examine({ ...valkey, server_mode: 'sentinel' })).toThrow('leads to a Sentinel');
});

describe('L23: rejected until an operator acts is', () => {
  test.each<[string, object, ServerKind]>([
    ['older than version 7', { redis_version: '6.2.14' }, 'server'],
    ['older than version 7', { redis_version: undefined }, 'server'],
    ['does not say its run_id', { run_id: undefined }, 'server'],
    ['maxmemory-policy = volatile-lru', { maxmemory_policy: 'volatile-lru' }, 'server'],
    ['maxmemory-policy = unknown', { maxmemory_policy: undefined }, 'sentinel'],
    ['leads to a Sentinel', { redis_mode: 'sentinel' }, 'server'],
    ['set ECT_REDIS_CLUSTER=yes', { redis_mode: 'cluster' }, 'server'],
    ['unset ECT_REDIS_CLUSTER', {}, 'cluster'],
    ['unset ECT_REDIS_CLUSTER', {}, 'cluster-member'],
    ['is a replica: name its master', { role: 'slave' }, 'server'],
  ])('one of which is said: %s', (sentence, differs, kind) => {
    expect(() => examine({ ...differs }, kind)).toThrow(
      expect.objectContaining({ name: 'UnfitRedis', message: expect.stringContaining(sentence) }),
    );
  });
});

describe('L23: waited for is', () => {
  test.each<[string, object, ServerKind]>([
    ['one that is loading its data', { loading: '1' }, 'server'],
    ['one that does not say whether it is', { loading: undefined }, 'server'],
    ['a replica that a Sentinel still names', { role: 'slave' }, 'sentinel'],
    ['a replica of a cluster in the place of its master', { role: 'slave', redis_mode: 'cluster' }, 'cluster'],
  ])('%s', (_, differs, kind) => {
    expect(() => examine({ ...differs }, kind)).toThrow(expect.objectContaining({ name: 'RedisAway' }));
  });

  test('but any node of a cluster knows its map', () => {
    expect(examine({ role: 'slave', redis_mode: 'cluster' }, 'cluster-member').runId).toBe(GOOD.run_id);
  });
});

test('settings that may lose uses are reported as warnings', () => {
  expect(examine({ aof_enabled: '0' }).warnings).toEqual([expect.stringContaining('appendonly = no')]);
  expect(examine({}, 'sentinel').warnings).toEqual([expect.stringContaining('min-replicas-to-write = 0')]);
  expect(examine({ min_slaves_good_slaves: '1' }, 'sentinel').warnings).toEqual([]);
});
