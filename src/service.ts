// The composition root: the only file that knows every room.

import { adminService } from './api/admin.ts';
import { authorityService } from './api/authority.ts';
import { authorityDescriber, authorityPage } from './api/authority-document.ts';
import { keyService } from './api/keys.ts';
import { ledgerService } from './api/ledger.ts';
import {
  type AuthorityContext,
  type Caller,
  callerName,
  claimProof,
  followMarks,
  type Notices,
  type ProofUse,
  Recordings,
  readPending,
  resourceName,
  type WriteUse,
} from './authority/index.ts';
import { administrators } from './callers/administrators.ts';
import { createCallers } from './callers/callers.ts';
import { ClientCas, type Vouchers } from './callers/client-cas.ts';
import { TrustBundles } from './callers/trust-bundles.ts';
import { followSharedTime, openClock, type TrustedClock } from './clock/index.ts';
import type { Config } from './config/index.ts';
import { ExpiryWatch } from './config-files/expiry-watch.ts';
import { policyFiles } from './config-files/policy-files.ts';
import { type TlsTexts, tlsFiles } from './config-files/tls-files.ts';
import {
  type DataDir,
  freshLedgerKey,
  openDataDir,
  readGivenLedgerKey,
  readOrCreateLedgerKey,
  StartError,
} from './data-directory/data-dir.ts';
import { rejectLostHistory } from './data-directory/history-check.ts';
import { rejectMoved } from './data-directory/moved-ledger.ts';
import { joinOwner, type Ownership, takeOwnership } from './data-directory/ownership.ts';
import { StartTraces } from './data-directory/start-traces.ts';
import { removeDrafts } from './files/atomic-files.ts';
import { removeStaleSocket, unixListenFault, unixSocketFault } from './files/unix-socket.ts';
import type { KeyManager } from './key-manager/index.ts';
import { type KeyRing, SignatureBatcher, type TrustedKey } from './keys/index.ts';
import { type Ledger, type LedgerKey, openLedgerKey } from './ledger/index.ts';
import {
  CallerWriteLimits,
  CallLimits,
  DEFAULT_PROCESS_LIMITS,
  FreeSpace,
  measureVolume,
  type ProcessLimits,
  WriteQuota,
} from './limits/index.ts';
import { BUILT_IN, PolicyAuthorizer, type PolicyInForce } from './policy/index.ts';
import { loadGroup, Reloader } from './reload/index.ts';
import { type DescriptorRoom, DescriptorWatch, descriptorLimit, descriptorRoom } from './runtime/descriptors.ts';
import { Shutdown } from './runtime/shutdown.ts';
import { KmsKeyError } from './signers/aws-kms/index.ts';
import { KeyFileError } from './signers/local/index.ts';
import { configuredTrust, openForeignIssuers } from './startup/foreign-trust.ts';
import { listenFault, tryToListen } from './startup/listen-fault.ts';
import type { GuardSurroundings } from './startup/open-redis-guard.ts';
import { checkFiles, isOnceForgotten, openLedger, openStores, type Stores, scrubOrder } from './startup/open-stores.ts';
import { adoptKey, openConfiguredKey, openKeyManager, signingKeyFile } from './startup/signing-keys.ts';
import { MAX_LIFETIME_SECONDS, tokenPolicy } from './startup/token-policy.ts';
import { TrustedKeys } from './startup/trusted-keys.ts';
import type { RedisReplayGuard } from './stores/redis/index.ts';
import { createEvents, type Events, type MetricsSnapshot } from './telemetry/events.ts';
import { type HealthProbe, startHealthProbe } from './telemetry/health-probe.ts';
import { StorageHealth } from './telemetry/storage-health.ts';
import { SignatureCache } from './token/index.ts';
import { type RunningServer, startServer } from './transport/server.ts';
import type { ForeignIssuers } from './trust/index.ts';
import { VERSION } from './version.ts';
import type { WorkerContext } from './workers/index.ts';
import type { WorkloadApi } from './workload-api/index.ts';

/** A service that accepts calls. */
export interface RunningService {
  /** `http://127.0.0.1:8080`, with the port that it really has. */
  readonly url: string;
  /** Looks at the files of the configuration, and puts in force what has changed and can be used. */
  reload(): void;
  /** Stops gracefully, and closes the stores: calls in flight may finish within the grace. */
  stop(graceMs: number): Promise<void>;
  /** Settles when only a new process can write the files again. */
  readonly lostFile: Promise<void>;
  /** The metrics of this process; also after it has stopped. */
  snapshot(): Promise<MetricsSnapshot>;
}

/** After a step of the clock that nobody measured, what is kept for a time is kept longer: another replica may forget it sooner. */
const TIMELY_MS = 60_000;

/** It was asked to stop before it took calls. What had begun is ended. */
export class StartStopped extends Error {
  override readonly name = 'StartStopped';
}

/**
 * Builds the service from its configuration and starts it, as one of several workers where it has a seat among them.
 * StartError or KeyFileError where something is missing, StartStopped once `stop` is aborted.
 */
export async function startService(
  config: Config,
  worker?: WorkerContext,
  stop?: AbortSignal,
): Promise<RunningService> {
  const shutdown = new Shutdown();
  try {
    const events = openEvents(config, worker);
    shutdown.at('log', () => events.close());
    const traces = new StartTraces(config.dataDir);
    const dir = config.store === 'memory' ? undefined : await openDataDir(config.dataDir);
    // Before anything in the directory is read.
    const ownership = dir && (worker === undefined ? await own(dir, traces) : joinOwner(dir));
    shutdown.at('directory', () => ownership?.release());
    return await startIn(dir, ownership, worker, config, events, shutdown, () => rejectStopped(stop));
  } catch (error) {
    // Why it could not start is said, whatever fails then.
    await shutdown.run(0).catch(() => undefined);
    throw error;
  }
}

function rejectStopped(stop: AbortSignal | undefined): void {
  if (stop?.aborted === true) throw new StartStopped('The service is stopping.');
}

/** The supervisor's part: it owns the data directory for its workers. StartError where these could not listen. */
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

async function own(dir: DataDir, traces: StartTraces): Promise<Ownership> {
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

/** Before anything is made that a rejected start would leave behind. */
async function demandAddress({ listen, unix }: Pick<Config, 'listen' | 'unix'>): Promise<void> {
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
  // The start judges by the clock of the machine, as TLS itself does at each handshake.
  const nowMs = () => clock?.nowMs() ?? Date.now();
  const tlsGroup = config.tls === undefined ? undefined : await loadGroup(tlsFiles(config.tls, nowMs));
  const workload = await openWorkload(config, nowMs, events, shutdown);
  const tls = tlsGroup?.value ?? workload?.identity?.texts;
  const trustGroup = configuredTrust(config);
  const trust = trustGroup && (await loadGroup(trustGroup));
  const policyGroup = policyFiles(config.policy);
  const policy = policyGroup && (await loadGroup(policyGroup));
  if (worker === undefined) await demandAddress(config);
  // What takes the place of a worker that signs must be able to, too.
  const mayWait = worker?.isSuccessor !== true;
  const configured = signingKey?.value ?? (await openConfiguredKey(config, dir, events, mayWait));
  shutdown.at('keys', () => {
    if (!('attempt' in configured)) configured.signer.close();
  });
  goOn();
  // Where the ledger is in a database, the directory is for what belongs to this replica alone.
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
      ? await (await import('./startup/open-shared-stores.ts')).openSharedStores(config, {
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
  // Before anything is dated: the replica whose clock is wrong is the one that stops.
  const shared = stores.readSharedTime && (await followSharedTime(clock, stores.readSharedTime));
  shutdown.at('clock', () => shared?.stop());
  const redis = config.redis && (await openRedis(config, { nowMs: clock.nowMs, isNew: head === undefined, events }));
  shutdown.at('stores', () => redis?.close());
  const ledger = await openLedger(stores, key, clock, events);
  shutdown.at('ledger', () => ledger.drain());
  goOn();
  const scrubs = worker === undefined || worker.number === 1;
  if (files !== undefined && health !== undefined) {
    // Each worker by itself: what another has found is known by a file beside, and a disk that fails may not take that.
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
  const authorizer = openAuthorizer(config, policy?.value, events);
  const parts = {
    ...compose(config, ring.keys, opened, ledger, { ...stores, ...(redis && { replay: redis }) }, clock, events),
    authorizer,
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
  // From here on calls are taken.
  const clientCas = tls && openCas(tls);
  const checks = () => ({
    ...stores.checks(),
    ...health?.checks(),
    ...(workload && { svid: workload.identity !== undefined }),
  });
  const around = { tls, cas: clientCas?.cas, issuers, space, clock, checks, room, redis };
  const server = await listen(config, parts, events, probe, opened, around);
  shutdown.at('calls', (graceMs) => server.drain(graceMs));
  const descriptors = new DescriptorWatch({
    connections: { most: room.connections, open: server.connections, limit: server.limitConnections },
    onMeasured: events.descriptorsMeasured,
  });
  shutdown.at('reload', () => descriptors.stop());
  const expiry = new ExpiryWatch(events, nowMs);
  shutdown.at('reload', () => expiry.stop());
  const reloader = new Reloader(events);
  shutdown.at('reload', () => reloader.stop());
  if (signingKey !== undefined) reloader.add(signingKey, (next) => adoptKey(opened, next));
  if (trust !== undefined) reloader.add(trust, (next) => issuers.replace(next));
  if (policy !== undefined) {
    reloader.add(policy, (next) => {
      authorizer.replace(next);
      events.policyInForce(next.digest);
    });
  }
  const onTls = (next: TlsTexts | undefined) => {
    server.replaceTls(next);
    clientCas?.follow(next);
    expiry.replace(next?.terms ?? []);
  };
  if (tls !== undefined) expiry.replace(tls.terms);
  if (tlsGroup !== undefined) reloader.add(tlsGroup, onTls);
  // It may have changed since the port was opened.
  if (workload !== undefined && workload.identity?.texts !== tls) onTls(workload.identity?.texts);
  workload?.follow((identity) => onTls(identity?.texts));
  reloader.start();
  return {
    url: server.url,
    lostFile: health?.lostFile ?? new Promise(() => undefined),
    snapshot: events.snapshot,
    reload: () => void reloader.look(true),
    stop: (graceMs) => shutdown.run(graceMs),
  };
}

/** Says which policy is in force, and tells of what it rejects. */
function openAuthorizer(config: Config, inForce: PolicyInForce | undefined, events: Events): PolicyAuthorizer {
  const authorizer = new PolicyAuthorizer(
    {
      issuer: config.issuer,
      isAdministrator: administrators(config.administrators),
      onRejected: ({ caller, question, decision }) =>
        events.policyRejected({
          caller: callerName(caller),
          action: question.action,
          resource: resourceName(question.resource),
          ...decision,
        }),
    },
    inForce ?? BUILT_IN,
  );
  if (inForce !== undefined) events.policyInForce(inForce.digest);
  return authorizer;
}

/** The agent of the configuration, once it has given the service an identity. Its client is loaded only where it is wanted. */
async function openWorkload(
  { workloadApi }: Config,
  nowMs: () => number,
  events: Events,
  shutdown: Shutdown,
): Promise<WorkloadApi | undefined> {
  if (workloadApi === undefined) return undefined;
  const { WorkloadApi, WorkloadApiFault } = await import('./workload-api/index.ts');
  const workload = new WorkloadApi(workloadApi, { nowMs, events });
  shutdown.at('watches', () => workload.stop());
  try {
    await workload.start();
  } catch (cause) {
    if (cause instanceof WorkloadApiFault) throw new StartError(cause.message, { cause });
    throw cause;
  }
  return workload;
}

interface FollowingCas {
  readonly cas: Vouchers;
  readonly follow: (next: TlsTexts | undefined) => void;
}

/** The CAs that vouch for callers, as the TLS files or the agent say it now and whenever they change; undefined: none do. */
function openCas({ clientCa, bundles }: TlsTexts): FollowingCas | undefined {
  if (bundles !== undefined) {
    const cas = new TrustBundles(bundles);
    const follow = (next: TlsTexts | undefined) => {
      if (next === undefined) cas.replace(new Map());
      else if (next.bundles !== undefined) cas.replace(next.bundles);
    };
    return { cas, follow };
  }
  if (clientCa === undefined) return undefined;
  const cas = new ClientCas(clientCa);
  const follow = (next: TlsTexts | undefined) => {
    if (next?.clientCa !== undefined) cas.replace(next.clientCa);
  };
  return { cas, follow };
}

/** The driver of Redis is loaded only where it is wanted. */
async function openRedis(config: Config, around: GuardSurroundings): Promise<RedisReplayGuard> {
  const { openRedisGuard } = await import('./startup/open-redis-guard.ts');
  return openRedisGuard(config, around);
}

/** The key of a shared ledger is given; otherwise it is in the data directory, and made there by the first start. */
async function readLedgerKey({ ledger }: Config, files: DataDir | undefined): Promise<LedgerKey> {
  if (ledger.keyFile !== undefined) return readGivenLedgerKey(ledger.keyFile);
  return files === undefined ? openLedgerKey(freshLedgerKey()) : readOrCreateLedgerKey(files);
}

/** Whichever worker is asked for the metrics answers those of all. */
function openEvents({ logLevel: level }: Config, worker: WorkerContext | undefined): Events {
  if (worker === undefined) return createEvents({ level });
  return { ...createEvents({ level, worker: worker.number }), metrics: worker.metricsOfAll };
}

/** What readiness rests on: the files are those that were opened, and the ledger answers. */
function askStorage(ledger: Ledger, replacedFile: () => string | undefined, events: Events): () => Promise<void> {
  let known: string | undefined;
  return async () => {
    const replaced = replacedFile();
    if (replaced !== known) events.storageReplaced(replaced);
    known = replaced;
    if (replaced !== undefined) throw new Error(`${replaced} was replaced`);
    await ledger.checkpoint();
  };
}

const MIB = 1024 * 1024;

function watchSpace({ dataDir, writes: { minFreeDiskMib } }: Config, events: Events): Promise<FreeSpace> {
  return FreeSpace.open({
    floorBytes: minFreeDiskMib === undefined ? undefined : minFreeDiskMib * MIB,
    measure: () => measureVolume(dataDir),
    onMeasured: events.storageMeasured,
  });
}

function limitWrites(
  { writes: { callerMibPerHour }, replay }: Config,
  space: FreeSpace | undefined,
  events: Events,
): CallerWriteLimits {
  const quota =
    callerMibPerHour === 0
      ? undefined
      : new WriteQuota({ bytesPerHour: callerMibPerHour * MIB, nowMs: () => performance.now() });
  if (quota !== undefined) events.watchWriteQuotas(() => quota.state());
  const durable: readonly WriteUse[] = replay.guard === 'durable' ? ['replay'] : [];
  return new CallerWriteLimits({
    quota,
    space,
    onDisk: new Set<WriteUse>(['ledger', 'idempotency', ...durable]),
    onTaken: events.callerWrote,
    onRejected: events.callerWriteRejected,
  });
}

function compose(
  config: Config,
  keys: KeyRing,
  signers: KeyManager,
  ledger: Ledger,
  stores: Stores,
  clock: TrustedClock,
  notices: Notices,
): AuthorityContext {
  const context: AuthorityContext = {
    policy: {
      token: tokenPolicy(config),
      graph: config.graph,
      issuer: config.issuer,
      defaultTtlSeconds: config.token.defaultTtlSeconds,
      ledgerAudience: config.ledger.audience,
      replayTtlSeconds: config.replay.ttlSeconds,
    },
    keys,
    signers,
    ownKeys: signers,
    signatures: new SignatureCache(),
    batcher: new SignatureBatcher(),
    ledger,
    recordings: new Recordings({
      pendingRecordings: stores.pendingRecordings,
      ledger,
      notices,
      earliest: () => context.earliest(),
      reread: (order) => readPending(context, order),
    }),
    replay: stores.replay,
    idempotency: stores.idempotency,
    notices,
    now: () => Math.floor(clock.nowMs() / 1000),
    stamp: () => Math.floor(clock.stampMs() / 1000),
    earliest: () => Math.floor(clock.earliestMs() / 1000),
    forgotten: () => Math.floor(clock.forgottenMs() / 1000),
  };
  return context;
}

/** What the port has around it. */
interface Surroundings {
  readonly tls: TlsTexts | undefined;
  readonly cas: Vouchers | undefined;
  readonly issuers: ForeignIssuers;
  readonly space: FreeSpace | undefined;
  readonly clock: TrustedClock;
  /** What readiness shows of the stores. */
  readonly checks: () => Readonly<Record<string, boolean>>;
  readonly room: DescriptorRoom;
  /** The replay guard, where it is in Redis. */
  readonly redis: { isReady(): boolean } | undefined;
}

async function listen(
  config: Config,
  context: AuthorityContext,
  events: Events,
  probe: HealthProbe,
  keyManager: KeyManager,
  { tls, cas, issuers, space, clock, checks, room, redis }: Surroundings,
): Promise<RunningServer> {
  const canIssue = () => clock.isTrusted && keyManager.isReady();
  const canVerify = () => redis?.isReady() !== false;
  const canRecord = () => clock.isTrusted && space?.hasRoom() !== false;
  const { unix } = config;
  const { host, port } = config.listen;
  if (unix !== undefined) removeStaleSocket(unix.path);
  const { setMaxAgeSeconds, publicUrl } = config.keys;
  let url = publicUrl ?? '';
  const describe = authorityDescriber(context, {
    version: VERSION,
    durable: config.store !== 'memory',
    delegatedKeys: config.keys.signing !== 'direct',
    provenCallers: config.callers.areProven,
    writtenBytesPerHour: config.writes.callerMibPerHour * MIB,
    url: () => url,
  });
  const services = [
    authorityService(context, describe),
    ledgerService(context),
    keyService(context, keyManager),
    adminService(context, keyManager),
  ];
  const authority = authorityPage(describe, setMaxAgeSeconds);
  const byIssuers = {
    issuerOf: (iss: unknown, sub: unknown) => issuers.callerIssuer(iss, sub),
    now: context.now,
  };
  const jwt = config.callers.byJwt ? byIssuers : undefined;
  const { replay } = context;
  const wimse =
    config.callers.byWit && publicUrl !== undefined && replay !== undefined
      ? {
          ...byIssuers,
          publicUrl,
          useOnce: (caller: Caller, use: ProofUse) => claimProof(context, replay, caller, use),
        }
      : undefined;
  try {
    const server = await startServer({
      host,
      port,
      unix,
      ...(tls === undefined ? {} : { tls }),
      services,
      pages: [authority],
      isAdministrator: administrators(config.administrators),
      authorizer: context.authorizer,
      callLimits: new CallLimits({
        obligationsOf: (caller) => context.authorizer?.obligationsOf(caller) ?? {},
        nowMs: () => performance.now(),
      }),
      browsers: config.browsers,
      http2: config.http2,
      limits: { idleMs: 1000 * config.limits.idleSeconds },
      processLimits: processLimits(config, room),
      ...createCallers({ cas, unix, nowMs: clock.nowMs, forwarded: config.callers.forwarded, jwt, wimse }),
      ...(cas === undefined ? {} : { onAccepted: (socket) => cas.accept(socket) }),
      events,
      // Where the stores are in files, nothing waits for another machine.
      acceptsDeadlines: config.store === 'postgres' || config.redis !== undefined,
      jwks: () => keyManager.keySet,
      jwksMaxAgeSeconds: () => keyManager.keySetMaxAgeSeconds,
      ready: () => ({ ledger: probe.holds(), ...checks() }),
      // Everything else goes on without a signer, without space, or while the clock is not trusted.
      methodsReady: {
        'ect.v1.AuthorityService/Issue': canIssue,
        'ect.v1.AuthorityService/BatchIssue': canIssue,
        'ect.v1.AuthorityService/AppendLedger': canRecord,
        'ect.v1.AuthorityService/BatchAppendLedger': canRecord,
        ...(redis && { 'ect.v1.AuthorityService/Verify': canVerify, 'ect.v1.AuthorityService/BatchVerify': canVerify }),
      },
    });
    if (publicUrl === undefined) url = server.url;
    if (config.allowAnonymous) events.anonymousOpen(server.url);
    events.started({
      version: VERSION,
      url: server.url,
      issuer: config.issuer,
      kid: keyManager.signingKid,
      signer: config.signer.kind,
      signing: config.keys.signing,
      store: config.store,
    });
    return server;
  } catch (cause) {
    const fault = unix === undefined ? listenFault(host, port, cause) : unixListenFault(unix.path, cause);
    throw fault === undefined ? cause : new StartError(fault, { cause });
  }
}

function processLimits({ limits, unix }: Config, room: DescriptorRoom): ProcessLimits {
  const { unread, streams } = DEFAULT_PROCESS_LIMITS;
  const heldBytes = limits.heldMib << 20;
  return {
    // Whoever comes by a Unix socket comes from the same place.
    connections: {
      maxConnections: room.connections,
      maxPerAddress: unix === undefined ? room.connectionsPerAddress : room.connections,
    },
    unread: { ...unread, maxMs: 1000 * limits.requestSeconds },
    // A third: three callers that take all they can leave room for others.
    memory: { totalBytes: heldBytes, accountBytes: Math.floor(heldBytes / 3) },
    streams: { ...streams, maxStreams: limits.streams },
    answerMs: 1000 * limits.answerSeconds,
  };
}

/** Whether an error tells the operator what to fix, so that a stack trace would only distract. */
export function isOperatorError(error: unknown): error is Error {
  return error instanceof StartError || error instanceof KeyFileError || error instanceof KmsKeyError;
}
