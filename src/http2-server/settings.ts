// The settings of the peer that matter for a server without server push and dynamic table.

import { flowError, protocolError } from './connection-error.ts';
import { MAX_FRAME_BYTES, MAX_WINDOW, Setting } from './frames.ts';

const LARGEST_FRAME_BYTES = 2 ** 24 - 1;

/** Checks the payload of SETTINGS. Returns the new initial window size, if it has one. Throws ConnectionError. */
export function readInitialWindow(payload: Buffer): number | undefined {
  let initialWindow: number | undefined;
  for (let at = 0; at < payload.length; at += 6) {
    const value = payload.readUInt32BE(at + 2);
    switch (payload.readUInt16BE(at)) {
      case Setting.ENABLE_PUSH:
        if (value > 1) throw protocolError('ENABLE_PUSH has no such value');
        break;
      case Setting.INITIAL_WINDOW_SIZE:
        if (value > MAX_WINDOW) throw flowError('the window is too wide');
        initialWindow = value;
        break;
      case Setting.MAX_FRAME_SIZE:
        // We never send larger frames than the size that every peer must accept.
        if (value < MAX_FRAME_BYTES || value > LARGEST_FRAME_BYTES)
          throw protocolError('MAX_FRAME_SIZE has no such value');
        break;
      default:
    }
  }
  return initialWindow;
}
