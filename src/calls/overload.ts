// The errors of an overloaded service. Each is created and encoded once: rejecting excess load must cost as little as possible.

import { reject } from '../errors.ts';
import { CONNECTION_RATE, MAX_ACCOUNT_CALLS, MAX_CONNECTION_STREAMS } from '../limits/index.ts';
import { madeOnce } from './errors.ts';

/** For too many calls of all callers: UNAVAILABLE, which clients retry. */
const overloaded = (message: string) => madeOnce(reject('SERVICE_OVERLOADED', message));

export const OVERLOADED = overloaded('the service is overloaded');
export const NO_ROOM_FOR_ANSWER = overloaded(
  'the memory for answers is used up by clients that do not read; the call was not started',
);
export const NO_ROOM_FOR_UNREAD = overloaded('unread answers use too much memory');
export const NO_ROOM_FOR_REQUEST = overloaded('requests use too much memory');
export const NO_ROOM_FOR_ARRIVING = overloaded('incomplete requests use too much memory');
export const TOO_MUCH_AT_ONCE = overloaded('the connection has sent too much');
export const TOO_MANY_ARRIVING = overloaded('too many requests are incomplete, and this was the oldest');
export const TOO_MANY_STREAMS = overloaded('too many streams are open');
export const TOO_MANY_PUBLIC = overloaded('too many requests without identity');

/** For too many calls of one caller or connection: RESOURCE_EXHAUSTED, because others are served. */
const beyondQuota = (quota: string, limit: number, message: string) =>
  madeOnce(reject('QUOTA_EXCEEDED', message, { quota, limit: String(limit), retry_after_seconds: '1' }));

export const TOO_MANY_OWN_CALLS = beyondQuota(
  'open_calls_per_caller',
  MAX_ACCOUNT_CALLS,
  `this caller has ${MAX_ACCOUNT_CALLS} open calls, which is the limit`,
);
export const TOO_MANY_OWN_PUBLIC = beyondQuota(
  'public_requests_per_connection_second',
  CONNECTION_RATE.perSecond,
  `this connection sends more than ${CONNECTION_RATE.perSecond} requests a second that need no identity`,
);
export const TOO_MANY_OWN_STREAMS = beyondQuota(
  'open_streams_per_connection',
  MAX_CONNECTION_STREAMS,
  `this connection has ${MAX_CONNECTION_STREAMS} open streams, which is the limit`,
);
