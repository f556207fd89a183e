// How large responses about keys can become, in bytes of protobuf.

import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { ManagedKeySchema } from '../gen/ect/v1/admin_pb.ts';
import type { KeyManager } from '../key-manager/index.ts';
import { pageBytes } from './page-sizes.ts';

/** Of a key in a list, its state and its times; and what is around the list. */
const STATE_BYTES = 160;
const AROUND_BYTES = 1_024;

/** The key set stands there twice: as the document, and key by key, with `kid` and `alg` once more. */
export function keySetBytes(
  { keySet, published }: Pick<KeyManager, 'keySet' | 'published'>,
  verifierKey: string,
): number {
  return 2 * Buffer.byteLength(keySet) + STATE_BYTES * published.length + Buffer.byteLength(verifierKey) + AROUND_BYTES;
}

export function keyPageBytes(pageSize: number): number {
  return pageBytes(pageSize);
}

/** A key on a page, with its tag and length. */
export function sizeOfKey(key: MessageInitShape<typeof ManagedKeySchema>): number {
  return toBinary(ManagedKeySchema, create(ManagedKeySchema, key)).length + 4;
}
