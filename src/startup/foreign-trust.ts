// Foreign issuers as the configuration names them, and their keys beside those of the service.

import type { Config } from '../config/index.ts';
import { trustFile } from '../config-files/trust-file.ts';
import type { FileGroup } from '../reload/index.ts';
import type { Events } from '../telemetry/events.ts';
import { ForeignIssuers, type Issuer, type ReadBundle } from '../trust/index.ts';
import type { TrustedKeys } from './trusted-keys.ts';

/** The trust file of a configuration, judged by what the service is like; undefined where there is none. */
export function configuredTrust(config: Config): FileGroup<readonly Issuer[]> | undefined {
  const { issuer: ownIssuer, callers, workloadApi } = config;
  if (config.trustFile === undefined) return undefined;
  return trustFile(config.trustFile, {
    ownIssuer,
    authenticatesCallers: callers.byJwt || callers.byWit,
    hasWorkloadApi: workloadApi !== undefined,
  });
}

/**
 * Opens the issuers of a trust file, and puts their keys into the ring. They are fetched from `start` on. `steadyMs`: for how long keys were
 * not fetched, also while the machine was suspended.
 */
export function openForeignIssuers(
  issuers: readonly Issuer[],
  ring: TrustedKeys,
  events: Events,
  { readBundle, steadyMs }: { readonly readBundle: ReadBundle | undefined; readonly steadyMs: () => number },
): ForeignIssuers {
  return new ForeignIssuers(issuers, {
    nowMs: steadyMs,
    events,
    onTokenKeys: (keys) => ring.replaceForeign(keys),
    fetching: { readBundle },
  });
}
