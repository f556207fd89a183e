// Where the port is: an address of the network, or a socket in the file system.

import type { AddressInfo, Server } from 'node:net';

/** A socket in the file system. Nothing may be at the path. */
export interface UnixSocket {
  readonly path: string;
  /** Rights of the socket: who may write it may connect. */
  readonly mode: number;
}

export interface ListenOptions {
  /** A name or address of this machine, `127.0.0.1`. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Instead of both. */
  readonly unix?: UnixSocket | undefined;
}

/** Begins to listen. Returns where: the port may be one that the system chose. Rejects where that is impossible. */
export function listen(front: Server, { host, port, unix }: ListenOptions): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    front.once('error', reject);
    const onListening = () => {
      front.off('error', reject);
      resolve(unix === undefined ? (front.address() as AddressInfo) : { address: unix.path, family: 'unix', port: 0 });
    };
    if (unix === undefined) front.listen({ host, port }, onListening);
    else withMask(unix.mode, () => front.listen({ path: unix.path, exclusive: true }, onListening));
  });
}

/** Node binds before it returns, so the file has its rights from its first moment on: later would be too late for some. */
function withMask(mode: number, bind: () => void): void {
  const before = process.umask(0o777 & ~mode);
  try {
    bind();
  } finally {
    process.umask(before);
  }
}
