// The address of the port: a network address, or a Unix socket.

import type { AddressInfo, Server } from 'node:net';

/** Path of a Unix socket. No file may exist there. */
export interface UnixSocket {
  readonly path: string;
  /** File mode of the socket: a process that may write it may connect. */
  readonly mode: number;
}

export interface ListenOptions {
  /** A host name or address of this machine, such as `127.0.0.1`. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Used instead of host and port. */
  readonly unix?: UnixSocket | undefined;
}

/** Starts to listen. Returns the address, since the system may choose the port. Rejects if that is impossible. */
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

/** Node binds before `listen` returns, so the mode is set before the event loop can accept a connection. */
function withMask(mode: number, bind: () => void): void {
  const before = process.umask(0o777 & ~mode);
  try {
    bind();
  } finally {
    process.umask(before);
  }
}
