// Which of several servers is the primary, and whether there is one. One search at a time; while there is none, those who ask are
// rejected at once and only one of them at a time asks the servers again.

import { DatabaseDown, isConnectionShort, isOutOfReach, StandbyServer, sentenceOf } from './failures.ts';

/** Where a server listens. */
export interface ServerAddress {
  /** A name, an address, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
}

export interface PrimarySearchOptions {
  /** In the order in which they are asked. */
  readonly servers: readonly [ServerAddress, ...ServerAddress[]];
  /** Resolves where the server is the primary and can be used, in bounded time. */
  readonly ask: (server: ServerAddress) => Promise<void>;
  /** A primary was found. `downMs`: how long there had been none; undefined where another one was known until then. */
  readonly onFound: (server: ServerAddress, downMs: number | undefined) => void;
  /** From now on there is none. */
  readonly onLost: (cause: Error) => void;
  /** Monotonic, in milliseconds. */
  readonly nowMs?: () => number;
}

/** Pauses between two rounds of questions while there is no primary, in milliseconds: from the first to the longest. */
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
  /** Where new connections go. */
  #current: ServerAddress | undefined;
  /** The last one that was good. */
  #last: ServerAddress | undefined;
  /** Which one the next search asks first. */
  #first: ServerAddress;
  #outage: Outage | undefined;
  #running: Promise<ServerAddress> | undefined;

  constructor(options: PrimarySearchOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    const [first, ...others] = options.servers;
    this.#first = first;
    // Of one alone nothing is to be found out before a connection is made.
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

  /** What to tell those who cannot wait while there is no primary. */
  get rejection(): DatabaseDown | undefined {
    return this.#outage?.cause.repeated();
  }

  /** Whether no server answers at all, so that connections which were made before are in doubt too. */
  get isSilent(): boolean {
    return this.#outage !== undefined && isOutOfReach(this.#outage.cause.cause);
  }

  /** Where to connect. DatabaseDown where there is no primary: at once, where others know that already. */
  async find(): Promise<ServerAddress> {
    if (this.#current !== undefined && this.#outage === undefined) return this.#current;
    const isTooEarly = this.#outage !== undefined && this.#nowMs() < this.#outage.retryAtMs;
    if (this.#outage !== undefined && (this.#running !== undefined || isTooEarly)) {
      throw this.rejection ?? this.#outage.cause;
    }
    this.#running ??= this.#look(this.#first);
    return this.#running;
  }

  /** No connection to the server can be made, or it is no primary. */
  failed(server: ServerAddress, cause: Error): void {
    if (server !== this.#current || isConnectionShort(cause)) return;
    const { servers } = this.#options;
    this.#current = undefined;
    this.#first = servers[(servers.indexOf(server) + 1) % servers.length] ?? server;
    if (servers.length === 1) this.#lose([cause]);
  }

  /** The server has left a statement without an answer: it is asked whether it still is the primary. */
  suspect(server: ServerAddress): void {
    if (server !== this.#current || this.#running !== undefined) return;
    this.#running = this.#look(server);
    this.#running.catch(() => undefined);
  }

  /** Asks each server once, from `first` on. */
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

  /** What to tell those who waited. */
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

  /** Of several servers each with what it said: one of them is the one that should be the primary. */
  #describe(causes: readonly Error[]): DatabaseDown {
    const { servers } = this.#options;
    const [first = new Error('no server was asked')] = causes;
    if (servers.length === 1) return new DatabaseDown(sentenceOf(first), { cause: first });
    const isTelling = (cause: Error) => !isOutOfReach(cause) && !(cause instanceof StandbyServer);
    const telling = causes.find(isTelling) ?? causes.find(isOutOfReach) ?? first;
    return new DatabaseDown(describeServers(servers, causes), { cause: telling });
  }
}

/** Why none of several servers can be used, for an operator. */
export function describeServers(servers: readonly ServerAddress[], causes: readonly unknown[]): string {
  const said = servers.map((server, place) => `${addressOf(server)}: ${sentenceOf(causes[place])}`);
  return `None of the servers can be used. ${said.join(' ')}`;
}

/** As an operator writes it. */
export function addressOf({ host, port }: ServerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
