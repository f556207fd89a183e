// Between messages and custody: keys as they are answered, and what administrators order about them.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Timestamp, timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { RotationRequest } from '../authority/index.ts';
import { endOf, type KeyChange, type KeyPage, type KeyQuery, type KeyRecord } from '../custody/index.ts';
import {
  KeyState,
  type ListKeysRequest,
  type ListKeysResponseSchema,
  type ManagedKeySchema,
  type RevokeKeyRequest,
  type RotateKeyRequest,
  type SigningKeySchema,
} from '../gen/ect/v1/keys_pb.ts';
import { pageRoom } from './answer-size.ts';
import { demand } from './invalid.ts';
import { sizeOfKey } from './key-sizes.ts';
import { MAX_PAGE_KEYS } from './limits.ts';
import { millisecondsOf } from './messages.ts';
import { readKey } from './orders.ts';
import { checkAll } from './violations.ts';

const STATES = {
  announced: KeyState.ANNOUNCED,
  active: KeyState.ACTIVE,
  retired: KeyState.RETIRED,
  revoked: KeyState.REVOKED,
} as const;

export function writeSigningKey(key: KeyRecord): MessageInitShape<typeof SigningKeySchema> {
  const { kid, alg, kty, crv, x, y } = key.jwk;
  return {
    kid,
    alg,
    kty,
    crv,
    x,
    y,
    state: STATES[key.state],
    useFrom: timestampFromMs(key.useFromMs),
    ...timeOf('useUntil', endOf(key)),
    certificate: key.certificate?.text ?? '',
  };
}

/** Since which second a key is marked as compromised; undefined where it is not. */
export type SinceOf = (kid: string) => number | undefined;

export function writeManagedKey(key: KeyRecord, sinceOf: SinceOf): MessageInitShape<typeof ManagedKeySchema> {
  const { generation, revoked } = key;
  return {
    key: writeSigningKey(key),
    locator: key.locator ?? '',
    ...(generation === undefined ? {} : { generation }),
    announcedAt: timestampFromMs(key.announcedAtMs),
    ...timeOf('activeAt', key.activeAtMs),
    ...timeOf('revokedAt', revoked?.atMs),
    ...timeOf('compromisedSince', earliestOf(revoked?.sinceMs, sinceOf(key.kid))),
    changedBy: key.by,
    note: key.note,
    entryIndex: BigInt(key.index),
  };
}

/** The earliest time that was stated, in milliseconds: by the entry about the key, or by a mark. */
function earliestOf(revokedMs: number | undefined, markedSecond: number | undefined): number | undefined {
  if (markedSecond === undefined) return revokedMs;
  return Math.min(revokedMs ?? Number.POSITIVE_INFINITY, markedSecond * 1000);
}

export function writeChange({ key, changed }: KeyChange, sinceOf: SinceOf) {
  return { key: writeManagedKey(key, sinceOf), duplicate: !changed };
}

export function readKeyQuery({ past, pageSize, pageToken }: ListKeysRequest): KeyQuery {
  checkAll(
    () => demand(pageSize >= 0 && pageSize <= MAX_PAGE_KEYS, 'page_size', `must be 0 to ${MAX_PAGE_KEYS}`),
    () => demand(/^(?:|[1-9][0-9]{0,14})$/.test(pageToken), 'page_token', 'must be one that a page answered'),
  );
  return { past, startIndex: Number(pageToken), limit: pageSize === 0 ? MAX_PAGE_KEYS : pageSize };
}

/** A page of so many keys at most, and as many as have room. */
export function writeKeyPage(
  { keys, next }: KeyPage,
  limit: number,
  sinceOf: SinceOf,
): MessageInitShape<typeof ListKeysResponseSchema> {
  const written: MessageInitShape<typeof ManagedKeySchema>[] = [];
  let room = pageRoom(limit, false);
  for (const key of keys) {
    const message = writeManagedKey(key, sinceOf);
    room -= sizeOfKey(message);
    if (room < 0 && written.length > 0) break;
    written.push(message);
  }
  const following = keys[written.length]?.announcedIndex ?? next;
  return { keys: written, nextPageToken: following === undefined ? '' : String(following) };
}

const KEY_NAME = /^[\x21-\x7e]{0,2048}$/;
const KID = /^[A-Za-z0-9_-]{43}$/;
const TEXT = /^[^\p{Cc}\p{Cs}]{0,256}$/u;

export function readRotation(request: RotateKeyRequest): RotationRequest {
  const { nextKey, urgent, note, requestId, expectedCurrentKid } = request;
  checkAll(
    () => demand(KEY_NAME.test(nextKey), 'next_key', 'must be a key id or an ARN'),
    () => checkNote(note),
    () => readKey('request_id', requestId),
    () => expectedCurrentKid === '' || checkKid(expectedCurrentKid, 'expected_current_kid'),
  );
  return { nextKey, urgent, note, requestId, expectedCurrentKid };
}

export function readKeyOrder({ kid, note }: { readonly kid: string; readonly note: string }) {
  checkAll(
    () => checkKid(kid),
    () => checkNote(note),
  );
  return { kid, note };
}

/** `sinceMs`: milliseconds since the epoch; undefined: as of now. */
export function readRevocation({ kid, note, compromisedSince }: RevokeKeyRequest) {
  const sinceMs = millisecondsOf(compromisedSince);
  checkAll(
    () => checkKid(kid),
    () => checkNote(note),
    () => demand(sinceMs === undefined || sinceMs >= 0, 'compromised_since', 'must not be before 1970'),
  );
  return { order: { kid, note }, sinceMs };
}

function checkKid(kid: string, field = 'kid'): void {
  demand(KID.test(kid), field, 'must be a key id of this service: 43 characters of base64url');
}

function checkNote(note: string): void {
  demand(TEXT.test(note), 'note', 'must have at most 256 characters and no control characters');
}

function timeOf<N extends string>(name: N, ms: number | undefined): { readonly [K in N]?: Timestamp } {
  return ms === undefined ? {} : ({ [name]: timestampFromMs(ms) } as { readonly [K in N]: Timestamp });
}
