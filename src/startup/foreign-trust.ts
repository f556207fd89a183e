// Opens the foreign issuers of the configuration, and adds their keys to those of the service.

import type { Config } from '../config/index.ts';
import { trustFile } from '../config-files/trust-file.ts';
import type { FileGroup } from '../reload/index.ts';
import type { Events } from '../telemetry/events.ts';
import { ForeignIssuers, type Issuer, type ReadBundle } from '../trust/index.ts';
import type { TrustedKeys } from './trusted-keys.ts';

/** Returns the trust file of a configuration, which is checked against the other settings; undefined if there is none. */
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
 * Opens the issuers of a trust file, and adds their keys to the key ring. Keys are fetched after `start`. `steadyMs` is a clock that also
 * runs while the machine is suspended; it measures how long keys were not fetched.
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
