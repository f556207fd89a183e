// Formats signing keys as lines of text, and checks the certificate of a delegated key.

import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import type { ManagedKey } from '../gen/ect/v1/admin_pb.ts';
import { KeyState } from '../gen/ect/v1/keys_pb.ts';
import { openCertificate } from '../key-manager/index.ts';
import { keyStateName } from './key-state.ts';

type Row = readonly [name: string, value: string];

export function stateName({ key }: ManagedKey): string {
  return keyStateName(key?.state ?? KeyState.UNSPECIFIED);
}

export function keyRows(managed: ManagedKey): readonly Row[] {
  const { key, generation, locator } = managed;
  return [
    ['state', stateName(managed)],
    ['number', generation === undefined ? '' : String(generation)],
    ['opened by', locator],
    ['announced', timeOf(managed.announcedAt)],
    ['signs from', timeOf(key?.useFrom)],
    ['signs until', timeOf(key?.useUntil)],
    ['revoked', timeOf(managed.revokedAt)],
    ['compromised', managed.compromisedSince === undefined ? '' : `since ${timeOf(managed.compromisedSince)}`],
    ['changed by', managed.changedBy],
    ['note', managed.note],
    ['index', String(managed.entryIndex ?? 0n)],
  ];
}

/** Returns the `kid` of the root key that certified a delegated key; undefined if none of `keys` did. */
export function certifierOf({ key }: ManagedKey, keys: readonly ManagedKey[]): string | undefined {
  if (key === undefined) return undefined;
  const says = openCertificate(key.certificate, (kid) => rootKey(keys, kid));
  return says?.jwk.kid === key.kid ? says.rootKid : undefined;
}

function rootKey(keys: readonly ManagedKey[], kid: string): KeyObject | undefined {
  const root = keys.find(({ key, generation }) => generation !== undefined && key?.kid === kid)?.key;
  if (root === undefined) return undefined;
  try {
    return createPublicKey({ key: JSON.parse(root.jwkJson) as JsonWebKey, format: 'jwk' });
  } catch {
    // The key that the service lists is invalid.
    return undefined;
  }
}

function timeOf(time: Timestamp | undefined): string {
  return time === undefined ? '' : new Date(timestampMs(time)).toISOString();
}
