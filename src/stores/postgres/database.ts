// The connections of one process to a PostgreSQL database. Each is examined before its first use.

import type { Writable } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type { QueryConfig, QueryResult } from 'pg';
import { answeredBy, deadlineMs, timeLeftMs } from '../../concurrency/call-deadline.ts';
import { EctError } from '../../errors.ts';
import type { StoreReasons } from '../store-reasons.ts';
import { Connections, type DatabaseNotices, type TakenConnection } from './connections.ts';
import {
  DatabaseDown,
  DatabaseOutOfReach,
  isOutOfReach,
  isRepeatable,
  isServerAnswer,
  isUnanswered,
  OutOfTime,
  StoreClosed,
  translated,
  UnfitDatabase,
} from './failures.ts';
import type { PostgresTarget, Timeouts } from './target.ts';

export type { DatabaseNotices } from './connections.ts';

/** One SQL statement. If it has a name, it is prepared once for each connection. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

/** The default timeouts, in milliseconds. */
const TIMEOUTS: Timeouts = {
  connectMs: 3_000,
  // The server ends a transaction whose process has stopped in the middle, because it blocks all others.
  idleInTransactionMs: 3_000,
  lockMs: 4_000,
  statementMs: 6_000,
  // Measured by this process, for a server that does not enforce its own timeouts.
  answerMs: 8_000,
};

/** The interval at which a database that does not answer is asked again. */
const ASK_AGAIN_MS = 250;
const MAX_ATTEMPTS = 3;
const RETRY_MS = 20;

/** A statement of a call past its deadline may still finish within this time, in milliseconds; then its connection is kept. */
const GRACE_MS = 250;
/** The timeout of a rollback. */
const ROLLBACK_MS = 1_000;

export class PostgresDatabase {
  readonly #connections: Connections;
  readonly #answerMs: number;

  /** Connects on the first use. Opens at most `size` connections, and one more during a search for the primary. */
  constructor(target: PostgresTarget, size: number, timeouts: Partial<Timeouts> = {}, notices?: DatabaseNotices) {
    const all = { ...TIMEOUTS, ...timeouts };
    this.#connections = new Connections(target, size, all, notices);
    this.#answerMs = all.answerMs;
  }

  /** Returns the access of one store to the database. */
  use(reasons: StoreReasons): DatabaseUse {
    return new DatabaseUse(this.#connections, reasons, this.#answerMs);
  }

  /** Whether the primary answers, as far as is known. */
  get isUp(): boolean {
    return this.#connections.isUp;
  }

  /**
   * Connects once. Throws UnfitDatabase with the remedy if the database cannot be used. A database that does not answer may be starting,
   * failing over or busy, so it is asked again for `timeoutMs`; then this throws DatabaseOutOfReach.
   */
  async examine(timeoutMs = 0): Promise<void> {
    const untilMs = performance.now() + timeoutMs;
    try {
      const { release } = await this.#takeBefore(untilMs);
      release(false);
    } catch (error) {
      const found = translated(error, { unavailable: 'LEDGER_UNAVAILABLE', corrupt: 'LEDGER_CORRUPT', what: 'ledger' });
      if (!(found instanceof EctError)) throw error;
      if (error instanceof UnfitDatabase) throw error;
      const message = error instanceof DatabaseDown ? error.message : found.message;
      throw new (isOutOfReach(error) ? DatabaseOutOfReach : UnfitDatabase)(message, { cause: found.cause });
    }
  }

  async #takeBefore(untilMs: number): Promise<TakenConnection> {
    for (;;) {
      try {
        return await this.#connections.take();
      } catch (error) {
        if (!isOutOfReach(error) || performance.now() + ASK_AGAIN_MS >= untilMs) throw error;
        await pause(ASK_AGAIN_MS);
      }
    }
  }

  /** Closes all connections, each once it is free. The stores must be closed before. */
  close(): Promise<void> {
    return this.#connections.close();
  }
}

/** The access of one store to the database. Failures are thrown as the errors of that store. */
export class DatabaseUse {
  readonly #connections: Connections;
  readonly #reasons: StoreReasons;
  readonly #answerMs: number;
  #isClosed = false;

  constructor(connections: Connections, reasons: StoreReasons, answerMs: number) {
    this.#connections = connections;
    this.#reasons = reasons;
    this.#answerMs = answerMs;
  }

  /** Runs one read-only statement. */
  async read(statement: Statement): Promise<QueryResult> {
    const [result] = await this.repeatedly((session) => session.all(statement));
    return result!;
  }

  /**
   * Runs `work` with exclusive use of a connection, and repeats it if it certainly had no effect. It settles before the deadline of the
   * call, even if the database does not answer.
   */
  repeatedly<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return answeredBy(deadlineMs(), this.#attempts(work), () => this.outOfTime());
  }

  /** Returns the error of a call whose deadline has passed. */
  outOfTime(): unknown {
    return translated(new OutOfTime('no answer'), this.#reasons);
  }

  async #attempts<T>(work: (session: Session) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once(work);
      } catch (error) {
        // The call is rejected without a wait. A caller that repeats it at once must not keep the event loop from the search.
        if (error instanceof DatabaseDown) await nextTurn();
        const isOver = attempt === MAX_ATTEMPTS || timeLeftMs() <= 0;
        if (isOver || !isRepeatable(error)) throw translated(error, this.#reasons);
        await pause(RETRY_MS * attempt * Math.random());
      }
    }
  }

  close(): void {
    this.#isClosed = true;
  }

  async #once<T>(work: (session: Session) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new StoreClosed();
    if (timeLeftMs() <= 0) throw new OutOfTime('nothing was sent');
    const taken = await this.#connections.take();
    const session = new Session(taken, this.#answerMs);
    try {
      return await work(session);
    } finally {
      await session.end();
      if (session.isUnanswered) this.#connections.suspect(taken.client);
    }
  }
}

/** One connection in exclusive use. */
export class Session {
  readonly #taken: TakenConnection;
  readonly #answerMs: number;
  // By code, because the text is in the language of the server.
  readonly #onNotice = ({ code = '' }: { readonly code?: string | undefined }) => {
    if (/^(?:01|57)/.test(code)) this.hasWarning = true;
  };
  #isInTransaction = false;
  #isBroken = false;
  /** Whether the server has sent a warning in this session. */
  hasWarning = false;
  /** Whether the server did not answer a statement. */
  isUnanswered = false;

  constructor(taken: TakenConnection, answerMs: number) {
    this.#taken = taken;
    this.#answerMs = answerMs;
    taken.client.on('notice', this.#onNotice);
  }

  /**
   * Sends all statements at once, and waits for all responses. Throws the first failure; later statements have failed too, or ran by
   * themselves.
   */
  async all(...statements: readonly Statement[]): Promise<readonly QueryResult[]> {
    const answers = await this.settled(...statements);
    return answers.map((answer) => {
      if (answer.status === 'rejected') throw answer.reason;
      return answer.value;
    });
  }

  /** Sends all statements at once, and returns the outcome of each. */
  async settled(...statements: readonly Statement[]): Promise<readonly PromiseSettledResult<QueryResult>[]> {
    const leftMs = timeLeftMs();
    if (leftMs <= 0) throw new OutOfTime('nothing was sent');
    if (statements[0]?.text.startsWith('BEGIN') === true) this.#isInTransaction = true;
    const answers = await this.#answers(statements, Math.min(this.#answerMs, leftMs + GRACE_MS));
    if (statements.at(-1)?.text === 'COMMIT') this.#isInTransaction = false;
    return answers;
  }

  /** Releases the connection. An open transaction is rolled back. */
  async end(): Promise<void> {
    if (this.#isInTransaction && !this.#isBroken) await this.#answers([{ text: 'ROLLBACK' }], ROLLBACK_MS);
    this.#taken.client.removeListener('notice', this.#onNotice);
    this.#taken.release(this.#isBroken || this.hasWarning);
  }

  async #answers(statements: readonly Statement[], withinMs: number) {
    const answers = await Promise.allSettled(this.#sendTogether(statements, withinMs));
    for (const answer of answers) {
      if (answer.status === 'fulfilled' || isServerAnswer(answer.reason)) continue;
      this.#isBroken = true;
      this.isUnanswered ||= isUnanswered(answer.reason);
    }
    return answers;
  }

  /** Sends them in one packet, so that the server wakes up once and reads them all. */
  #sendTogether(statements: readonly Statement[], withinMs: number): Promise<QueryResult>[] {
    const { stream } = (this.#taken.client as unknown as { readonly connection: { readonly stream: Writable } })
      .connection;
    stream.cork();
    try {
      return statements.map((statement) => this.#send(statement, withinMs));
    } finally {
      stream.uncork();
    }
  }

  #send({ name, text, values = [] }: Statement, withinMs: number): Promise<QueryResult> {
    const query: QueryConfig & { readonly query_timeout: number } = {
      ...(name === undefined ? {} : { name }),
      text,
      values: [...values],
      query_timeout: withinMs,
    };
    return this.#taken.client.query(query);
  }
}
