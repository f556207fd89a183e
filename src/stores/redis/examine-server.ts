// Checks whether a server can be trusted to keep data. Called for each new connection, which after a failover leads to another server,
// and every second after that.

import { RedisAway, UnfitRedis } from './failures.ts';

/** The expected kind of server: `cluster` is a master of a cluster, `cluster-member` any of its nodes. */
export type ServerKind = 'server' | 'sentinel' | 'cluster' | 'cluster-member';

/** The facts about a usable server, from INFO. */
export interface ServerFacts {
  /** Identifies this process of the server. It changes with each restart. */
  readonly runId: string;
  /** Warnings for the operator. */
  readonly warnings: readonly string[];
}

/** The sections of INFO that are needed. */
export const INFO_SECTIONS = ['server', 'replication', 'memory', 'persistence'] as const;

/** The oldest major version that the scripts are tested with. */
const OLDEST_MAJOR = 7;

/** Throws UnfitRedis with the remedy, or RedisAway if the state is temporary. */
export function examineServer(info: string, kind: ServerKind): ServerFacts {
  const found = new Map(
    info.split(/\r?\n/).flatMap((line) => {
      const [, name = '', value = ''] = /^([a-z_0-9]+):(.*)$/.exec(line) ?? [];
      return name === '' ? [] : [[name, value] as const];
    }),
  );
  rejectUnfit(found, kind);
  if (found.get('loading') !== '0') throw new RedisAway('Redis is loading its data.');
  if (found.get('role') !== 'master' && kind !== 'cluster-member') {
    if (kind === 'server') throw new UnfitRedis('Redis is a replica: name its master in ECT_REDIS_URL.');
    throw new RedisAway('Redis is a replica, and its master is not known yet.');
  }
  return { runId: found.get('run_id') ?? '', warnings: warningsOf(found, kind) };
}

function rejectUnfit(found: ReadonlyMap<string, string>, kind: ServerKind): void {
  // Valkey renamed the field in version 8.
  const mode = found.get('redis_mode') ?? found.get('server_mode');
  if (mode === 'sentinel') throw new UnfitRedis('ECT_REDIS_URL leads to a Sentinel: name it in ECT_REDIS_SENTINELS.');
  const isCluster = kind === 'cluster' || kind === 'cluster-member';
  if ((mode === 'cluster') !== isCluster) {
    throw new UnfitRedis(
      isCluster
        ? 'Redis is no cluster: unset ECT_REDIS_CLUSTER.'
        : 'Redis is part of a cluster: set ECT_REDIS_CLUSTER=yes.',
    );
  }
  if (!(Number.parseInt(found.get('redis_version') ?? '', 10) >= OLDEST_MAJOR)) {
    throw new UnfitRedis(`Redis is older than version ${OLDEST_MAJOR}: upgrade it.`);
  }
  if (!/^[0-9a-f]{40}$/.test(found.get('run_id') ?? '')) throw new UnfitRedis('Redis does not say its run_id in INFO.');
  const policy = found.get('maxmemory_policy');
  if (policy !== 'noeviction') {
    throw new UnfitRedis(
      `Redis has maxmemory-policy = ${policy ?? 'unknown'}, so it may forget tokens that were used: set noeviction.`,
    );
  }
}

function warningsOf(found: ReadonlyMap<string, string>, kind: ServerKind): readonly string[] {
  const warnings: string[] = [];
  if (found.get('aof_enabled') !== '1') {
    warnings.push('Redis has appendonly = no: after a restart every token that was issued before it is rejected');
  }
  if (kind === 'sentinel' && !found.has('min_slaves_good_slaves')) {
    warnings.push(
      'Redis has min-replicas-to-write = 0: a master that is cut off from the others goes on, and a token can be accepted by it and by the next master',
    );
  }
  return warnings;
}
