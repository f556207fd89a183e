// What Node reads ahead of a socket that is paused.

import type { Socket } from 'node:net';

/**
 * Has a paused socket stop its reads at once. By default Node goes on up to 64 KiB, and over TLS keeps each record as an object of some 500
 * bytes: of one-byte records 32 MiB for a connection. What the read in progress has brought is still kept: 64 KiB of records.
 *
 * Node has no public option for sockets that a server accepts; without this field nothing changes.
 */
export function limitReadAhead(socket: Socket): void {
  const { _readableState: state } = socket as { readonly _readableState?: { highWaterMark: number } };
  if (state !== undefined) state.highWaterMark = 1;
}
