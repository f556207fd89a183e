// One connection to one Redis server. The server is examined before the first use and then every second. The connection is closed at the
// first failure.

import { Redis, type RedisOptions } from 'ioredis';
import { examineServer, INFO_SECTIONS, type ServerFacts, type ServerKind } from './examine-server.ts';
import { connectFailure, endsConnection, RedisAway } from './failures.ts';

/** The address, and the credentials. */
export type NodeOptions = Pick<
  RedisOptions,
  | 'host'
  | 'port'
  | 'username'
  | 'password'
  | 'db'
  | 'tls'
  | 'sentinels'
  | 'name'
  | 'sentinelPassword'
  | 'sentinelTLS'
  | 'enableTLSForSentinelMode'
>;

/** Timeouts, in milliseconds. */
export interface RedisTimeouts {
  /** Until the connection is open, authenticated and examined. */
  readonly connectMs: number;
  readonly answerMs: number;
  /** The interval of examinations of an open connection. */
  readonly examineMs: number;
}

/** More commands are rejected, so that a slow server does not cause a long queue. */
const MAX_WAITING = 10_000;

interface Waiting {
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Nothing is sent before there is a connection, and nothing is sent twice: a repeated claim would find its own use. */
const DRIVER = {
  lazyConnect: true,
  retryStrategy: null,
  sentinelRetryStrategy: () => null,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  enableReadyCheck: false,
  disableClientInfo: true,
  connectionName: 'ect-authority',
  disconnectTimeout: 100,
} as const satisfies RedisOptions;

export class RedisNode {
  readonly #client: Redis;
  readonly #kind: ServerKind;
  readonly #timeouts: RedisTimeouts;
  readonly #waiting = new Set<Waiting>();
  readonly #ended = Promise.withResolvers<Error>();
  readonly #timer: NodeJS.Timeout;
  #failure: Error | undefined;
  #isExamining = false;
  #isGathering = false;
  readonly facts: ServerFacts;

  /** Opens a connection. Throws UnfitRedis with the remedy, or RedisAway. */
  static async open(options: NodeOptions, kind: ServerKind, timeouts: RedisTimeouts): Promise<RedisNode> {
    const client = new Redis({
      ...DRIVER,
      ...options,
      connectTimeout: timeouts.connectMs,
      sentinelCommandTimeout: timeouts.connectMs,
    });
    let reported: Error | undefined;
    // Only the first error is kept; the next one says that the connection is closed.
    client.on('error', (error: Error) => {
      reported ??= error;
    });
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new RedisAway('Redis does not answer.')), timeouts.connectMs);
    try {
      const facts = await Promise.race([examined(client, kind), late]);
      // For example a database that does not exist: the driver would continue with another one.
      if (reported !== undefined) throw reported;
      return new RedisNode(client, kind, timeouts, facts);
    } catch (error) {
      client.disconnect();
      throw connectFailure(reported ?? error);
    } finally {
      clearTimeout(timer);
    }
  }

  private constructor(client: Redis, kind: ServerKind, timeouts: RedisTimeouts, facts: ServerFacts) {
    this.#client = client;
    this.#kind = kind;
    this.#timeouts = timeouts;
    this.facts = facts;
    client.on('error', (error: Error) => this.end(connectFailure(error)));
    client.on('end', () => this.end(new RedisAway('The connection to Redis has ended.')));
    this.#timer = setInterval(() => void this.#examine(), timeouts.examineMs);
    this.#timer.unref();
    if (client.status !== 'ready') this.end(new RedisAway('The connection to Redis has ended.'));
  }

  /** Resolves with the reason when the connection has ended. */
  get ended(): Promise<Error> {
    return this.#ended.promise;
  }

  /** Sends a command. If its response does not arrive in time, the connection is closed, and the effect of the command is unknown. */
  run<T>(command: (client: Redis) => Promise<T>): Promise<T> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#waiting.size >= MAX_WAITING) return Promise.reject(new RedisAway('Redis answers too slowly.'));
    return new Promise<T>((resolve, reject) => {
      // If this process itself was late, the response may have arrived without having been read. setImmediate lets it be read first.
      const timer = setTimeout(() => setImmediate(() => this.#rejectLate(waiting)), this.#timeouts.answerMs);
      const waiting: Waiting = { reject, timer };
      this.#waiting.add(waiting);
      this.#gather();
      const settle = () => {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
      };
      command(this.#client).then(
        (result) => {
          settle();
          resolve(result);
        },
        (error: unknown) => {
          settle();
          if (isAnswer(error)) {
            reject(error);
            if (endsConnection(error)) this.end(connectFailure(error));
          } else {
            const lost = new RedisAway('The connection to Redis has ended: the outcome is open.', { cause: error });
            reject(lost);
            this.end(lost);
          }
        },
      );
    });
  }

  /** Closes the connection, and rejects every command that waits for a response. */
  end(reason: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    clearInterval(this.#timer);
    for (const { reject, timer } of this.#waiting) {
      clearTimeout(timer);
      reject(reason);
    }
    this.#waiting.clear();
    this.#client.disconnect();
    this.#ended.resolve(reason);
  }

  /** All commands of one turn of the event loop are sent in one write, and Redis reads them together. */
  #gather(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    const { stream } = this.#client;
    stream.cork();
    setImmediate(() => {
      this.#isGathering = false;
      stream.uncork();
    });
  }

  #rejectLate(waiting: Waiting): void {
    if (!this.#waiting.has(waiting)) return;
    this.end(new RedisAway('Redis did not answer in time: the outcome is open.'));
  }

  async #examine(): Promise<void> {
    if (this.#isExamining) return;
    this.#isExamining = true;
    try {
      examineServer(await this.run((client) => client.info(...INFO_SECTIONS)), this.#kind);
    } catch (error) {
      this.end(connectFailure(error));
    }
    this.#isExamining = false;
  }
}

/** Whether the server has rejected the command. The connection can still be used. */
function isAnswer(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}

async function examined(client: Redis, kind: ServerKind): Promise<ServerFacts> {
  await client.connect();
  return examineServer(await client.info(...INFO_SECTIONS), kind);
}
