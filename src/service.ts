// The composition root: the only file that knows every room.

import { existsSync } from 'node:fs';
import {
  type AuthorityParts,
  BackgroundAppends,
  type IssueMemo,
  type Notices,
  type ReplayGuard,
} from './authority/index.ts';
import { administrators } from './callers/administrators.ts';
import { anonymousCallers, spiffeCallers } from './callers/identify.ts';
import type { Config } from './config.ts';
import type { Custody } from './custody/index.ts';
import { type DataDir, freshLedgerKey, openDataDir, readOrCreateLedgerKey, StartError } from './data-dir.ts';
import { createEvents, type Events, type MetricsSnapshot } from './events.ts';
import { KeyRing, Rounds, type TrustedKey } from './keys/index.ts';
import { Ledger, type LedgerKey, type LedgerStore, openLedgerKey } from './ledger/index.ts';
import { type Probe, startProbe } from './probe.ts';
import { authorityService } from './rpc/authority.ts';
import { authorityPage } from './rpc/authority-document.ts';
import { keyService } from './rpc/keys.ts';
import { ledgerService } from './rpc/ledger.ts';
import { type RunningServer, startServer } from './rpc/server.ts';
import { KmsKeyError } from './signers/aws-kms/index.ts';
import { KeyFileError } from './signers/local/index.ts';
import { openConfiguredKey, openCustody } from './signing-keys.ts';
import { MemoryIssueMemo, MemoryLedgerStore, MemoryReplayGuard } from './stores/memory/index.ts';
import {
  ledgerKindFault,
  onceKindFault,
  SqliteIssueMemo,
  SqliteLedgerStore,
  SqliteReplayGuard,
} from './stores/sqlite/index.ts';
import { listenFault } from './system-faults.ts';
import { readTlsFiles } from './tls-files.ts';
import { SignatureMemo } from './token/index.ts';
import { readTrustFile } from './trust-file.ts';
import { VERSION } from './version.ts';
import type { Seat } from './workers/index.ts';

/** A service that accepts calls. */
export interface RunningService {
  /** `http://127.0.0.1:8080`, with the port that it really has. */
  readonly url: string;
  /** Stops gracefully, and closes the stores: calls in flight may finish within the grace. */
  stop(graceMs: number): Promise<void>;
  /** The metrics of this process; also after it has stopped. */
  snapshot(): Promise<MetricsSnapshot>;
}

/** How many idempotency keys, and how many uses of tokens, a service in memory remembers. */
const MEMORY_CAPACITY = 1_000_000;
const MAX_TOKEN_BYTES = 16_384;
const MAX_LIFETIME_SECONDS = 86_400;

/**
 * Builds the service from its configuration and starts it, as one of several workers where it has a seat among them.
 * StartError or KeyFileError where something is missing.
 */
export async function startService(config: Config, seat?: Seat): Promise<RunningService> {
  const events = openEvents(config, seat);
  const dir = config.store === 'memory' ? undefined : await openDataDir(config.dataDir);
  const configured = await openConfiguredKey(config, dir, events);
  const foreign = config.trustFile === undefined ? [] : await readTrustFile(config.trustFile);
  const key = dir === undefined ? openLedgerKey(freshLedgerKey()) : await readOrCreateLedgerKey(dir);
  const stores = openStores(config, dir);
  let custody: Custody | undefined;
  try {
    const ledger = await openLedger(stores.ledger, key, events);
    // Of several keys that fit a token the first one counts, so a foreign key never stands in front of ours.
    const ring = new KeyRing(foreign);
    const onTrust = (own: readonly TrustedKey[]) => ring.replace([...own, ...foreign]);
    const opened = await openCustody(config, dir, configured, { ledger, onTrust, events }, MAX_LIFETIME_SECONDS);
    custody = opened;
    const parts = compose(config, ring, opened, ledger, stores, events);
    const probe = startProbe(() => ledger.checkpoint());
    const server = await listen(config, parts, events, probe, opened);
    return {
      url: server.url,
      snapshot: events.snapshot,
      stop: async (graceMs) => {
        await server.drain(graceMs);
        probe.stop();
        await parts.background.drain();
        await opened.close();
        await ledger.drain();
        await stores.close();
        events.close();
      },
    };
  } catch (error) {
    await custody?.close();
    configured.signer.close();
    await stores.close();
    throw error;
  }
}

/** Whichever worker is asked for the metrics answers those of all. */
function openEvents({ logLevel: level }: Config, seat: Seat | undefined): Events {
  if (seat === undefined) return createEvents({ level });
  return { ...createEvents({ level, worker: seat.number }), metrics: seat.metricsOfAll };
}

interface Stores {
  readonly ledger: LedgerStore;
  readonly replay: ReplayGuard | undefined;
  readonly memo: IssueMemo;
  close(): Promise<void>;
}

function openStores({ replay: { guard, capacity } }: Config, dir: DataDir | undefined): Stores {
  if (dir !== undefined) refuseOtherFiles(dir);
  const ledger = dir === undefined ? new MemoryLedgerStore() : SqliteLedgerStore.open(dir.ledger);
  const memo = dir === undefined ? new MemoryIssueMemo(MEMORY_CAPACITY) : SqliteIssueMemo.open(dir.once);
  const replay = guard === 'off' ? undefined : openGuard(guard === 'bounded' ? capacity : undefined, dir);
  return {
    ledger,
    replay,
    memo,
    close: async () => {
      await Promise.all([ledger.close(), memo.close(), replay?.close()]);
    },
  };
}

/** A file in the place of a store that never was one is not taken for a damaged store. */
function refuseOtherFiles({ ledger, once }: DataDir): void {
  const faults = [
    ...(existsSync(ledger) ? [ledgerKindFault(ledger)] : []),
    ...(existsSync(once) ? [onceKindFault(once)] : []),
  ].filter((fault) => fault !== undefined);
  if (faults.length > 0) throw new StartError(`${faults.join('; ')}: move it away, or set ECT_DATA_DIR.`);
}

function openGuard(capacity: number | undefined, dir: DataDir | undefined): ReplayGuard {
  if (capacity !== undefined) return new MemoryReplayGuard(capacity);
  return dir === undefined ? new MemoryReplayGuard(MEMORY_CAPACITY) : SqliteReplayGuard.open(dir.once);
}

async function openLedger(store: LedgerStore, key: LedgerKey, events: Events): Promise<Ledger> {
  const ledger = await Ledger.open({
    store,
    key,
    nowMs: Date.now,
    onCommit: ({ entries, durationMs, size }) => events.ledgerCommitted({ entries, durationMs, size: BigInt(size) }),
  });
  events.ledgerOpened(BigInt(ledger.size));
  return ledger;
}

function compose(
  config: Config,
  keys: KeyRing,
  signers: Custody,
  ledger: Ledger,
  stores: Stores,
  notices: Notices,
): AuthorityParts {
  return {
    policy: {
      token: {
        maxTokenBytes: MAX_TOKEN_BYTES,
        drafts: config.token.drafts,
        algorithms: config.token.algorithms,
        ids: config.token.ids,
        minimumLevel: config.levels.minimum,
        minimumLevels: new Map(Object.entries(config.levels.byAction)),
        maxLifetimeSeconds: MAX_LIFETIME_SECONDS,
        maxAgeSeconds: config.token.maxAgeSeconds,
        maxFutureSeconds: config.token.maxFutureSeconds,
      },
      graph: config.graph,
      issuer: config.issuer,
      defaultTtlSeconds: config.token.defaultTtlSeconds,
      ledgerAudience: config.ledger.audience,
      replayTtlSeconds: config.replay.ttlSeconds,
    },
    keys,
    signers,
    signatures: new SignatureMemo(),
    rounds: new Rounds(),
    ledger,
    background: new BackgroundAppends({ ledger, notices }),
    replay: stores.replay,
    memo: stores.memo,
    notices,
    now: () => Math.floor(Date.now() / 1000),
  };
}

async function listen(
  config: Config,
  parts: AuthorityParts,
  events: Events,
  probe: Probe,
  custody: Custody,
): Promise<RunningServer> {
  const { host, port } = config.listen;
  const tls = await readTlsFiles(config.tls);
  const { setMaxAgeSeconds, publicUrl } = config.keys;
  const services = [authorityService(parts), ledgerService(parts), keyService(parts, custody)];
  const { origin, verifierKey } = await parts.ledger.checkpoint();
  let url = publicUrl ?? '';
  const authority = authorityPage({
    version: VERSION,
    issuer: config.issuer,
    algorithms: config.token.algorithms,
    drafts: config.token.drafts,
    services: services.map(({ descriptor }) => descriptor.typeName),
    ledgerOrigin: origin,
    ledgerVerifierKey: verifierKey,
    maxAgeSeconds: setMaxAgeSeconds,
    url: () => url,
  });
  try {
    const server = await startServer({
      host,
      port,
      ...(tls === undefined ? {} : { tls }),
      services,
      pages: [authority],
      isAdministrator: administrators(config.administrators),
      identify: tls?.clientCa === undefined ? anonymousCallers() : spiffeCallers(),
      events,
      jwks: () => custody.keySet,
      jwksMaxAgeSeconds: () => custody.keySetMaxAgeSeconds,
      ready: () => ({ ledger: probe.holds() }),
      // Everything else goes on without a signer.
      methodsReady: { 'ect.v1.AuthorityService/Issue': () => custody.isReady() },
    });
    if (publicUrl === undefined) url = server.url;
    if (config.allowAnonymous) events.anonymousOpen(server.url);
    events.started({
      version: VERSION,
      url: server.url,
      issuer: config.issuer,
      kid: custody.signingKid,
      signer: config.signer.kind,
      signing: config.keys.signing,
      store: config.store,
    });
    return server;
  } catch (cause) {
    const fault = listenFault(host, port, cause);
    throw fault === undefined ? cause : new StartError(fault, { cause });
  }
}

/** Whether an error tells the operator what to mend, so that a stack trace would only distract. */
export function isOperatorError(error: unknown): error is Error {
  return error instanceof StartError || error instanceof KeyFileError || error instanceof KmsKeyError;
}
