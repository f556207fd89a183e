// Maps errors of Redis to reasons. The message of the server stays in `cause`. The command, which the driver attaches to its errors and
// which may contain a password, is dropped.

import { EctError, reject } from '../../errors.ts';

/** The server cannot be used until an operator acts. The message says what to do, and contains no secret. */
export class UnfitRedis extends Error {
  override readonly name = 'UnfitRedis';
}

/** There is no connection to the server. Connecting is repeated. */
export class RedisAway extends Error {
  override readonly name = 'RedisAway';
}

/** Errors of the server, by their first word: their meaning, and whether the connection must be closed. */
const ANSWERS: Readonly<Record<string, readonly [sentence: string, isOver: boolean]>> = {
  ASK: ['The cluster of Redis is being changed.', true],
  BUSY: ['Redis is busy with the script of another client.', false],
  CLUSTERDOWN: ['The cluster of Redis is down.', true],
  LOADING: ['Redis is loading its data.', true],
  MASTERDOWN: ['Redis is a replica that has lost its master.', true],
  MISCONF: ['Redis cannot write its data to the disk.', false],
  MOVED: ['The cluster of Redis has changed.', true],
  NOREPLICAS: ['Redis has fewer replicas than min-replicas-to-write.', false],
  READONLY: ['Redis is a replica now.', true],
  TRYAGAIN: ['The cluster of Redis is being changed.', true],
};

/** Errors that only an operator can correct. */
const UNFIT: Readonly<Record<string, string>> = {
  NOAUTH: 'Redis wants a password: set ECT_REDIS_PASSWORD_FILE.',
  NOPERM: 'The user of this service has not the rights in Redis that it needs: docs/operating.md lists them.',
  WRONGPASS: 'Redis rejects the user or the password of this service.',
};

const TLS_CODES = /^(?:CERT_|DEPTH_|UNABLE_|SELF_|HOSTNAME_|ERR_TLS_|ERR_SSL_)/;
const NOT_PROVEN =
  'Redis does not prove by TLS that it is the right one: check ECT_REDIS_CA_FILE and the name in ECT_REDIS_URL.';

/** Converts a failure to connect into one of these errors. */
export function connectFailure(error: unknown): UnfitRedis | RedisAway {
  if (error instanceof UnfitRedis || error instanceof RedisAway) return error;
  const cause = cleaned(error);
  const unfit = UNFIT[firstWord(cause)];
  if (unfit !== undefined) return new UnfitRedis(unfit, { cause });
  if (TLS_CODES.test(codeOf(error) ?? '')) return new UnfitRedis(NOT_PROVEN, { cause });
  if (/^ERR (?:DB index|invalid DB)/.test(cause.message)) {
    return new UnfitRedis('Redis has no database of the number in ECT_REDIS_URL.', { cause });
  }
  return new RedisAway(ANSWERS[firstWord(cause)]?.[0] ?? 'Redis cannot be reached.', { cause });
}

/** Whether the connection must be closed although it is open, because the server is no longer what was examined. */
export function endsConnection(error: unknown): boolean {
  return error instanceof Error && (ANSWERS[firstWord(error)]?.[1] === true || firstWord(error) === 'NOAUTH');
}

/** Converts the failure of a claim into the error of the guard. Other errors (a rejection, a bug) are returned unchanged. */
export function translated(error: unknown): unknown {
  if (error instanceof EctError || error instanceof TypeError) return error;
  if (error instanceof UnfitRedis || error instanceof RedisAway) return unavailable(error.message, error.cause);
  const cause = cleaned(error);
  const word = firstWord(cause);
  if (word === 'OOM') {
    const full = 'The memory of Redis is full (maxmemory) of tokens that have not expired yet.';
    return new EctError(reject('REPLAY_GUARD_FULL', full), { cause });
  }
  return unavailable(UNFIT[word] ?? ANSWERS[word]?.[0] ?? 'Redis does not do what the replay guard asks it.', cause);
}

function unavailable(message: string, cause: unknown): EctError {
  return new EctError(reject('REPLAY_GUARD_UNAVAILABLE', message), cause === undefined ? {} : { cause });
}

function firstWord(error: Error): string {
  return /^[A-Z]+\b/.exec(error.message)?.[0] ?? '';
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Returns the error for the log: its message and its code. */
function cleaned(error: unknown): Error {
  if (!(error instanceof Error)) return new Error('unknown failure');
  // If a name has several addresses, each of them has failed; the first error is sufficient.
  const said = error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error;
  const copy = new Error(said.message);
  copy.name = said.name;
  const code = codeOf(said);
  return code === undefined ? copy : Object.assign(copy, { code });
}
