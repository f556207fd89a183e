// Converts between messages and the key manager: keys for responses, and the requests of administrators.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Timestamp, timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { RotationRequest } from '../authority/index.ts';
import { MAX_KEY_NAME_CHARACTERS, MAX_PAGE_KEYS } from '../calls/message-limits.ts';
import type {
  ListKeysRequest,
  ListKeysResponseSchema,
  ManagedKeySchema,
  RevokeKeyRequest,
  RotateKeyRequest,
} from '../gen/ect/v1/admin_pb.ts';
import type { SigningKeySchema } from '../gen/ect/v1/keys_pb.ts';
import { endOf, type KeyChange, type KeyPage, type KeyQuery, type KeyRecord } from '../key-manager/index.ts';
import { KEY_STATES } from './entry-messages.ts';
import { demand } from './invalid.ts';
import { sizeOfKey } from './key-sizes.ts';
import { checkNote } from './note.ts';
import { pageRoom } from './page-sizes.ts';
import { checkPageSize, pageSizeOf, readPageToken, writePageToken } from './page-token.ts';
import { readRequestId } from './request-fields.ts';
import { readMillisecond } from './times.ts';
import { checkAll } from './violations.ts';

export function writeSigningKey(key: KeyRecord): MessageInitShape<typeof SigningKeySchema> {
  const { kid, alg } = key.jwk;
  return {
    kid,
    alg,
    jwkJson: JSON.stringify(key.jwk),
    state: KEY_STATES[key.state],
    useFrom: timestampFromMs(key.useFromMs),
    ...timeOf('useUntil', endOf(key)),
    certificate: key.certificate?.text ?? '',
  };
}

/** Returns the second since which a key is marked as compromised; undefined if it is not. */
export type SinceOf = (kid: string) => number | undefined;

function writeManagedKey(key: KeyRecord, sinceOf: SinceOf): MessageInitShape<typeof ManagedKeySchema> {
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

/** Returns the earliest compromise in milliseconds, of the entry about the key and the marks. */
function earliestOf(revokedMs: number | undefined, markedSecond: number | undefined): number | undefined {
  if (markedSecond === undefined) return revokedMs;
  return Math.min(revokedMs ?? Number.POSITIVE_INFINITY, markedSecond * 1000);
}

export function writeChange({ key, changed }: KeyChange, sinceOf: SinceOf) {
  return { key: writeManagedKey(key, sinceOf), duplicate: !changed };
}

export function readKeyQuery({ past, pageSize, pageToken }: ListKeysRequest): KeyQuery {
  checkAll(
    () => checkPageSize(pageSize),
    () => readPageToken(listOf(past), pageToken),
  );
  return { past, startIndex: readPageToken(listOf(past), pageToken) ?? 0, limit: keysAPage(pageSize) };
}

/** Returns the maximum number of keys on a page. */
export function keysAPage(pageSize: number): number {
  return pageSizeOf(pageSize, MAX_PAGE_KEYS, MAX_PAGE_KEYS);
}

/** Identifies the list in the token of the next page. */
function listOf(past: boolean): string {
  return JSON.stringify(['keys', past]);
}

/** Returns a page with at most this many keys, and at most as many as fit into a response. */
export function writeKeyPage(
  { keys, next }: KeyPage,
  { limit, past }: KeyQuery,
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
  return { keys: written, nextPageToken: following === undefined ? '' : writePageToken(listOf(past), following) };
}

const KEY_NAME = new RegExp(`^[\\x21-\\x7e]{1,${MAX_KEY_NAME_CHARACTERS}}$`);
const KID = /^[A-Za-z0-9_-]{43}$/;

export function readRotation(request: RotateKeyRequest): RotationRequest {
  const { source, urgent, note, requestId, expectedCurrentKid } = request;
  const nextKey = source.case === 'existing' ? source.value.name : '';
  const rule = `must have 1 to ${MAX_KEY_NAME_CHARACTERS} printable ASCII characters without blanks`;
  checkAll(
    () => demand(source.case !== 'existing' || KEY_NAME.test(nextKey), 'existing.name', rule),
    () => checkNote(note),
    () => readRequestId(requestId),
    () => expectedCurrentKid === '' || checkKid(expectedCurrentKid, 'expected_current_kid'),
  );
  return { nextKey, urgent, note, requestId, expectedCurrentKid };
}

export function readKeyInput({ kid, note }: { readonly kid: string; readonly note: string }) {
  checkAll(
    () => checkKid(kid),
    () => checkNote(note),
  );
  return { kid, note };
}

/** `sinceMs`: milliseconds since the epoch; undefined: from now on. */
export function readRevocation({ kid, note, compromisedSince }: RevokeKeyRequest) {
  checkAll(
    () => checkKid(kid),
    () => checkNote(note),
    () => readMillisecond('compromised_since', compromisedSince),
  );
  return { key: { kid, note }, sinceMs: readMillisecond('compromised_since', compromisedSince) };
}

function checkKid(kid: string, field = 'kid'): void {
  demand(KID.test(kid), field, 'must be a key id of this service: 43 characters of base64url');
}

function timeOf<N extends string>(name: N, ms: number | undefined): { readonly [K in N]?: Timestamp } {
  return ms === undefined ? {} : ({ [name]: timestampFromMs(ms) } as { readonly [K in N]: Timestamp });
}
