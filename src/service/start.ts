// Starts the service step by step: what is opened, what is served, and what stops it again.

import { followMarks } from '../authority/index.ts';
import { followSharedTime, openClock, type TrustedClock } from '../clock/index.ts';
import type { Config } from '../config/index.ts';
import { policyFiles } from '../config-files/policy-files.ts';
import { tlsFiles } from '../config-files/tls-files.ts';
import {
  type DataDir,
  freshLedgerKey,
  openDataDir,
  readGivenLedgerKey,
  readOrCreateLedgerKey,
} from '../data-directory/data-dir.ts';
import { rejectLostHistory } from '../data-directory/history-check.ts';
import { rejectMoved } from '../data-directory/moved-ledger.ts';
import { joinOwner, type Ownership } from '../data-directory/ownership.ts';
import { StartTraces } from '../data-directory/start-traces.ts';
import type { KeyManager } from '../key-manager/index.ts';
import type { TrustedKey } from '../keys/index.ts';
import { type LedgerKey, openLedgerKey } from '../ledger/index.ts';
import { loadGroup } from '../reload/index.ts';
import { descriptorLimit, descriptorRoom } from '../runtime/descriptors.ts';
import { Shutdown } from '../runtime/shutdown.ts';
import { configuredTrust, openForeignIssuers } from '../startup/foreign-trust.ts';
import { checkFiles, isOnceForgotten, openLedger, openStores, scrubOrder } from '../startup/open-stores.ts';
import { openConfiguredKey, openKeyManager, signingKeyFile } from '../startup/signing-keys.ts';
import { MAX_LIFETIME_SECONDS } from '../startup/token-policy.ts';
import { TrustedKeys } from '../startup/trusted-keys.ts';
import { DatabaseUnavailable } from '../stores/database-unavailable.ts';
import { createEvents, type Events, type MetricsSnapshot } from '../telemetry/events.ts';
import { startHealthProbe } from '../telemetry/health-probe.ts';
import { StorageHealth } from '../telemetry/storage-health.ts';
import type { ForeignIssuers } from '../trust/index.ts';
import type { WorkerContext } from '../workers/index.ts';
import { openCas } from './client-cas.ts';
import { compose } from './context.ts';
import { demandAddress, own } from './directory.ts';
import { followChanges } from './follow.ts';
import { listen } from './listen.ts';
import { openRedis, openWorkload } from './optional-parts.ts';
import { openPolicy } from './policy.ts';
import { askStorage } from './readiness.ts';
import { startWithDatabase } from './start-again.ts';
import { StartStopped } from './start-errors.ts';
import { limitWrites, watchSpace } from './writes.ts';

/** A service that accepts calls. */
export interface RunningService {
  /** `http://127.0.0.1:8080`, with the actual port. */
  readonly url: string;
  /** Reads the files of the configuration, and applies valid changes. */
  reload(): void;
  /** Stops gracefully and closes the stores. Calls in flight may finish within `graceMs`. */
  stop(graceMs: number): Promise<void>;
  /** Resolves when only a new process can write to the files again. */
  readonly lostFile: Promise<void>;
  /** Returns the metrics of this process, also after it has stopped. */
  snapshot(): Promise<MetricsSnapshot>;
}

/** After an unexplained step of the clock this process keeps expiring data longer, but another replica may delete it sooner. */
const TIMELY_MS = 60_000;

/**
 * How long to wait for the release of the data directory after a failed start. A database that does not answer delays it by about 10 s.
 */
const RELEASE_MS = 30_000;

/**
 * Builds the service from its configuration and starts it; with a worker context it is one of several workers. Throws StartError or
 * KeyFileError if something is missing, and StartStopped when `stop` is aborted.
 */
export function startService(config: Config, worker?: WorkerContext, stop?: AbortSignal): Promise<RunningService> {
  return startWithDatabase(config, () => startOnce(config, worker, stop), stop);
}

async function startOnce(config: Config, worker?: WorkerContext, stop?: AbortSignal): Promise<RunningService> {
  const shutdown = new Shutdown();
  try {
    const events = openEvents(config, worker);
    shutdown.at('log', () => events.close());
    const traces = new StartTraces(config.dataDir);
    const dir = config.store === 'memory' ? undefined : await openDataDir(config.dataDir);
    // Own the directory before anything in it is read.
    const ownership = dir && (worker === undefined ? await own(dir, traces) : joinOwner(dir));
    shutdown.at('directory', () => ownership?.release());
    return await startIn(dir, ownership, worker, config, events, shutdown, () => rejectStopped(stop));
  } catch (error) {
    // The error of the start is reported, whatever fails during the shutdown.
    await shutdown.run(0).catch(() => undefined);
    // The next attempt needs the data directory, and a database that does not answer may delay its release.
    if (error instanceof DatabaseUnavailable) await shutdown.finished(RELEASE_MS);
    throw error;
  }
}

function rejectStopped(stop: AbortSignal | undefined): void {
  if (stop?.aborted === true) throw new StartStopped();
}

async function startIn(
  dir: DataDir | undefined,
  ownership: Ownership | undefined,
  worker: WorkerContext | undefined,
  config: Config,
  events: Events,
  shutdown: Shutdown,
  goOn: () => void,
): Promise<RunningService> {
  goOn();
  const room = descriptorRoom(config, descriptorLimit());
  if (room.warning !== undefined && (worker === undefined || worker.number === 1)) events.descriptorsFew(room.warning);
  const keyFile = signingKeyFile(config);
  const signingKey = keyFile === undefined ? undefined : await loadGroup(keyFile);
  let clock: TrustedClock | undefined;
  // The start uses the clock of the machine, as TLS does at each handshake.
  const nowMs = () => clock?.nowMs() ?? Date.now();
  const tlsGroup = config.tls === undefined ? undefined : await loadGroup(tlsFiles(config.tls, nowMs));
  const workload = await openWorkload(config, worker?.isReplacement === true, nowMs, events, shutdown);
  const tls = tlsGroup?.value ?? workload?.identity?.texts;
  const trustGroup = configuredTrust(config);
  const trust = trustGroup && (await loadGroup(trustGroup));
  const policyGroup = policyFiles(config.policy);
  const policy = policyGroup && (await loadGroup(policyGroup));
  if (worker === undefined) await demandAddress(config);
  // A worker that replaces one which can sign must be able to sign too.
  const mayWait = worker?.isSuccessor !== true;
  const configured = signingKey?.value ?? (await openConfiguredKey(config, dir, events, mayWait));
  shutdown.at('keys', () => {
    if (!('attempt' in configured)) configured.signer.close();
    // The key may still be opened after the start has failed, when nothing else would close it.
    else void configured.attempt.then((signer) => signer.close()).catch(() => undefined);
  });
  goOn();
  // With a ledger in a database, the directory contains only files of this replica.
  const files = config.store === 'postgres' ? undefined : dir;
  const key = await readLedgerKey(config, files);
  if (files !== undefined) rejectMoved(files);
  if (files !== undefined) await rejectLostHistory(files, key);
  if (files !== undefined && (await isOnceForgotten(files))) events.usesForgotten();
  const earliest = () => (clock === undefined ? Number.NEGATIVE_INFINITY : Math.floor(clock.earliestMs() / 1000));
  const kept = { nowMs, earliestMs: () => clock?.earliestMs() ?? Number.NEGATIVE_INFINITY };
  const isTimely = () => clock?.isTrusted === true && clock.nowMs() - clock.earliestMs() < TIMELY_MS;
  const health = files && new StorageHealth({ ledgerMark: files.ledgerDamage, onceMark: files.onceDamage, events });
  const stores =
    dir !== undefined && files === undefined
      ? await (await import('../startup/open-shared-stores.ts')).openSharedStores(config, {
          dir,
          key,
          earliest,
          isTimely,
          events,
        })
      : openStores(config, { dir: files, slot: worker?.slot ?? 0, earliest, kept, health });
  shutdown.at('stores', () => stores.close());
  let keyManager: KeyManager | undefined;
  const head = await stores.ledger.head();
  const time = openClock({
    path: dir?.clock,
    newestMs: head?.recordedAtMs ?? 0,
    events,
    onTrusted: () => void keyManager?.refresh(),
  });
  clock = time.clock;
  shutdown.at('clock', time.stop);
  // Before anything gets a date: if the clock of this replica is wrong, it must stop.
  const shared = stores.readSharedTime && (await followSharedTime(clock, stores.readSharedTime));
  shutdown.at('clock', () => shared?.stop());
  const redis = config.redis && (await openRedis(config, { nowMs: clock.nowMs, isNew: head === undefined, events }));
  shutdown.at('stores', () => redis?.close());
  const ledger = await openLedger(stores, key, clock, events);
  shutdown.at('ledger', () => ledger.drain());
  goOn();
  const scrubs = worker === undefined || worker.number === 1;
  if (files !== undefined && health !== undefined) {
    // Each worker checks by itself. Damage that another worker found is stored in a file beside, which may be lost when a disk fails.
    const checked = await checkFiles(files, key, health);
    if (scrubs) events.ledgerChecked(checked);
  }
  goOn();
  let foreign: ForeignIssuers | undefined;
  const ring = new TrustedKeys(
    async (kid) => keyManager?.findPastKey(kid),
    (iss) => foreign?.missed(iss),
  );
  const readBundle = workload && ((trustDomain: string) => workload.jwtBundles.read(trustDomain));
  const issuers = openForeignIssuers(trust?.value ?? [], ring, events, { readBundle, steadyMs: clock.steadyMs });
  foreign = issuers;
  shutdown.at('watches', () => issuers.stop());
  const onTrust = (own: readonly TrustedKey[]) => ring.replaceOwn(own);
  const mayName = (iss: string) => issuers.mayName(iss);
  const world = { ledger, clock, onTrust, events, mayName, tidiesForAll: stores.tidiesForAll };
  const opened = await openKeyManager(config, dir, configured, world, MAX_LIFETIME_SECONDS);
  keyManager = opened;
  shutdown.at('keys', () => opened.close());
  const space = files && (await watchSpace(config, events));
  shutdown.at('watches', () => space?.stop());
  const writes = limitWrites(config, space, events);
  const policyParts = openPolicy(config, policy?.value, stores.documents, events);
  const parts = {
    ...compose(
      config,
      ring.keys,
      opened,
      ledger,
      { ...stores, ...(redis && { replay: redis }) },
      clock,
      events,
      policyParts,
    ),
    writes,
  };
  parts.recordings.start();
  shutdown.at('recordings', () => parts.recordings.stop());
  const unfollow = await followMarks(parts, {
    everyMs: config.keys.refreshMs,
    onFailed: events.marksFailed,
    onRecovered: events.marksRecovered,
  });
  shutdown.at('watches', unfollow);
  const replaced = () => stores.replacedFile() ?? (ownership?.isLost() === true ? 'owner.lock' : undefined);
  const probe = startHealthProbe(askStorage(ledger, replaced, events));
  shutdown.at('watches', () => probe.stop());
  health?.watch({
    stores: stores.writes,
    hasRoom: () => space?.hasRoom() !== false,
    scrub: files && scrubs ? scrubOrder(config, files, key) : undefined,
  });
  shutdown.at('watches', () => health?.stop());
  await issuers.start();
  goOn();
  // From here on calls are accepted.
  const clientCas = tls && openCas(tls);
  const checks = () => ({
    ...stores.checks(),
    ...health?.checks(),
    ...(workload && { svid: workload.identity !== undefined }),
  });
  const around = { tls, cas: clientCas?.cas, issuers, space, clock, checks, room, redis };
  const server = await listen(config, parts, events, probe, opened, around);
  shutdown.at('calls', (graceMs) => server.drain(graceMs));
  const reloader = followChanges(
    { signingKey, trust, policy, tlsGroup, workload, tls },
    { server, keyManager: opened, issuers, policyParts, clientCas, room, nowMs, events },
    shutdown,
  );
  return {
    url: server.url,
    lostFile: health?.lostFile ?? new Promise(() => undefined),
    snapshot: events.snapshot,
    reload: () => void reloader.look(true),
    stop: (graceMs) => shutdown.run(graceMs),
  };
}

/**
 * Returns the ledger key. The key of a shared ledger is configured; otherwise it is in the data directory, where the first start creates
 * it.
 */
async function readLedgerKey({ ledger }: Config, files: DataDir | undefined): Promise<LedgerKey> {
  if (ledger.keyFile !== undefined) return readGivenLedgerKey(ledger.keyFile);
  return files === undefined ? openLedgerKey(freshLedgerKey()) : readOrCreateLedgerKey(files);
}

/** Opens the events. Any worker that is asked for metrics returns those of all workers. */
function openEvents({ logLevel: level }: Config, worker: WorkerContext | undefined): Events {
  if (worker === undefined) return createEvents({ level });
  return { ...createEvents({ level, worker: worker.number }), metrics: worker.metricsOfAll };
}
