// Opens the port, with its services and pages and within the limits of the process.

import { adminService } from '../api/admin.ts';
import { authorityService } from '../api/authority.ts';
import { authorityDescriber, authorityPage } from '../api/authority-document.ts';
import { keyService } from '../api/keys.ts';
import { ledgerService } from '../api/ledger.ts';
import { type AuthorityContext, type Caller, claimProof, type ProofUse } from '../authority/index.ts';
import { administrators } from '../callers/administrators.ts';
import { createCallers } from '../callers/callers.ts';
import type { Vouchers } from '../callers/client-cas.ts';
import type { TrustedClock } from '../clock/index.ts';
import type { Config } from '../config/index.ts';
import type { TlsTexts } from '../config-files/tls-files.ts';
import { StartError } from '../data-directory/data-dir.ts';
import { removeStaleSocket, unixListenFault } from '../files/unix-socket.ts';
import type { KeyManager } from '../key-manager/index.ts';
import { CallLimits, DEFAULT_PROCESS_LIMITS, type FreeSpace, type ProcessLimits } from '../limits/index.ts';
import type { DescriptorRoom } from '../runtime/descriptors.ts';
import { listenFault } from '../startup/listen-fault.ts';
import type { Events } from '../telemetry/events.ts';
import type { HealthProbe } from '../telemetry/health-probe.ts';
import { type RunningServer, startServer } from '../transport/server.ts';
import type { ForeignIssuers } from '../trust/index.ts';
import { VERSION } from '../version.ts';
import { demandAddress } from './directory.ts';
import { MIB } from './writes.ts';

/** What the port needs from the service. */
interface Surroundings {
  readonly tls: TlsTexts | undefined;
  readonly cas: Vouchers | undefined;
  readonly issuers: ForeignIssuers;
  readonly space: FreeSpace | undefined;
  readonly clock: TrustedClock;
  /** Returns the readiness of the stores. */
  readonly checks: () => Readonly<Record<string, boolean>>;
  readonly room: DescriptorRoom;
  /** The replay guard, if it is in Redis. */
  readonly redis: { isReady(): boolean } | undefined;
}

export async function listen(
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
  if (unix !== undefined) {
    // A start takes time, so another process may listen on the address by now.
    await demandAddress(config);
    removeStaleSocket(unix.path);
  }
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
      // With file stores no call waits for another machine.
      acceptsDeadlines: config.store === 'postgres' || config.redis !== undefined,
      jwks: () => keyManager.keySet,
      jwksMaxAgeSeconds: () => keyManager.keySetMaxAgeSeconds,
      ready: () => ({ ledger: probe.holds(), ...checks() }),
      // All other methods work without a signer, without free space, and while the clock is not trusted.
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
    // All connections of a Unix socket have the same address, so they have no limit by address.
    connections: {
      maxConnections: room.connections,
      maxPerAddress: unix === undefined ? room.connectionsPerAddress : room.connections,
    },
    unread: { ...unread, maxMs: 1000 * limits.requestSeconds },
    // A third of the memory for each account, so that two greedy callers leave room for others.
    memory: { totalBytes: heldBytes, accountBytes: Math.floor(heldBytes / 3) },
    streams: { ...streams, maxStreams: limits.streams },
    answerMs: 1000 * limits.answerSeconds,
  };
}
