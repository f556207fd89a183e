// The settings of the SPIFFE Workload API: its address, and which of its identities is that of the service.

import { isIPv4, isIPv6 } from 'node:net';
import { isWorkloadId } from '../token/index.ts';
import type { Rules, Settings, ValuesOf } from './setting.ts';
import { text } from './types.ts';

/** The address of an agent. */
export type WorkloadEndpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

export interface WorkloadApiConfig {
  readonly endpoint: WorkloadEndpoint;
  /** The address as it is written in the setting. */
  readonly address: string;
  /** Which identity is that of the service; undefined: the first one that the agent sends. */
  readonly svid: SvidChoice | undefined;
}

/** Selects one of several X.509-SVIDs. */
export type SvidChoice = { readonly spiffeId: string } | { readonly hint: string };

/** Settings that the Workload API replaces. */
const INSTEAD = ['ECT_TLS_CERT', 'ECT_TLS_KEY', 'ECT_TLS_CLIENT_CA', 'ECT_TLS_CLIENT_BUNDLES'];

const ADDRESSES = 'unix:///path of a socket, or tcp://address:port of loopback';

export const WORKLOAD_API_SETTINGS = {
  ECT_WORKLOAD_API: {
    type: text(
      'address, env',
      'unix:///path of a socket, tcp://address:port of loopback, or env: the address that SPIFFE_ENDPOINT_SOCKET has',
      (value) => value === 'env' || readEndpoint(value) !== undefined,
    ),
    meaning:
      '[SPIFFE Workload API](docs/operating.md#spiffe-workload-api), which provides certificate, key and CAs instead of the files above: `unix:///path`, `tcp://127.0.0.1:port`, or `env` (the address in `SPIFFE_ENDPOINT_SOCKET`)',
  },
  ECT_WORKLOAD_API_SVID: {
    type: text('SPIFFE ID or hint', 'a SPIFFE ID or a hint of the agent', (value) =>
      value.startsWith('spiffe:') ? isWorkloadId(value) : true,
    ),
    unset: 'the first one',
    meaning: 'SPIFFE ID or hint of the identity that the service uses, if the agent has several',
  },
  // Used only with ECT_WORKLOAD_API=env, because in a mesh it is set for all processes.
  SPIFFE_ENDPOINT_SOCKET: {
    type: text('address', ADDRESSES, () => true),
    meaning: 'address of the agent, for `ECT_WORKLOAD_API=env`',
  },
} satisfies Settings;

/** Returns the configuration; undefined if the Workload API is not used or its address is invalid. */
export function workloadApiConfig(
  values: ValuesOf<typeof WORKLOAD_API_SETTINGS>,
  { isGiven, problem, needs }: Rules,
): WorkloadApiConfig | undefined {
  const { ECT_WORKLOAD_API: named, ECT_WORKLOAD_API_SVID: svid, SPIFFE_ENDPOINT_SOCKET: inEnvironment } = values;
  if (named === undefined) {
    needs(['ECT_WORKLOAD_API_SVID'], 'ECT_WORKLOAD_API');
    return undefined;
  }
  for (const name of INSTEAD.filter(isGiven)) {
    problem(`${name} contradicts ECT_WORKLOAD_API, which provides certificate, key and CAs: remove one.`);
  }
  const address = named === 'env' ? inEnvironment : named;
  if (address === undefined) problem('ECT_WORKLOAD_API=env needs SPIFFE_ENDPOINT_SOCKET.');
  if (address === undefined) return undefined;
  const endpoint = readEndpoint(address);
  if (endpoint === undefined) problem(`SPIFFE_ENDPOINT_SOCKET must be ${ADDRESSES}.`);
  if (endpoint === undefined) return undefined;
  return { endpoint, address, svid: svid === undefined ? undefined : choiceOf(svid) };
}

function choiceOf(svid: string): SvidChoice {
  return isWorkloadId(svid) ? { spiffeId: svid } : { hint: svid };
}

/**
 * Parses the address of an agent (SPIFFE Workload Endpoint, section 4): no other components are allowed. Beyond loopback the agent could
 * not identify its caller, and an attacker in between could give the service an identity.
 *
 * @internal Exported because the rule has tests of its own.
 */
export function readEndpoint(address: string): WorkloadEndpoint | undefined {
  const path = /^unix:(?:\/\/)?(\/[^\p{Cc}?#%]+)$/u.exec(address)?.[1];
  if (path !== undefined && !path.startsWith('//')) return { kind: 'unix', path };
  const [, ipv6, ipv4, portText] = /^tcp:\/\/(?:\[([0-9a-fA-F:]+)\]|([0-9.]+)):([0-9]{1,5})$/.exec(address) ?? [];
  const host = ipv6 ?? ipv4 ?? '';
  const port = Number(portText);
  const isLoopback = (isIPv4(host) && host.startsWith('127.')) || (isIPv6(host) && host === '::1');
  return isLoopback && port >= 1 && port <= 65_535 ? { kind: 'tcp', host, port } : undefined;
}
