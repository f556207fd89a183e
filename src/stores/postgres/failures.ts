// Maps errors of PostgreSQL to reasons. The message of the server stays in `cause`; values of rows, which its details may quote, and the
// connection are dropped.

import { DatabaseError } from 'pg';
import { EctError, type Rejection, reject } from '../../errors.ts';
import { DatabaseUnavailable } from '../database-unavailable.ts';
import type { StoreReasons } from '../store-reasons.ts';

/** The database cannot be used as it is. The message says what to do, and holds no secret. */
export class UnfitDatabase extends Error {
  override readonly name = 'UnfitDatabase';
}

/** No server responds, or none accepts connections yet. */
export class DatabaseOutOfReach extends UnfitDatabase {}

/** The server is a standby. */
export class StandbyServer extends UnfitDatabase {}

/**
 * No server can be used now. The message lists the causes for the operator, and `cause` is the decisive one. Callers get a delay before a
 * retry.
 */
export class DatabaseDown extends Error {
  override readonly name = 'DatabaseDown';
  /** Whether the outage was reported already. */
  readonly isRepeated: boolean = false;

  /** The same error for later calls. */
  repeated(): DatabaseDown {
    return Object.assign(new DatabaseDown(this.message, { cause: this.cause }), { isRepeated: true });
  }
}

/** All connections of this process are in use. */
export class NoFreeConnection extends Error {
  override readonly name = 'NoFreeConnection';
}

/** The deadline of the call leaves no time. Nothing was sent. */
export class OutOfTime extends Error {
  override readonly name = 'OutOfTime';
}

/** COMMIT was sent, and its outcome is unknown. */
export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown';
}

/** The head has changed since it was read: nothing was written. */
export class HeadMoved extends Error {
  override readonly name = 'HeadMoved';
}

/** The store was closed. */
export class StoreClosed extends Error {
  override readonly name = 'StoreClosed';
}

type Failure =
  | 'away'
  | 'busy'
  | 'closed'
  | 'corrupt'
  | 'denied'
  | 'full'
  | 'missing'
  | 'nowhere'
  | 'open'
  | 'pooled'
  | 'other'
  | 'readonly'
  | 'rights'
  | 'taken'
  | 'untrusted';

/** SQLSTATE codes, and their first two characters where all of a class mean the same. */
const FAILURES: Readonly<Record<string, Failure>> = {
  '08': 'away',
  // Statements are fixed, and names are looked up under the lock, so only a foreign program can violate a constraint.
  '23': 'corrupt',
  '25006': 'readonly',
  '25P03': 'away',
  '28': 'denied',
  '3D000': 'nowhere',
  '3F000': 'missing',
  '40': 'busy',
  '42501': 'rights',
  '42703': 'missing',
  '42P01': 'missing',
  '53100': 'full',
  '53200': 'busy',
  '53300': 'taken',
  '55P03': 'busy',
  '57014': 'busy',
  '57P': 'away',
  XX001: 'corrupt',
  XX002: 'corrupt',
};

const SENTENCES: Readonly<Record<Failure, (what: string) => string>> = {
  away: (what) => `The database of the ${what} cannot be reached.`,
  busy: (what) => `The database of the ${what} did not answer in time.`,
  closed: (what) => `The ${what} is closed.`,
  corrupt: (what) => `The database of the ${what} holds what cannot be: restore it from a backup.`,
  denied: (what) => `The database of the ${what} rejects the user or the password of this service.`,
  full: (what) => `There is no space left on the disk of the database of the ${what}.`,
  missing: (what) => `The database of the ${what} lacks its tables: run \`ect db init\`.`,
  nowhere: (what) => `The database of the ${what} does not exist on the server: create it with ENCODING UTF8.`,
  open: (what) => `The connection to the database of the ${what} ended during the commit: the outcome is open.`,
  other: (what) => `The database of the ${what} does not answer.`,
  pooled: (what) =>
    `The database of the ${what} is behind a pooler that rejects settings of a session: set ECT_POSTGRES_URL to the server itself. ` +
    'PgBouncer with pool_mode = session can be used with ignore_startup_parameters = ' +
    'options, statement_timeout, lock_timeout, idle_in_transaction_session_timeout.',
  readonly: (what) => `The database of the ${what} is read-only: connect to the primary.`,
  rights: (what) => `The role of this service may not use the ${what}: run \`ect db migrate --role\` with its name.`,
  taken: (what) => `The database of the ${what} has no connection left for this service.`,
  untrusted: (what) =>
    `The database of the ${what} does not prove by TLS that it is the right one: check ECT_POSTGRES_CA_FILE and the name in ECT_POSTGRES_URL.`,
};

/** The longest pause until the servers are tried again. */
const RETRY_SECONDS = '1';

/** The failure as the error of the store. Other errors (a rejection, a bug) are returned unchanged. */
export function translated(error: unknown, reasons: StoreReasons): unknown {
  const failure = failureOf(error);
  if (failure === undefined) return error;
  if (error instanceof DatabaseDown) {
    const inner = translated(error.cause, reasons);
    const rejection =
      inner instanceof EctError ? inner.rejection : reject(reasons.unavailable, SENTENCES.other(reasons.what));
    const later = { ...rejection, metadata: { ...rejection.metadata, retry_after_seconds: RETRY_SECONDS } };
    // An outage is reported once, when it starts, not for each call that it rejects.
    return failed(failure, later, reasons, error.isRepeated ? {} : { cause: cleaned(error) });
  }
  const reason = failure === 'full' ? 'STORAGE_FULL' : failure === 'corrupt' ? reasons.corrupt : reasons.unavailable;
  const sentence = error instanceof UnfitDatabase ? error.message : SENTENCES[failure](reasons.what);
  return failed(failure, reject(reason, sentence), reasons, { cause: cleaned(error) });
}

/** Failures that last until the operator acts. The message says how. */
const LASTING: ReadonlySet<Failure> = new Set(['denied', 'missing', 'nowhere', 'pooled', 'rights', 'untrusted']);

function failed(
  failure: Failure,
  rejection: Rejection,
  { unavailable }: StoreReasons,
  options: ErrorOptions,
): EctError {
  const isUnavailable = rejection.reason === unavailable && !LASTING.has(failure);
  return isUnavailable ? new DatabaseUnavailable(rejection, options) : new EctError(rejection, options);
}

/** Whether the transaction has certainly written nothing, so that it may be repeated. */
export function isRepeatable(error: unknown): boolean {
  if (error instanceof HeadMoved) return true;
  if (error instanceof OutcomeUnknown) return false;
  return isLost(error) || (error instanceof DatabaseError && error.code?.startsWith('40') === true);
}

/** Whether the outcome of a write is unknown. */
export function isOutcomeOpen(error: unknown): boolean {
  return error instanceof EctError && error.cause instanceof Error && error.cause.name === OutcomeUnknown.name;
}

/** Whether no server responded, or none accepts connections yet. */
export function isOutOfReach(error: unknown): boolean {
  const failure = failureOf(error);
  return failure === 'away' || failure === 'busy';
}

/** Whether the server works, but has no free connection. */
export function isConnectionShort(error: unknown): boolean {
  return failureOf(error) === 'taken';
}

/** The cause, for an operator. */
export function sentenceOf(error: unknown): string {
  return error instanceof UnfitDatabase ? error.message : SENTENCES[failureOf(error) ?? 'other']('service');
}

/** Whether the connection is gone. */
function isLost(error: unknown): boolean {
  if (error instanceof DatabaseError) return /^(?:08|57P|25P03)/.test(error.code ?? '');
  if (!(error instanceof Error)) return false;
  return /^Connection terminated(?! due to)|not queryable$/.test(error.message) || LOST_CODES.has(codeOf(error) ?? '');
}

/** Whether the server rejected a statement: the connection can still be used. */
export function isServerAnswer(error: unknown): boolean {
  return error instanceof DatabaseError && !isLost(error);
}

const LOST_CODES: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED']);

/** The error for the log: the message of the server, and its code. */
export function cleaned(error: unknown): Error {
  if (!(error instanceof Error)) return new Error('unknown failure');
  const cause = error.cause === undefined ? {} : { cause: cleaned(error.cause) };
  const code = codeOf(error);
  const copy = new Error(error.message, cause);
  copy.name = error.name;
  return code === undefined ? copy : Object.assign(copy, { code });
}

/** Whether the database, or the connection to it, failed. */
export function isOfDatabase(error: unknown): boolean {
  return !(error instanceof UnfitDatabase) && failureOf(error) !== undefined;
}

function failureOf(error: unknown): Failure | undefined {
  if (error instanceof EctError || error instanceof TypeError) return undefined;
  if (error instanceof StoreClosed) return 'closed';
  if (error instanceof OutcomeUnknown) return 'open';
  if (error instanceof HeadMoved) return 'busy';
  if (error instanceof UnfitDatabase) return 'other';
  if (error instanceof OutOfTime) return 'busy';
  if (error instanceof NoFreeConnection) return 'taken';
  if (error instanceof DatabaseDown) return failureOf(error.cause) ?? 'other';
  if (error instanceof DatabaseError) {
    const code = error.code ?? '';
    // Parameters of PostgreSQL itself.
    if (code === '08P01' && error.message.startsWith('unsupported startup parameter')) return 'pooled';
    return FAILURES[code] ?? FAILURES[code.slice(0, 3)] ?? FAILURES[code.slice(0, 2)] ?? 'other';
  }
  return error instanceof Error ? driverFailure(error) : undefined;
}

/** Errors of the driver have no class: these are its messages, and the codes of sockets and TLS. */
function driverFailure(error: Error): Failure | undefined {
  const code = codeOf(error) ?? '';
  if (/^(?:SASL|SCRAM)/.test(error.message)) return 'denied';
  if (error.message.startsWith('The server does not support SSL') || TLS_CODES.test(code)) return 'untrusted';
  if (error.message === ANSWER_TIMEOUT) return 'busy';
  if (isLost(error) || /^(?:timeout expired|Connection terminated|Client )/.test(error.message)) return 'away';
  return /^E[A-Z_]{3,}$/.test(code) ? 'away' : undefined;
}

const ANSWER_TIMEOUT = 'Query read timeout';

/** Whether the server did not respond to a statement. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof Error && error.message === ANSWER_TIMEOUT;
}

const TLS_CODES = /^(?:CERT_|DEPTH_|UNABLE_|SELF_|HOSTNAME_|ERR_TLS_|ERR_SSL_)/;

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
