// Paging of lists: the number of rows of a page, and the tokens of following pages. A token is opaque to callers. It contains the
// position at which the next page begins and a digest of the list, so that it is invalid for another list. It is neither secret nor
// signed, because it contains only a position in a list that the caller may read.

import { createHash } from 'node:crypto';
import { demand, invalid } from './invalid.ts';

const DIGEST_BYTES = 8;
const PLACE_BYTES = 6;

/** `list` identifies what is listed and in which order. */
export function writePageToken(list: string, place: number): string {
  const bytes = Buffer.alloc(DIGEST_BYTES + PLACE_BYTES);
  digestOf(list).copy(bytes);
  bytes.writeUIntBE(place, DIGEST_BYTES, PLACE_BYTES);
  return bytes.toString('base64url');
}

/** Returns the position at which the page begins; undefined for the first page. Throws REQUEST_INVALID for a token of another list. */
export function readPageToken(list: string, token: string): number | undefined {
  const bytes = bytesOf(token);
  if (bytes === undefined) return undefined;
  if (!bytes.subarray(0, DIGEST_BYTES).equals(digestOf(list))) {
    throw invalid(
      'page_token',
      'is of a list with other filters: repeat the filters of the previous page, or leave it empty',
    );
  }
  return bytes.readUIntBE(DIGEST_BYTES, PLACE_BYTES);
}

/** Rejects a text that is the token of no list, also where it is not known which list is meant. */
export function checkPageToken(token: string): void {
  bytesOf(token);
}

function bytesOf(token: string): Buffer | undefined {
  if (token === '') return undefined;
  const bytes = Buffer.from(token, 'base64url');
  if (bytes.length === DIGEST_BYTES + PLACE_BYTES && bytes.toString('base64url') === token) return bytes;
  throw invalid('page_token', 'must be the next_page_token of a page');
}

function digestOf(list: string): Buffer {
  return createHash('sha256').update(list).digest().subarray(0, DIGEST_BYTES);
}

/** Returns the maximum number of rows of a page: `usual` for 0, and `most` for more than `most`. An invalid size counts as `usual`. */
export function pageSizeOf(pageSize: number, usual: number, most: number): number {
  return pageSize <= 0 ? usual : Math.min(pageSize, most);
}

export function checkPageSize(pageSize: number): void {
  demand(pageSize >= 0, 'page_size', 'must not be negative');
}
