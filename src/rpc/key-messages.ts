// Between messages and custody: keys as they are answered, and what administrators order about them.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Timestamp, timestampFromMs } from '@bufbuild/protobuf/wkt';
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
import { demand } from './invalid.ts';
import { millisecondsOf } from './messages.ts';
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

export function writeManagedKey(key: KeyRecord): MessageInitShape<typeof ManagedKeySchema> {
  const { generation, revoked } = key;
  return {
    key: writeSigningKey(key),
    locator: key.locator ?? '',
    ...(generation === undefined ? {} : { generation }),
    announcedAt: timestampFromMs(key.announcedAtMs),
    ...timeOf('activeAt', key.activeAtMs),
    ...timeOf('revokedAt', revoked?.atMs),
    ...timeOf('compromisedSince', revoked?.sinceMs),
    changedBy: key.by,
    note: key.note,
    entryIndex: BigInt(key.index),
  };
}

export function writeChange({ key, changed }: KeyChange) {
  return { key: writeManagedKey(key), duplicate: !changed };
}

const MAX_PAGE = 500;

export function readKeyQuery({ past, pageSize, pageToken }: ListKeysRequest): KeyQuery {
  checkAll(
    () => demand(pageSize >= 0 && pageSize <= MAX_PAGE, 'page_size', `must be 0 to ${MAX_PAGE}`),
    () => demand(/^(?:|[1-9][0-9]{0,14})$/.test(pageToken), 'page_token', 'must be one that a page answered'),
  );
  return { past, startIndex: Number(pageToken), limit: pageSize === 0 ? MAX_PAGE : pageSize };
}

export function writeKeyPage({ keys, next }: KeyPage): MessageInitShape<typeof ListKeysResponseSchema> {
  return { keys: keys.map(writeManagedKey), nextPageToken: next === undefined ? '' : String(next) };
}

const KEY_NAME = /^[\x21-\x7e]{0,2048}$/;
const KID = /^[A-Za-z0-9_-]{43}$/;
const TEXT = /^[^\p{Cc}\p{Cs}]{0,256}$/u;

export function readRotation({ nextKey, urgent, note }: RotateKeyRequest) {
  checkAll(
    () => demand(KEY_NAME.test(nextKey), 'next_key', 'must be a key id or an ARN'),
    () => checkNote(note),
  );
  return { nextKey, urgent, note };
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

function checkKid(kid: string): void {
  demand(KID.test(kid), 'kid', 'must be a key id of this service: 43 characters of base64url');
}

function checkNote(note: string): void {
  demand(TEXT.test(note), 'note', 'must have at most 256 characters and no control characters');
}

function timeOf<N extends string>(name: N, ms: number | undefined): { readonly [K in N]?: Timestamp } {
  return ms === undefined ? {} : ({ [name]: timestampFromMs(ms) } as { readonly [K in N]: Timestamp });
}
