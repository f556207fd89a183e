// The data directory and the address, which a start takes first.

import type { Config } from '../config/index.ts';
import { type DataDir, openDataDir, StartError } from '../data-directory/data-dir.ts';
import { type Ownership, takeOwnership } from '../data-directory/ownership.ts';
import { StartTraces } from '../data-directory/start-traces.ts';
import { removeDrafts } from '../files/atomic-files.ts';
import { unixSocketFault } from '../files/unix-socket.ts';
import { listenFault, tryToListen } from '../startup/listen-fault.ts';

/** Takes ownership of the data directory for the workers of a supervisor. Throws StartError if they could not listen on the address. */
export async function ownDirectory({ store, dataDir, listen, unix }: Config): Promise<Ownership | undefined> {
  const traces = new StartTraces(dataDir);
  const ownership = store === 'memory' ? undefined : await own(await openDataDir(dataDir), traces);
  try {
    await demandAddress({ listen, unix });
    return ownership;
  } catch (error) {
    ownership?.release();
    throw error;
  }
}

export async function own(dir: DataDir, traces: StartTraces): Promise<Ownership> {
  const ownership = await takeOwnership(dir);
  await removeDrafts(dir.path);
  return {
    isLost: ownership.isLost,
    release() {
      if (!ownership.isLost()) traces.remove();
      ownership.release();
    },
  };
}

/** Checks the address before anything is created that a failed start would leave behind. */
export async function demandAddress({ listen, unix }: Pick<Config, 'listen' | 'unix'>): Promise<void> {
  if (unix !== undefined) {
    const fault = await unixSocketFault(unix.path);
    if (fault !== undefined) throw new StartError(fault.why);
    return;
  }
  const { host, port } = listen;
  const cause = port === 0 ? undefined : await tryToListen(host, port);
  const fault = cause && listenFault(host, port, cause);
  if (fault !== undefined) throw new StartError(fault, { cause });
}
