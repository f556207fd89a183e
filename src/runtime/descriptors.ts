// File descriptors: how many connections leave enough of them for the files of the service, the log, reloads, metrics and the key
// service. The limit is that of the process (`ulimit -n`); Node raises the soft limit to the hard one when it starts.

import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import type { Config } from '../config/index.ts';
import { StartError } from '../data-directory/data-dir.ts';

/**
 * What one process needs besides connections: 48 when it is idle (threads of Node and of the stores, databases, the log, the port), and
 * 16 for temporary use: reading files again, writing marks, metrics, and checkpoints of SQLite.
 */
const OWN_DESCRIPTORS = 64;
/** If fewer of these are free, new connections are rejected, whatever uses the others. */
const KEPT_FREE = 12;
/** The minimum of ECT_MAX_CONNECTIONS. */
const LEAST_CONNECTIONS = 16;
/** Credentials of AWS are fetched over separate connections. */
const CREDENTIAL_SOCKETS = 4;
/**
 * One for each master of a cluster of moderate size; connections that are being replaced, and those to Sentinels, are open for a short
 * time.
 */
const REDIS_SOCKETS = 16;

/** How many connections the file descriptors allow, and a warning if needed. */
export interface DescriptorRoom {
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** Set if there are fewer than the settings say: what the operator can do. */
  readonly warning: string | undefined;
}

/**
 * Returns the number of file descriptors for connections. Throws StartError if it is less than the minimum. `limit` is undefined if the
 * system does not report it.
 */
export function descriptorRoom(
  { limits, signer, postgres, redis }: Pick<Config, 'limits' | 'signer' | 'postgres' | 'redis'>,
  limit: number | undefined,
): DescriptorRoom {
  const { connections, connectionsPerAddress } = limits;
  const sockets = signer.kind === 'kms' ? signer.concurrency * signer.regions.length + CREDENTIAL_SOCKETS : 0;
  const own = OWN_DESCRIPTORS + sockets + (postgres?.pool ?? 0) + (redis === undefined ? 0 : REDIS_SOCKETS);
  if (limit === undefined || limit - own >= connections)
    return { connections, connectionsPerAddress, warning: undefined };
  const left = limit - own;
  const what = sockets === 0 ? `${own} for itself` : `${own} for itself and for AWS KMS (ECT_KMS_CONCURRENCY)`;
  if (left < LEAST_CONNECTIONS) {
    throw new StartError(
      `ulimit -n is ${limit}, and the service needs ${what} and ${LEAST_CONNECTIONS} for connections: raise it to ` +
        `${own + connections} or more (ulimit -n, LimitNOFILE= in systemd, --ulimit nofile= in Docker).`,
    );
  }
  const isHalf = connectionsPerAddress === Math.ceil(connections / 2);
  return {
    connections: left,
    connectionsPerAddress: isHalf ? Math.ceil(left / 2) : Math.min(connectionsPerAddress, left),
    warning:
      `ulimit -n is ${limit}, and the service needs ${what}, so it takes ${left} connections instead of ` +
      `${connections}: raise ulimit -n to ${own + connections} or more, or set ECT_MAX_CONNECTIONS=${left}.`,
  };
}

/** Returns the limit of this process; undefined if the system does not report it or there is none. */
export function descriptorLimit(): number | undefined {
  try {
    return limitIn(readFileSync('/proc/self/limits', 'utf8'));
  } catch {
    return undefined;
  }
}

function limitIn(limits: string): number | undefined {
  const soft = /^Max open files +([0-9]+) /m.exec(limits)?.[1];
  return soft === undefined ? undefined : Number(soft);
}

/** The number of free file descriptors. */
export interface FreeDescriptors {
  readonly free: number;
  readonly limit: number;
}

/**
 * Reads the number of free file descriptors; undefined if the system does not report it. If even this read fails for lack of one, there
 * are none.
 *
 * @internal Exported because the rule has tests of its own.
 */
export async function freeDescriptors(): Promise<FreeDescriptors | undefined> {
  try {
    const limit = limitIn(await readFile('/proc/self/limits', 'utf8'));
    if (limit === undefined) return undefined;
    // One of them is that of the directory itself.
    const open = (await readdir('/proc/self/fd')).length - 1;
    return { limit, free: Math.max(0, limit - open) };
  } catch (error) {
    return isShortage(error) ? { limit: LIMIT_AT_START, free: 0 } : undefined;
  }
}

/** The limit at the start, when it could certainly be read. */
const LIMIT_AT_START = descriptorLimit() ?? 0;

/** Whether an error says that this process (EMFILE) or the system (ENFILE) has no free file descriptor. */
function isShortage(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EMFILE' || error.code === 'ENFILE');
}

export interface WatchedConnections {
  /** The maximum number of connections while nothing else uses up file descriptors. */
  readonly most: number;
  /** Returns the number of open connections. */
  readonly open: () => number;
  /** Sets the maximum number of connections. */
  readonly limit: (most: number) => void;
}

export interface DescriptorWatchOptions {
  /** Undefined: this process has no connections. */
  readonly connections: WatchedConnections | undefined;
  /** Called after each check. `isLow`: the reserve is being used; `changed`: `isLow` has changed. */
  readonly onMeasured: (measured: FreeDescriptors & { readonly isLow: boolean }, changed: boolean) => void;
  readonly measure?: () => Promise<FreeDescriptors | undefined>;
  readonly intervalMs?: number;
}

/**
 * Checks every second. If something else uses up file descriptors, the maximum of connections is lowered, so that the reserve remains.
 */
export class DescriptorWatch {
  readonly #options: DescriptorWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #isLow = false;
  /** The result of the previous check. */
  #before = Number.POSITIVE_INFINITY;

  constructor(options: DescriptorWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.look(), options.intervalMs ?? 1_000);
    this.#timer.unref();
    void this.look();
  }

  async look(): Promise<void> {
    const { connections, onMeasured, measure = freeDescriptors } = this.#options;
    const measured = await measure();
    if (measured === undefined) return;
    if (connections !== undefined) this.#limit(connections, measured.free - KEPT_FREE);
    // With hysteresis, so that the event is not reported repeatedly.
    const isLow = this.#isLow ? measured.free < KEPT_FREE : measured.free < KEPT_FREE / 2;
    const changed = isLow !== this.#isLow;
    this.#isLow = isLow;
    onMeasured({ ...measured, isLow }, changed);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Connections open and close during a check, so the maximum is lowered only if two checks agree. */
  #limit({ most, open, limit }: WatchedConnections, spare: number): void {
    const now = Math.max(LEAST_CONNECTIONS, Math.min(most, open() + spare));
    limit(Math.max(now, Math.min(this.#before, most)));
    this.#before = now;
  }
}
