// Opens the connections that the configuration needs: one to a server or to the master that Sentinels name, or one to each master of a
// cluster.

import { RedisAway } from './failures.ts';
import { CLUSTER_GROUPS, historyName } from './key-names.ts';
import { type NodeOptions, RedisNode, type RedisTimeouts } from './node.ts';
import type { RedisAddress, RedisTarget } from './target.ts';

/** Returns the open connections, by group. If one fails, all are closed. Throws UnfitRedis with the remedy, or RedisAway. */
export async function openNodes(target: RedisTarget, timeouts: RedisTimeouts): Promise<readonly RedisNode[]> {
  const { place } = target;
  const options = await commonOptions(target);
  if (place.kind === 'server') return [await RedisNode.open({ ...options, ...addressOf(place) }, 'server', timeouts)];
  if (place.kind === 'sentinel') {
    const sentinelPassword = await target.sentinelPassword();
    const { tls } = options;
    return [
      await RedisNode.open(
        {
          ...options,
          sentinels: fromAnyOf(place.sentinels.map(addressOf)),
          name: place.master,
          ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
          ...(tls === undefined ? {} : { sentinelTLS: tls, enableTLSForSentinelMode: true }),
        },
        'sentinel',
        timeouts,
      ),
    ];
  }
  const { masters, masterOf } = await readCluster({ ...options, ...addressOf(place) }, target.prefix, timeouts);
  const nodes = await openAll(
    masters.map((address) => RedisNode.open({ ...options, ...address }, 'cluster', timeouts)),
  );
  return masterOf.map((at) => nodes[at]!);
}

async function commonOptions({ user, password, database, tls }: RedisTarget): Promise<NodeOptions> {
  const secret = await password();
  return {
    db: database,
    ...(user === undefined ? {} : { username: user }),
    ...(secret === undefined ? {} : { password: secret }),
    ...(tls === undefined
      ? {}
      : { tls: { ...(tls.ca === undefined ? {} : { ca: tls.ca }), rejectUnauthorized: true } }),
  };
}

/** Returns all of them in an order that begins at random, because an attempt with a frozen one takes the whole timeout. */
function fromAnyOf<T>(all: readonly T[]): T[] {
  const first = Math.floor(Math.random() * all.length);
  return [...all.slice(first), ...all.slice(0, first)];
}

function addressOf({ host, port }: RedisAddress): RedisAddress {
  return { host, port };
}

async function openAll(opening: readonly Promise<RedisNode>[]): Promise<readonly RedisNode[]> {
  const settled = await Promise.allSettled(opening);
  const failure = settled.find((outcome) => outcome.status === 'rejected');
  return settled.flatMap((outcome) => {
    if (failure === undefined) return outcome.status === 'fulfilled' ? [outcome.value] : [];
    if (outcome.status === 'fulfilled') outcome.value.end(new RedisAway('Another node of the cluster is away.'));
    throw failure.reason;
  });
}

/** The masters of a cluster, and the master of each group. */
interface ClusterMap {
  readonly masters: readonly RedisAddress[];
  readonly masterOf: readonly number[];
}

/**
 * Reads the layout of the cluster. The cluster client of the driver is not used: it redirects a claim to nodes that were not examined,
 * and repeats it if a connection was lost.
 */
async function readCluster(options: NodeOptions, prefix: string, timeouts: RedisTimeouts): Promise<ClusterMap> {
  const any = await RedisNode.open(options, 'cluster-member', timeouts);
  try {
    const groups = Array.from({ length: CLUSTER_GROUPS }, (_, group) => group);
    const [rows, slots] = await Promise.all([
      any.run((client) => client.cluster('SLOTS')),
      Promise.all(groups.map((group) => any.run((client) => client.cluster('KEYSLOT', historyName(prefix, group))))),
    ]);
    const ranges = rowsOf(rows, options.host ?? '');
    const masters = [...new Map(ranges.map(({ master }) => [nameOf(master), master])).values()];
    const masterOf = slots.map((slot) => {
      const range = ranges.find(({ first, last }) => first <= slot && slot <= last);
      if (range === undefined) throw new RedisAway('The cluster of Redis has slots that no node serves.');
      return masters.findIndex((master) => nameOf(master) === nameOf(range.master));
    });
    return { masters, masterOf };
  } finally {
    any.end(new RedisAway('The map of the cluster is known.'));
  }
}

interface SlotRange {
  readonly first: number;
  readonly last: number;
  readonly master: RedisAddress;
}

/** Parses the response to CLUSTER SLOTS: the master is the first node of a row. A node without a name is the one that was asked. */
function rowsOf(answer: unknown, host: string): readonly SlotRange[] {
  return (answer as readonly [number, number, readonly [string | null, number]][]).map(
    ([first, last, [name, port]]) => {
      return { first, last, master: { host: name === null || name === '' ? host : name, port } };
    },
  );
}

function nameOf({ host, port }: RedisAddress): string {
  return `${host} ${port}`;
}
