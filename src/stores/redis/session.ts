// All connections that the guard needs at one time. If one ends, all are closed, and everything is examined again. So no use is claimed
// on a server whose history is unknown.

import { RedisAway } from './failures.ts';
import { groupOf, historyName, useName } from './key-names.ts';
import type { RedisNode, RedisTimeouts } from './node.ts';
import { openNodes } from './nodes.ts';
import { CLAIM, CLOCKS_DIFFER, OPEN_HISTORY, runScript } from './scripts.ts';
import type { RedisTarget } from './target.ts';

/** How a history begins if there is none. */
export interface HistoryStart {
  /** Seconds since the epoch. */
  readonly now: number;
  /** Whether no token was ever used, so that no history is missing. */
  readonly isUnused: boolean;
}

/** The arguments of CLAIM for a use. Times are seconds since the epoch. */
export interface ClaimArguments {
  readonly mode: 'claim' | 'look';
  readonly digest: Uint8Array;
  /** SHA-256 of the request id, or NO_LABEL. */
  readonly label: Buffer;
  readonly keepUntil: number;
  readonly now: number;
  readonly clock: number;
  /** The token cannot have been used before this time, whatever the clocks of its issuer and its verifiers showed. */
  readonly notBefore: number;
  readonly ttlMs: number;
}

export class RedisSession {
  readonly #prefix: string;
  /** By group. Each node of a cluster has several groups. */
  readonly #nodeOf: readonly RedisNode[];
  readonly #nodes: ReadonlySet<RedisNode>;
  readonly #isOver = Promise.withResolvers<Error>();
  /** The latest beginning of a history in this session, in seconds since the epoch; undefined if all histories existed before. */
  readonly begun: number | undefined;

  /** Throws UnfitRedis with the remedy, or RedisAway. */
  static async open(target: RedisTarget, start: HistoryStart, timeouts: RedisTimeouts): Promise<RedisSession> {
    const nodeOf = await openNodes(target, timeouts);
    try {
      return new RedisSession(target.prefix, nodeOf, await openHistories(target.prefix, nodeOf, start));
    } catch (error) {
      for (const node of nodeOf) node.end(new RedisAway('The history in Redis cannot be opened.'));
      throw error;
    }
  }

  private constructor(prefix: string, nodeOf: readonly RedisNode[], begun: number | undefined) {
    this.#prefix = prefix;
    this.#nodeOf = nodeOf;
    this.#nodes = new Set(nodeOf);
    this.begun = begun;
    for (const node of this.#nodes) void node.ended.then((reason) => this.end(reason));
  }

  /** Resolves with the reason when the session has ended. */
  get over(): Promise<Error> {
    return this.#isOver.promise;
  }

  get warnings(): readonly string[] {
    return [...new Set([...this.#nodes].flatMap(({ facts }) => facts.warnings))];
  }

  /** Returns the result of CLAIM. */
  async claim(key: Buffer, use: ClaimArguments): Promise<string> {
    const group = groupOf(key, this.#nodeOf.length);
    const node = this.#nodeOf[group]!;
    const keys = [useName(this.#prefix, group, key), historyName(this.#prefix, group)];
    const { mode, digest, label, keepUntil, now, clock, notBefore, ttlMs } = use;
    const { runId } = node.facts;
    const args = [mode, Buffer.from(digest), label, keepUntil, now, clock, notBefore, runId, ttlMs];
    const reply = String(await node.run((client) => runScript(client, CLAIM, keys, args)));
    if (reply === 'lost') this.end(new RedisAway('Redis has lost what it knew.'));
    return reply;
  }

  end(reason: Error): void {
    for (const node of this.#nodes) node.end(reason);
    this.#isOver.resolve(reason);
  }
}

/** Returns the latest beginning of the histories that began now. */
async function openHistories(
  prefix: string,
  nodeOf: readonly RedisNode[],
  { now, isUnused }: HistoryStart,
): Promise<number | undefined> {
  const use = isUnused ? 'never-used' : 'unknown';
  const begun = await Promise.all(
    nodeOf.map(async (node, group) => {
      const keys = [historyName(prefix, group)];
      const reply = await node.run((client) => runScript(client, OPEN_HISTORY, keys, [node.facts.runId, now, use]));
      const [what, since] = Array.isArray(reply) ? reply.map(String) : [];
      if (what === 'clock') throw new RedisAway(CLOCKS_DIFFER);
      return what === 'begun' ? Number(since) : 0;
    }),
  );
  const newest = Math.max(...begun);
  return newest > 0 ? newest : undefined;
}
