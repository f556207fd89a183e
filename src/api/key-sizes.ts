// The maximum sizes of responses about keys, in bytes of protobuf.

import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { ManagedKeySchema } from '../gen/ect/v1/admin_pb.ts';
import type { KeyManager } from '../key-manager/index.ts';
import { pageBytes } from './page-sizes.ts';

/** The state and the times of a key in a list, and the fields around the list. */
const STATE_BYTES = 160;
const AROUND_BYTES = 1_024;

/**
 * Returns the size of a key set response. It contains the set twice: as the document, and as a list of keys with their `kid` and `alg`.
 */
export function keySetBytes(
  { keySet, published }: Pick<KeyManager, 'keySet' | 'published'>,
  verifierKey: string,
): number {
  return 2 * Buffer.byteLength(keySet) + STATE_BYTES * published.length + Buffer.byteLength(verifierKey) + AROUND_BYTES;
}

export function keyPageBytes(pageSize: number): number {
  return pageBytes(pageSize);
}

/** Returns the size of a key on a page, with its tag and length. */
export function sizeOfKey(key: MessageInitShape<typeof ManagedKeySchema>): number {
  return toBinary(ManagedKeySchema, create(ManagedKeySchema, key)).length + 4;
}
