// Finds the primary among several servers. One search runs at a time; while there is no primary, calls are rejected at once, and only one
// call at a time searches again.

import { DatabaseDown, isConnectionShort, isOutOfReach, StandbyServer, sentenceOf } from './failures.ts';

/** The address of a server. */
export interface ServerAddress {
  /** A name, an address, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
}

export interface PrimarySearchOptions {
  /** In the order in which they are tried. */
  readonly servers: readonly [ServerAddress, ...ServerAddress[]];
  /** Resolves if the server is the primary and can be used, in bounded time. */
  readonly ask: (server: ServerAddress) => Promise<void>;
  /** A primary was found. `downMs`: how long there was none; undefined if another one was known until then. */
  readonly onFound: (server: ServerAddress, downMs: number | undefined) => void;
  /** There is no primary any more. */
  readonly onLost: (cause: Error) => void;
  /** A monotonic clock, in milliseconds. */
  readonly nowMs?: () => number;
}

/** Pauses between two searches while there is no primary, in milliseconds: the first and the longest. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;

interface Outage {
  readonly cause: DatabaseDown;
  readonly sinceMs: number;
  readonly rounds: number;
  readonly retryAtMs: number;
}

export class PrimarySearch {
  readonly #options: PrimarySearchOptions;
  readonly #nowMs: () => number;
  /** The server for new connections. */
  #current: ServerAddress | undefined;
  /** The last primary. */
  #last: ServerAddress | undefined;
  /** The index of the server that the next search tries first. */
  #first: ServerAddress;
  #outage: Outage | undefined;
  #running: Promise<ServerAddress> | undefined;

  constructor(options: PrimarySearchOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    const [first, ...others] = options.servers;
    this.#first = first;
    // A single server is found by connecting to it.
    if (others.length === 0) this.#current = first;
  }

  /** The primary, as far as it is known. */
  get current(): ServerAddress | undefined {
    return this.#current;
  }

  /** Whether there is no primary. */
  get isDown(): boolean {
    return this.#outage !== undefined;
  }

  /** The rejection for calls that cannot wait while there is no primary. */
  get rejection(): DatabaseDown | undefined {
    return this.#outage?.cause.repeated();
  }

  /** Whether no server responds at all, so that existing connections may be dead too. */
  get isSilent(): boolean {
    return this.#outage !== undefined && isOutOfReach(this.#outage.cause.cause);
  }

  /** The server to connect to. DatabaseDown if there is no primary: at once, if that is known already. */
  async find(): Promise<ServerAddress> {
    if (this.#current !== undefined && this.#outage === undefined) return this.#current;
    const isTooEarly = this.#outage !== undefined && this.#nowMs() < this.#outage.retryAtMs;
    if (this.#outage !== undefined && (this.#running !== undefined || isTooEarly)) {
      throw this.rejection ?? this.#outage.cause;
    }
    this.#running ??= this.#look(this.#first);
    return this.#running;
  }

  /** The server cannot be connected to, or is not the primary. */
  failed(server: ServerAddress, cause: Error): void {
    if (server !== this.#current || isConnectionShort(cause)) return;
    const { servers } = this.#options;
    this.#current = undefined;
    this.#first = servers[(servers.indexOf(server) + 1) % servers.length] ?? server;
    if (servers.length === 1) this.#lose([cause]);
  }

  /** The server did not respond to a statement: checks whether it still is the primary. */
  suspect(server: ServerAddress): void {
    if (server !== this.#current || this.#running !== undefined) return;
    this.#running = this.#look(server);
    this.#running.catch(() => undefined);
  }

  /** Tries each server once, starting with `first`. */
  async #look(first: ServerAddress): Promise<ServerAddress> {
    const { servers, ask } = this.#options;
    const start = servers.indexOf(first);
    const causes: Error[] = [];
    try {
      for (const server of [...servers.slice(start), ...servers.slice(0, start)]) {
        try {
          await ask(server);
          this.#found(server);
          return server;
        } catch (cause) {
          causes[servers.indexOf(server)] = cause as Error;
        }
      }
      throw this.#lose(causes);
    } finally {
      this.#running = undefined;
    }
  }

  #found(server: ServerAddress): void {
    const downMs = this.#outage && this.#nowMs() - this.#outage.sinceMs;
    const isNews = downMs !== undefined || this.#last !== server;
    this.#outage = undefined;
    this.#current = server;
    this.#last = server;
    this.#first = server;
    if (isNews) this.#options.onFound(server, downMs);
  }

  /** The rejection for waiting calls. */
  #lose(causes: readonly Error[]): DatabaseDown {
    const before = this.#outage;
    const rounds = (before?.rounds ?? 0) + 1;
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (rounds - 1), LONGEST_PAUSE_MS);
    const nowMs = this.#nowMs();
    const cause = this.#describe(causes);
    this.#current = undefined;
    this.#first = this.#last ?? this.#options.servers[0];
    this.#outage = { cause, sinceMs: before?.sinceMs ?? nowMs, rounds, retryAtMs: nowMs + pauseMs };
    if (before !== undefined) return cause.repeated();
    this.#options.onLost(cause);
    return cause;
  }

  /** The causes of all servers: one of them should be the primary. */
  #describe(causes: readonly Error[]): DatabaseDown {
    const { servers } = this.#options;
    const [first = new Error('no server was asked')] = causes;
    if (servers.length === 1) return new DatabaseDown(sentenceOf(first), { cause: first });
    const isDecisive = (cause: Error) => !isOutOfReach(cause) && !(cause instanceof StandbyServer);
    const decisive = causes.find(isDecisive) ?? causes.find(isOutOfReach) ?? first;
    return new DatabaseDown(describeServers(servers, causes), { cause: decisive });
  }
}

/** Why none of several servers can be used, for an operator. */
export function describeServers(servers: readonly ServerAddress[], causes: readonly unknown[]): string {
  const said = servers.map((server, place) => `${addressOf(server)}: ${sentenceOf(causes[place])}`);
  return `None of the servers can be used. ${said.join(' ')}`;
}

/** The address as an operator writes it. */
export function addressOf({ host, port }: ServerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
