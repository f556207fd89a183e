// Explains why nothing can listen on an address, and what to do about it.

import { createServer } from 'node:net';

/** Listens on an address as a start would, and stops at once. Returns the error of the system, if there is one. */
export function tryToListen(host: string, port: number): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** Returns why nothing can listen on an address and what to do about it. Undefined if it is not an error of the system. */
export function listenFault(host: string, port: number, error: unknown): string | undefined {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return undefined;
  const { code } = error;
  return `Cannot listen on ${addressText(host, port)} (${code}): ${listenRemedy(code, host)}.`;
}

/** Returns the address in the form of ECT_LISTEN: an IPv6 address is in brackets. */
export function addressText(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function listenRemedy(code: string, host: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'another process uses it; stop that, or set ECT_LISTEN to another port';
    case 'EADDRNOTAVAIL':
      return `${host} is not an address of this machine; set ECT_LISTEN to one that is, or to ${host.includes(':') ? '[::]' : '0.0.0.0'} for all of them`;
    case 'EACCES':
      return `this user may not use this port; set ECT_LISTEN to a port from 1024 on, or grant CAP_NET_BIND_SERVICE`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name ${host} cannot be resolved; set ECT_LISTEN to an address`;
    case 'EAFNOSUPPORT':
    case 'EINVAL':
      return `this machine has no network of the kind of ${host}; set ECT_LISTEN to another address`;
    default:
      return 'set ECT_LISTEN to another address or port';
  }
}
