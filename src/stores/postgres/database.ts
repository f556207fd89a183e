// The connections of one process to a PostgreSQL database. Each is examined before it is used for the first time.

import { setTimeout as pause } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';
import { Client, type ClientConfig, Pool, type PoolClient, type QueryResult } from 'pg';
import { EctError } from '../../errors.ts';
import { examineServer } from './examine-server.ts';
import {
  isOfDatabase,
  isRepeatable,
  isServerAnswer,
  StoreClosed,
  type StoreReasons,
  translated,
  UnfitDatabase,
} from './failures.ts';
import { prepareSession, type SessionNeeds } from './pooler.ts';

/** Where the database is, and who asks. */
export interface PostgresTarget {
  /** A name, an address, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** Asked for each connection, so that a password may change. It is behind a function, so that nothing that prints a Config shows it. */
  readonly password: () => string | undefined | Promise<string | undefined>;
  /** Certificates of the server are verified, by this CA (PEM) or by those that Node.js trusts; undefined: without TLS. */
  readonly tls: { readonly ca: string | undefined } | undefined;
  /** What the server lists connections as. Default: as those of a service. */
  readonly program?: string;
}

/** One statement. Those with a name are prepared once a connection. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

/** How long the parts of a call may take, in milliseconds. */
const TIMEOUTS: Timeouts = {
  connectMs: 3_000,
  // The server ends a transaction whose process has stopped in the middle: it holds up all others.
  idleInTransactionMs: 3_000,
  lockMs: 4_000,
  statementMs: 6_000,
  // By the clock of this process, for a server that does not even end what takes too long.
  answerMs: 8_000,
};

/**
 * Whatever the role or the database has. Statements by themselves must see what was committed before them. And each of ours is
 * answered by the index that fits: a plan that was made while a table was nearly empty would go on to read all of it when it has grown.
 */
const SESSION_SETTINGS = {
  default_transaction_isolation: 'read committed',
  plan_cache_mode: 'force_custom_plan',
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
} as const;
const SESSION_OPTIONS = Object.entries(SESSION_SETTINGS)
  .map(([name, value]) => `-c ${name}=${value.replaceAll(' ', '\\ ')}`)
  .join(' ');

/** What the connections of a service are called. */
export const SERVICE_PROGRAM = 'ect-authority';

const MAX_ATTEMPTS = 3;
const RETRY_MS = 20;

/** Timeouts of a database, in milliseconds. */
export interface Timeouts {
  /** Until there is a connection, also where others have all of them. */
  readonly connectMs: number;
  readonly idleInTransactionMs: number;
  readonly lockMs: number;
  readonly statementMs: number;
  readonly answerMs: number;
}

export class PostgresDatabase {
  readonly #pool: Pool;
  #closing: Promise<void> | undefined;

  /** Connects when it is first used. At most `size` connections. */
  constructor(target: PostgresTarget, size: number, timeouts: Partial<Timeouts> = {}) {
    const { host, port, database, user, password, tls, program = SERVICE_PROGRAM } = target;
    const { connectMs, idleInTransactionMs, lockMs, statementMs, answerMs } = { ...TIMEOUTS, ...timeouts };
    const timeLimits = {
      idle_in_transaction_session_timeout: idleInTransactionMs,
      lock_timeout: lockMs,
      statement_timeout: statementMs,
    };
    const options: ClientConfig = {
      host,
      port,
      database,
      user,
      // Where there is none, the driver would look for it in the environment and in files.
      password: async () => (await password()) ?? '',
      ssl: tlsOptions(tls),
      application_name: program,
      options: SESSION_OPTIONS,
      connectionTimeoutMillis: connectMs,
      ...timeLimits,
      query_timeout: answerMs,
      keepAlive: true,
      pipeline: true,
    };
    const needs: SessionNeeds = {
      settings: {
        ...SESSION_SETTINGS,
        ...Object.fromEntries(Object.entries(timeLimits).map(([name, ms]) => [name, `${ms}`])),
      },
      connectAnother: () => connectAnother(options),
    };
    this.#pool = new Pool({
      ...options,
      max: size,
      verify: (client, done) => {
        // An error of a connection in use reaches its statements; without a listener it would end the process.
        client.on('error', () => undefined);
        void examine(client, needs, done);
      },
    });
    // Of a connection that nobody uses: it is out of the pool already.
    this.#pool.on('error', () => undefined);
  }

  /** A store's way in. */
  use(reasons: StoreReasons): DatabaseUse {
    return new DatabaseUse(this.#pool, reasons);
  }

  /** Connects once. UnfitDatabase with the next step where the database cannot be used. */
  async examine(): Promise<void> {
    try {
      const client = await this.#pool.connect();
      client.release();
    } catch (error) {
      const found = translated(error, { unavailable: 'LEDGER_UNAVAILABLE', corrupt: 'LEDGER_CORRUPT', what: 'ledger' });
      if (!(found instanceof EctError)) throw error;
      throw error instanceof UnfitDatabase ? error : new UnfitDatabase(found.message, { cause: found.cause });
    }
  }

  /** Ends all connections, once each is free. The stores must be closed before. */
  close(): Promise<void> {
    this.#closing ??= this.#pool.end();
    return this.#closing;
  }
}

async function connectAnother(options: ClientConfig): Promise<Client> {
  const client = new Client(options);
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function examine(client: PoolClient, needs: SessionNeeds, done: (error?: Error) => void): Promise<void> {
  let fault: Error | undefined;
  try {
    await prepareSession(client, needs);
    await examineServer(client);
  } catch (error) {
    fault = error as Error;
  }
  done(fault);
}

/** A password that cannot be read, for one. */
const NO_CONNECTION = 'No connection to the database can be made: the log of the service says why.';

/** What one store does with the database. Failures leave as the store's own errors. */
export class DatabaseUse {
  readonly #pool: Pool;
  readonly #reasons: StoreReasons;
  #isClosed = false;

  constructor(pool: Pool, reasons: StoreReasons) {
    this.#pool = pool;
    this.#reasons = reasons;
  }

  /** Runs one statement that only reads. */
  async read(statement: Statement): Promise<QueryResult> {
    const [result] = await this.repeatedly((session) => session.all(statement));
    return result!;
  }

  /** Runs `work` on a connection of its own, again where nothing of it can have stayed. */
  async repeatedly<T>(work: (session: Session) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once(work);
      } catch (error) {
        if (attempt === MAX_ATTEMPTS || !isRepeatable(error)) throw translated(error, this.#reasons);
        await pause(RETRY_MS * attempt * Math.random());
      }
    }
  }

  close(): void {
    this.#isClosed = true;
  }

  async #once<T>(work: (session: Session) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new StoreClosed();
    const client = await this.#pool.connect().catch((cause: unknown) => {
      throw isOfDatabase(cause) || cause instanceof UnfitDatabase ? cause : new UnfitDatabase(NO_CONNECTION, { cause });
    });
    const session = new Session(client);
    try {
      return await work(session);
    } finally {
      await session.end();
    }
  }
}

/** One connection, for as long as some work has it. */
export class Session {
  readonly #client: PoolClient;
  // By the code: the word is in the language of the server.
  readonly #onNotice = ({ code = '' }: { readonly code?: string | undefined }) => {
    if (/^(?:01|57)/.test(code)) this.hasWarning = true;
  };
  #isInTransaction = false;
  #isBroken = false;
  /** Whether the server has warned of something in this session. */
  hasWarning = false;

  constructor(client: PoolClient) {
    this.#client = client;
    client.on('notice', this.#onNotice);
  }

  /** Sends all statements at once, and waits for all answers. Throws the first failure; what followed it has failed too, or ran by itself. */
  async all(...statements: readonly Statement[]): Promise<readonly QueryResult[]> {
    const answers = await this.settled(...statements);
    return answers.map((answer) => {
      if (answer.status === 'rejected') throw answer.reason;
      return answer.value;
    });
  }

  /** The same, with what became of each. */
  async settled(...statements: readonly Statement[]): Promise<readonly PromiseSettledResult<QueryResult>[]> {
    if (statements[0]?.text.startsWith('BEGIN') === true) this.#isInTransaction = true;
    const answers = await Promise.allSettled(statements.map((statement) => this.#send(statement)));
    if (answers.some((answer) => answer.status === 'rejected' && !isServerAnswer(answer.reason))) this.#isBroken = true;
    if (statements.at(-1)?.text === 'COMMIT') this.#isInTransaction = false;
    return answers;
  }

  /** Gives the connection back. What was begun and not committed is undone. */
  async end(): Promise<void> {
    if (this.#isInTransaction && !this.#isBroken) await this.settled({ text: 'ROLLBACK' });
    this.#client.removeListener('notice', this.#onNotice);
    this.#client.release(this.#isBroken || this.hasWarning);
  }

  #send({ name, text, values = [] }: Statement): Promise<QueryResult> {
    return this.#client.query({ ...(name === undefined ? {} : { name }), text, values: [...values] });
  }
}

/** The certificate of the server is always verified, and its name. */
export function tlsOptions(tls: PostgresTarget['tls']): ConnectionOptions | false {
  if (tls === undefined) return false;
  return { ...(tls.ca === undefined ? {} : { ca: tls.ca }), rejectUnauthorized: true };
}
