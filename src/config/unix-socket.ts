// The settings of a Unix socket: its path, who may connect, and who the callers are.

import { isWorkloadId } from '../token/index.ts';
import { Fault } from './fault.ts';
import type { Rules, Settings, ValuesOf } from './setting.ts';
import { choice, text } from './types.ts';

/** A socket in the file system, instead of a host and port. */
export interface UnixConfig {
  readonly path: string;
  /** The permissions of the socket file: who may write to it may connect. */
  readonly mode: number;
  /** The SPIFFE ID of all callers; undefined: callers on the socket are anonymous. */
  readonly caller: string | undefined;
}

/** The maximum length of a socket path that every system supports, without the terminating zero. */
const MAX_PATH_BYTES = 103;

/** Returns the path in `unix:/run/ect/ect.sock` or `unix:///run/ect/ect.sock`. */
export function readUnixPath(address: string): string | undefined {
  const path = /^unix:(?:\/\/)?(\/[^\p{Cc}]*[^\p{Cc}/])$/u.exec(address)?.[1];
  return path === undefined || path.startsWith('//') || Buffer.byteLength(path) > MAX_PATH_BYTES ? undefined : path;
}

/** Returns why an address that begins with `unix:` contains no valid path. */
export function unixPathFault(address: string): Fault {
  const path = address.slice('unix:'.length).replace(/^\/\/(?=\/)/, '');
  if (!path.startsWith('/')) return new Fault('the path is not absolute, as in unix:/run/ect/ect.sock');
  if (path.endsWith('/')) return new Fault('the path ends in a slash: name the socket itself');
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    return new Fault(`the path has more than ${MAX_PATH_BYTES} bytes, the most that every system takes`);
  }
  return new Fault('the path begins with two slashes, or has a control character in it');
}

export const UNIX_SETTINGS = {
  ECT_UNIX_MODE: {
    type: choice('600', '660', '666'),
    default: '600',
    meaning: 'permissions of the socket of `ECT_LISTEN=unix:/path`; write permission allows connecting',
  },
  ECT_UNIX_CALLER: {
    type: text('SPIFFE ID', 'a SPIFFE ID', isWorkloadId),
    unset: 'anonymous',
    meaning: 'the caller that all connections [of the socket](docs/operating.md#a-unix-socket) have',
  },
} satisfies Settings;

/** `path` is the path of the socket, if the service listens on one. */
export function unixConfig(
  { ECT_UNIX_MODE: mode, ECT_UNIX_CALLER: caller }: ValuesOf<typeof UNIX_SETTINGS>,
  { isGiven, problem, needs }: Rules,
  { path, workers }: { readonly path: string | undefined; readonly workers: number | 'auto' },
): UnixConfig | undefined {
  if (path === undefined) {
    needs(['ECT_UNIX_MODE', 'ECT_UNIX_CALLER'], 'ECT_LISTEN=unix:/path');
    return undefined;
  }
  for (const name of ['ECT_TLS_CERT', 'ECT_WORKLOAD_API'].filter(isGiven)) {
    problem(`${name} contradicts ECT_LISTEN=unix:/path, which has no network between client and service: remove one.`);
  }
  if (workers !== 1) {
    problem(
      'ECT_WORKERS above 1 contradicts ECT_LISTEN=unix:/path, which one process serves: remove ECT_WORKERS, or set a host and a port.',
    );
  }
  if (caller !== undefined && mode === '666') {
    problem('ECT_UNIX_CALLER contradicts ECT_UNIX_MODE=666: every process of the machine could call as that workload.');
  }
  return { path, mode: Number.parseInt(mode, 8), caller };
}
