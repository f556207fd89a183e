// The place of a Unix socket: what may be there, and what is in the way. A socket file outlives a process that crashed, and one
// that is in use is never taken away.

import { accessSync, constants, lstatSync, statSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { fileFault, writeFault } from './system-faults.ts';

export interface UnixSocketFault {
  readonly why: string;
  /** Somebody listens there. */
  readonly isInUse: boolean;
}

const ANOTHER = 'Set ECT_LISTEN to another path.';

/** Why the service cannot listen on this path; undefined where it can. Changes nothing: a socket whose process is gone stays. */
export async function unixSocketFault(path: string): Promise<UnixSocketFault | undefined> {
  const fault = (why: string, isInUse = false) => ({ why: `Cannot listen on unix:${path}: ${why}.`, isInUse });
  const closed = directoryFault(path);
  if (closed !== undefined) return { why: `Cannot listen on unix:${path}: ${closed}`, isInUse: false };
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (!found.isSocket()) {
    return fault('something is there that is no socket; remove it, or set ECT_LISTEN to another path');
  }
  const code = await tryToConnect(path);
  if (code === 'ECONNREFUSED' || code === 'ENOENT') return undefined;
  if (code === undefined) {
    return fault('another process listens there; stop it, or set ECT_LISTEN to another path', true);
  }
  return fault(
    `it cannot be determined whether another process listens there: ${fileFault(path, { code }, 'written')}`,
  );
}

/** Takes away a socket whose process is gone. `unixSocketFault` must have found nothing just now. */
export function removeStaleSocket(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true) unlinkSync(path);
}

/** Why the system let nothing listen on the path; undefined where the error is not one of the system. */
export function unixListenFault(path: string, error: unknown): string | undefined {
  if (!(error instanceof Error && 'code' in error)) return undefined;
  return `Cannot listen on unix:${path}: ${writeFault(path, error, ANOTHER)}`;
}

/** A full sentence. */
function directoryFault(path: string): string | undefined {
  const directory = dirname(path);
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    const { mode } = statSync(directory);
    if ((mode & 0o1002) !== 0o0002) return undefined;
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return writeFault(path, error, isMissing ? `Make ${directory}, or set ECT_LISTEN to another path.` : ANOTHER);
  }
  return (
    `everybody may write ${directory}, and put another socket in the place of this one. ` +
    `Run chmod o-w ${directory}, or set ECT_LISTEN to another path.`
  );
}

/** Undefined: somebody listens. Otherwise the code of the error. */
function tryToConnect(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'));
  });
}
