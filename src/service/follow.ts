// Watches what changes while the service runs: files, certificates, file descriptors.

import { ExpiryWatch } from '../config-files/expiry-watch.ts';
import type { TlsTexts } from '../config-files/tls-files.ts';
import type { KeyManager, RootKey } from '../key-manager/index.ts';
import type { PolicyInForce } from '../policy/index.ts';
import { type LoadedGroup, Reloader } from '../reload/index.ts';
import { type DescriptorRoom, DescriptorWatch } from '../runtime/descriptors.ts';
import type { Shutdown } from '../runtime/shutdown.ts';
import { adoptKey } from '../startup/signing-keys.ts';
import type { Events } from '../telemetry/events.ts';
import type { RunningServer } from '../transport/server.ts';
import type { ForeignIssuers, Issuer } from '../trust/index.ts';
import type { WorkloadApi } from '../workload-api/index.ts';
import type { FollowingCas } from './client-cas.ts';
import { type PolicyParts, replacePolicy } from './policy.ts';

/** The state at the start. */
interface Given {
  readonly signingKey: LoadedGroup<RootKey> | undefined;
  readonly trust: LoadedGroup<readonly Issuer[]> | undefined;
  readonly policy: LoadedGroup<PolicyInForce> | undefined;
  readonly tlsGroup: LoadedGroup<TlsTexts> | undefined;
  readonly workload: WorkloadApi | undefined;
  /** The TLS texts that the port was opened with. */
  readonly tls: TlsTexts | undefined;
}

/** The parts that apply a change. */
interface Following {
  readonly server: RunningServer;
  readonly keyManager: KeyManager;
  readonly issuers: ForeignIssuers;
  readonly policyParts: PolicyParts;
  readonly clientCas: FollowingCas | undefined;
  readonly room: DescriptorRoom;
  readonly nowMs: () => number;
  readonly events: Events;
}

/** Watches file descriptors, certificates and the files of the configuration, until the service stops. */
export function followChanges(
  { signingKey, trust, policy, tlsGroup, workload, tls }: Given,
  { server, keyManager, issuers, policyParts, clientCas, room, nowMs, events }: Following,
  shutdown: Shutdown,
): Reloader {
  const descriptors = new DescriptorWatch({
    connections: { most: room.connections, open: server.connections, limit: server.limitConnections },
    onMeasured: events.descriptorsMeasured,
  });
  shutdown.at('reload', () => descriptors.stop());
  const expiry = new ExpiryWatch(events, nowMs);
  shutdown.at('reload', () => expiry.stop());
  const reloader = new Reloader(events);
  shutdown.at('reload', () => reloader.stop());
  if (signingKey !== undefined) reloader.add(signingKey, (next) => adoptKey(keyManager, next));
  if (trust !== undefined) reloader.add(trust, (next) => issuers.replace(next));
  if (policy !== undefined) {
    reloader.add(policy, (next) => replacePolicy(policyParts, next, events));
  }
  const onTls = (next: TlsTexts | undefined) => {
    server.replaceTls(next);
    clientCas?.follow(next);
    expiry.replace(next?.terms ?? []);
  };
  if (tls !== undefined) expiry.replace(tls.terms);
  if (tlsGroup !== undefined) reloader.add(tlsGroup, onTls);
  // The identity may have changed since the port was opened.
  if (workload !== undefined && workload.identity?.texts !== tls) onTls(workload.identity?.texts);
  workload?.follow((identity) => onTls(identity?.texts));
  reloader.start();
  return reloader;
}
