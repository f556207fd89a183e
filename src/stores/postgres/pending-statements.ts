// The statements of pending recordings. Times are of the server's clock, in milliseconds.

import type { PendingLimits, PendingRecording } from '../../authority/index.ts';
import type { Statement } from './database.ts';

/** When the statement began: what is volatile could not be looked for in an index. */
const NOW_MS = '(extract(epoch FROM now()) * 1000)::bigint';
/** A lease that ends later than this was given before the clock was set back: it counts as over. */
const LONGEST_LEASE_MS = 60_000;

/** The pending recordings under these keys. */
export function open(ledger: string, keys: readonly Uint8Array[]): Statement {
  return {
    name: 'open-orders',
    text: `SELECT o.key, o.digest FROM unnest($2::bytea[]) AS wanted (key) JOIN LATERAL (
             SELECT key, digest FROM ect.recording_orders
             WHERE ledger = $1 AND key = wanted.key AND is_open LIMIT 1) AS o ON true`,
    values: [ledger, [...keys]],
  };
}

/** Open orders of each of these callers (`own`) and of all (`total`), each counted up to its limit. */
export function counts(ledger: string, callers: readonly string[], { total, perCaller }: PendingLimits): Statement {
  return {
    name: 'count-orders',
    text: `SELECT wanted.caller,
             (SELECT count(*) FROM (SELECT 1 FROM ect.recording_orders
                WHERE ledger || '' = $1 AND is_open AND caller = wanted.caller LIMIT $3) AS own) AS own,
             (SELECT count(*) FROM (SELECT 1 FROM ect.recording_orders
                WHERE ledger || '' = $1 AND is_open ORDER BY due LIMIT $4) AS every) AS total
           FROM unnest($2::bytea[]) AS wanted (caller)`,
    values: [ledger, callers.map((caller) => Buffer.from(caller)), perCaller, total],
  };
}

/** An order with its key. */
export interface KeyedOrder {
  readonly key: Uint8Array;
  readonly order: PendingRecording;
  readonly leaseMs: number;
}

/** Adds orders, also instead of those that failed. Returns the keys of those that were added. */
export function insert(ledger: string, rows: readonly KeyedOrder[]): Statement {
  const bytes = (of: (order: PendingRecording) => string) => rows.map(({ order }) => Buffer.from(of(order)));
  return {
    name: 'place-orders',
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
      rows.map(({ key }) => key),
      bytes(({ wid }) => wid),
      bytes(({ jti }) => jti),
      bytes(({ iss }) => iss),
      bytes(({ caller }) => caller),
      rows.map(({ order }) => order.digest),
      bytes(({ token }) => token),
      rows.map(({ order }) => order.orderedAt),
      rows.map(({ leaseMs }) => leaseMs),
      rows.map(({ order }) => order.provenance ?? null),
    ],
  };
}

/** An order that is open, or that failed not too long ago. */
export function read(ledger: string, key: Uint8Array): Statement {
  return {
    name: 'read-order',
    text: `SELECT iss, digest, failure FROM ect.recording_orders
           WHERE ledger = $1 AND key = $2 AND (is_open OR due > ${NOW_MS})`,
    values: [ledger, key],
  };
}

/** Leases pending recordings without a lease, each to one process. */
export function take(ledger: string, limit: number, leaseMs: number): Statement {
  return {
    name: 'take-orders',
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
    name: 'end-orders',
    text: `DELETE FROM ect.recording_orders WHERE ctid = ANY (ARRAY (
             SELECT o.place FROM unnest($2::bytea[], $3::bytea[]) AS ended (key, digest) JOIN LATERAL (
               SELECT ctid AS place FROM ect.recording_orders
               WHERE ledger = $1 AND key = ended.key AND digest = ended.digest AND is_open LIMIT 1) AS o ON true))`,
    values: [ledger, refs.map(({ key }) => key), refs.map(({ digest }) => digest)],
  };
}

/** Ends an order without an entry. */
export function fail(ledger: string, key: Uint8Array, digest: Uint8Array, failure: string, keepMs: number): Statement {
  return {
    name: 'fail-order',
    text: `UPDATE ect.recording_orders SET is_open = false, token = '', provenance = NULL, failure = $4, due = ${NOW_MS} + $5::bigint
           WHERE ledger = $1 AND key = $2 AND digest = $3 AND is_open`,
    values: [ledger, key, digest, Buffer.from(failure), keepMs],
  };
}

/** Removes recordings that failed long ago. */
export function forget(ledger: string, limit: number): Statement {
  return {
    name: 'forget-orders',
    text: `DELETE FROM ect.recording_orders WHERE ctid = ANY (ARRAY (
             SELECT ctid FROM ect.recording_orders
             WHERE ledger || '' = $1 AND NOT is_open AND due <= ${NOW_MS}
             ORDER BY due LIMIT $2 FOR UPDATE SKIP LOCKED))`,
    values: [ledger, limit],
  };
}
