// The connections of one process to the primary: a pool, whose connections are examined before their first use, and the search for the
// primary if there are several servers or none answers.

import { Client, type ClientConfig, Pool, type PoolClient } from 'pg';
import { answeredBy, deadlineMs } from '../../concurrency/call-deadline.ts';
import { EctError } from '../../errors.ts';
import { examineServer } from './examine-server.ts';
import { isOfDatabase, NoFreeConnection, OutOfTime, UnfitDatabase } from './failures.ts';
import { prepareSession, type SessionNeeds } from './pooler.ts';
import { addressOf, PrimarySearch, type ServerAddress } from './primary-search.ts';
import { Slots } from './slots.ts';
import { clientOptions, type PostgresTarget, serversOf, sessionSettings, type Timeouts } from './target.ts';

/** Called for outages. Must not throw. */
export interface DatabaseNotices {
  /** No primary is available. Reported once, when that begins. */
  databaseLost(cause: Error): void;
  /** A primary was found. `downMs`: how long there was none; undefined if connections change from another server to this one. */
  databaseFound(server: string, downMs: number | undefined): void;
}

/**
 * The minimum time to connect to each of several servers, in milliseconds. One that does not answer must not use up the time of the
 * others.
 */
const LEAST_CONNECT_MS = 500;
/** How long a call waits for a server that did not answer before, in milliseconds. */
const PROBE_MS = 250;
/** The number of attempts of one call: if the primary has changed, the second one uses the new one. */
const MAX_ATTEMPTS = 2;

const SILENT: DatabaseNotices = { databaseLost: () => undefined, databaseFound: () => undefined };

interface PrimaryClient extends Client {
  readonly server: ServerAddress;
}

/** A connection that is in use. */
export interface TakenConnection {
  readonly client: PoolClient;
  /** Call it once. A broken connection is closed. */
  release(isBroken: boolean): void;
}

export class Connections {
  readonly #pool: Pool;
  readonly #search: PrimarySearch;
  /** Waiting for a connection is implemented here, because the pool would leak a connection whose examination outlasts the wait. */
  readonly #slots: Slots;
  readonly #connectMs: number;
  readonly #options: ClientConfig;
  readonly #settings: Readonly<Record<string, string>>;
  /** All connections of the pool. */
  readonly #open = new Set<PrimaryClient>();
  #closing: Promise<void> | undefined;

  /** Connects on the first use. Opens at most `size` connections, and one more during a search for the primary. */
  constructor(target: PostgresTarget, size: number, timeouts: Timeouts, notices: DatabaseNotices = SILENT) {
    const servers = serversOf(target);
    this.#slots = new Slots(size);
    this.#connectMs = timeouts.connectMs;
    this.#options = clientOptions(target, timeouts, Math.max(LEAST_CONNECT_MS, timeouts.connectMs / servers.length));
    this.#settings = sessionSettings(timeouts);
    const [first] = servers;
    this.#search = new PrimarySearch({
      servers,
      ask: (server) => this.#ask(server),
      onLost: (cause) => notices.databaseLost(cause),
      onFound: (server, downMs) => {
        this.#leaveOthers(server);
        notices.databaseFound(addressOf(server), downMs);
      },
    });
    this.#pool = new Pool({
      ...this.#options,
      max: size,
      connectionTimeoutMillis: 0,
      Client: this.#clientClass(first),
      verify: (client, done) => void this.#examine(client as unknown as PrimaryClient, done),
    });
    // An unused connection failed. The pool has removed it already.
    this.#pool.on('error', () => undefined);
  }

  /** Whether the primary answers, as far as is known; and, if no new connection can be made, whether existing ones remain. */
  get isUp(): boolean {
    return !this.#search.isDown || (!this.#search.isSilent && this.#pool.totalCount > 0);
  }

  /** Returns a connection for exclusive use until it is released. Waits at most until the deadline of the call. */
  async take(): Promise<TakenConnection> {
    for (let attempt = 1; ; attempt++) {
      const before = this.#search.current;
      try {
        return await this.#attempt();
      } catch (error) {
        const hasMoved = this.#search.current !== before && !this.#search.isDown;
        if (attempt === MAX_ATTEMPTS || !hasMoved) throw error;
      }
    }
  }

  /** Reports that a statement on this connection was not answered. */
  suspect(client: PoolClient): void {
    this.#search.suspect((client as unknown as PrimaryClient).server);
  }

  /** Closes all connections, each once it is free. */
  close(): Promise<void> {
    this.#closing ??= this.#pool.end();
    return this.#closing;
  }

  /** While no new connection can be made, existing ones are used, unless no server answers at all. */
  async #attempt(): Promise<TakenConnection> {
    if (this.#search.isSilent) await this.#findPrimary();
    await this.#slots.take(untilMs(this.#connectMs), () => new NoFreeConnection('all are in use'));
    try {
      if (this.#pool.idleCount === 0) await this.#findPrimary();
    } catch (error) {
      this.#slots.give();
      throw error;
    }
    return this.#connect();
  }

  async #findPrimary(): Promise<void> {
    // During an outage a call does not wait long for a server that does not even reject connections.
    const waitMs = this.#search.isDown ? PROBE_MS : this.#connectMs;
    await answeredBy(untilMs(waitMs), this.#search.find(), () => this.#search.rejection ?? outOfTime());
  }

  /** Releases the slot if there is no connection. A connection that arrives too late is first returned to the pool. */
  async #connect(): Promise<TakenConnection> {
    let isLate = false;
    const connecting = this.#pool.connect().then(
      (client) => {
        const taken = this.#taken(client);
        if (isLate) taken.release(false);
        return taken;
      },
      (error: unknown) => {
        this.#slots.give();
        throw connectFailure(error);
      },
    );
    return answeredBy(deadlineMs(), connecting, () => {
      isLate = true;
      return outOfTime();
    });
  }

  #taken(client: PoolClient): TakenConnection {
    const release = (isBroken: boolean) => {
      client.release(isBroken);
      this.#slots.give();
    };
    return { client, release };
  }

  /** A connection of the pool goes to the server that is the primary at that time; `first` if none is known. */
  #clientClass(first: ServerAddress): new () => PrimaryClient {
    const [search, options, open] = [this.#search, this.#options, this.#open];
    return class extends Client implements PrimaryClient {
      readonly server: ServerAddress;

      constructor() {
        const server = search.current ?? first;
        super({ ...options, ...server });
        this.server = server;
        open.add(this);
        this.once('end', () => open.delete(this));
        // Statements get the error of a connection in use. Without this listener it would end the process.
        this.on('error', () => undefined);
      }

      override connect(): Promise<Client>;
      override connect(callback: (error: Error) => void): void;
      override connect(callback?: (error: Error) => void): Promise<Client> | undefined {
        if (callback === undefined) return super.connect() as Promise<Client>;
        super.connect((error: Error | null) => {
          if (error) {
            open.delete(this);
            search.failed(this.server, connectFailure(error));
          }
          callback(error as Error);
        });
        return undefined;
      }
    };
  }

  async #examine(client: PrimaryClient, done: (error?: Error) => void): Promise<void> {
    const needs: SessionNeeds = {
      settings: this.#settings,
      connectAnother: () => this.#connectAnother(client.server),
    };
    try {
      await prepareSession(client, needs);
      await examineServer(client);
    } catch (error) {
      this.#search.failed(client.server, connectFailure(error));
      return done(error as Error);
    }
    done();
  }

  async #connectAnother(server: ServerAddress): Promise<Client> {
    const client = new Client({ ...this.#options, ...server });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  /** Resolves if the server is the primary and can be used. */
  async #ask(server: ServerAddress): Promise<void> {
    const client = new Client({ ...this.#options, ...server });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await examineServer(client);
    } catch (error) {
      throw connectFailure(error);
    } finally {
      // A frozen server does not answer the end of the connection either.
      void client.end().catch(() => undefined);
    }
  }

  /**
   * Closes connections to other servers at once: a former primary may come back and answer as if it still were the primary, with old
   * data.
   */
  #leaveOthers(primary: ServerAddress): void {
    for (const client of this.#open) if (client.server !== primary) destroy(client);
  }
}

/** For example, the password cannot be read. */
const NO_CONNECTION = 'No connection to the database can be made: the log of the service says why.';

/** Returns why there is no connection, in words of this project if the database itself has not failed. */
function connectFailure(error: unknown): Error {
  const isOurs = error instanceof UnfitDatabase || error instanceof EctError || isOfDatabase(error);
  return isOurs ? (error as Error) : new UnfitDatabase(NO_CONNECTION, { cause: error });
}

/** Returns the time after this many milliseconds, or the deadline of the call if it is earlier. */
function untilMs(waitMs: number): number {
  return Math.min(deadlineMs(), performance.now() + waitMs);
}

function outOfTime(): OutOfTime {
  return new OutOfTime('no connection in time');
}

/** Closes without notice to the server. Waiting statements fail. */
function destroy(client: Client): void {
  const { connection } = client as unknown as { connection: { stream: { destroy(): void } } };
  connection.stream.destroy();
}
