// The statements of pending recordings. Times are in milliseconds of the server's clock. The table has its name from an earlier release.

import type { PendingLimits, PendingRecording } from '../../authority/index.ts';
import { bigintArray, byteaArray } from './binary-arrays.ts';
import type { Statement } from './database.ts';

/** The start of the statement: a volatile function could not use the index. */
const NOW_MS = '(extract(epoch FROM now()) * 1000)::bigint';
/** A longer lease was written before the clock was set back: it counts as expired. */
const LONGEST_LEASE_MS = 60_000;

/** The pending recordings under these keys. */
export function open(ledger: string, keys: readonly Uint8Array[]): Statement {
  return {
    name: 'open-recordings',
    text: `SELECT o.key, o.digest FROM unnest($2::bytea[]) AS wanted (key) JOIN LATERAL (
             SELECT key, digest FROM ect.recording_orders
             WHERE ledger = $1 AND key = wanted.key AND is_open LIMIT 1) AS o ON true`,
    values: [ledger, byteaArray(keys)],
  };
}

/** The number of pending recordings of each of these callers (`own`) and in total (`total`), each counted up to its limit. */
export function counts(ledger: string, callers: readonly string[], { total, perCaller }: PendingLimits): Statement {
  return {
    name: 'count-recordings',
    text: `SELECT wanted.caller,
             (SELECT count(*) FROM (SELECT 1 FROM ect.recording_orders
                WHERE ledger || '' = $1 AND is_open AND caller = wanted.caller LIMIT $3) AS own) AS own,
             (SELECT count(*) FROM (SELECT 1 FROM ect.recording_orders
                WHERE ledger || '' = $1 AND is_open ORDER BY due LIMIT $4) AS every) AS total
           FROM unnest($2::bytea[]) AS wanted (caller)`,
    values: [ledger, byteaArray(callers.map((caller) => Buffer.from(caller))), perCaller, total],
  };
}

/** A recording with its key. */
export interface KeyedRecording {
  readonly key: Uint8Array;
  readonly recording: PendingRecording;
  readonly leaseMs: number;
}

/** Adds recordings, also instead of failed ones. Returns the keys of those that were added. */
export function insert(ledger: string, rows: readonly KeyedRecording[]): Statement {
  const bytes = (of: (recording: PendingRecording) => string) =>
    byteaArray(rows.map(({ recording }) => Buffer.from(of(recording))));
  return {
    name: 'add-recordings',
    text: `INSERT INTO ect.recording_orders AS held
             (ledger, key, wid, jti, iss, caller, digest, token, ordered_at, provenance, failure, is_open, due)
           SELECT $1, o.key, o.wid, o.jti, o.iss, o.caller, o.digest, o.token, o.ordered_at, o.provenance, '', true,
             ${NOW_MS} + o.lease
           FROM unnest($2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[], $8::bytea[],
             $9::bigint[], $10::bigint[], $11::bytea[])
             AS o (key, wid, jti, iss, caller, digest, token, ordered_at, lease, provenance)
           ON CONFLICT (ledger, key) DO UPDATE SET
             iss = excluded.iss, caller = excluded.caller, digest = excluded.digest, token = excluded.token,
             ordered_at = excluded.ordered_at, provenance = excluded.provenance, failure = '', is_open = true, due = excluded.due
           WHERE NOT held.is_open
           RETURNING key`,
    values: [
      ledger,
      byteaArray(rows.map(({ key }) => key)),
      bytes(({ wid }) => wid),
      bytes(({ jti }) => jti),
      bytes(({ iss }) => iss),
      bytes(({ caller }) => caller),
      byteaArray(rows.map(({ recording }) => recording.digest)),
      bytes(({ token }) => token),
      bigintArray(rows.map(({ recording }) => recording.requestedAt)),
      bigintArray(rows.map(({ leaseMs }) => leaseMs)),
      byteaArray(rows.map(({ recording }) => recording.provenance ?? null)),
    ],
  };
}

/** A recording that is pending, or that has failed and is still kept. */
export function read(ledger: string, key: Uint8Array): Statement {
  return {
    name: 'read-recording',
    text: `SELECT iss, digest, failure FROM ect.recording_orders
           WHERE ledger = $1 AND key = $2 AND (is_open OR due > ${NOW_MS})`,
    values: [ledger, key],
  };
}

/** Leases pending recordings without a lease, each to one process. */
export function take(ledger: string, limit: number, leaseMs: number): Statement {
  return {
    name: 'take-recordings',
    text: `UPDATE ect.recording_orders SET due = ${NOW_MS} + $3::bigint
           WHERE ctid = ANY (${due(`<= ${NOW_MS}`)} || ${due(`> ${NOW_MS} + ${LONGEST_LEASE_MS}`)})
           RETURNING wid, jti, iss, caller, digest, token, ordered_at, provenance`,
    values: [ledger, limit, leaseMs],
  };
}

/** Pending recordings without a lease, by the expiry of their last lease. */
function due(when: string): string {
  return `ARRAY (SELECT ctid FROM ect.recording_orders WHERE ledger || '' = $1 AND is_open AND due ${when}
                 ORDER BY due LIMIT $2 FOR UPDATE SKIP LOCKED)`;
}

/** Removes pending recordings that were completed. */
export function end(
  ledger: string,
  refs: readonly { readonly key: Uint8Array; readonly digest: Uint8Array }[],
): Statement {
  return {
    name: 'end-recordings',
    text: `DELETE FROM ect.recording_orders WHERE ctid = ANY (ARRAY (
             SELECT o.place FROM unnest($2::bytea[], $3::bytea[]) AS ended (key, digest) JOIN LATERAL (
               SELECT ctid AS place FROM ect.recording_orders
               WHERE ledger = $1 AND key = ended.key AND digest = ended.digest AND is_open LIMIT 1) AS o ON true))`,
    values: [ledger, byteaArray(refs.map(({ key }) => key)), byteaArray(refs.map(({ digest }) => digest))],
  };
}

/** Ends a recording without an entry. */
export function fail(ledger: string, key: Uint8Array, digest: Uint8Array, failure: string, keepMs: number): Statement {
  return {
    name: 'fail-recording',
    text: `UPDATE ect.recording_orders SET is_open = false, token = '', provenance = NULL, failure = $4, due = ${NOW_MS} + $5::bigint
           WHERE ledger = $1 AND key = $2 AND digest = $3 AND is_open`,
    values: [ledger, key, digest, Buffer.from(failure), keepMs],
  };
}

/** Removes recordings that failed long ago. */
export function forget(ledger: string, limit: number): Statement {
  return {
    name: 'forget-recordings',
    text: `DELETE FROM ect.recording_orders WHERE ctid = ANY (ARRAY (
             SELECT ctid FROM ect.recording_orders
             WHERE ledger || '' = $1 AND NOT is_open AND due <= ${NOW_MS}
             ORDER BY due LIMIT $2 FOR UPDATE SKIP LOCKED))`,
    values: [ledger, limit],
  };
}
