// The settings of callers: how they authenticate, and whether anonymous callers are served.

import { isWorkloadId } from '../token/index.ts';
import type { Rules, Settings, ValuesOf } from './setting.ts';
import { choice, either, list } from './types.ts';

export interface CallersConfig {
  /** Whether callers must authenticate. Otherwise every caller is anonymous. */
  readonly areProven: boolean;
  /** Whether a JWT of an issuer in the trust file authenticates a caller. */
  readonly byJwt: boolean;
  /** Whether a Workload Identity Token of such an issuer, with a proof of its key, authenticates a caller. */
  readonly byWit: boolean;
  /** The SPIFFE IDs of proxies that name their caller in a header. */
  readonly forwarded:
    | { readonly proxies: readonly string[]; readonly header: 'x-forwarded-client-cert' | 'l5d-client-id' }
    | undefined;
}

export const CALLER_SETTINGS = {
  ECT_ALLOW_ANONYMOUS: {
    type: either('yes', 'no'),
    default: 'no',
    meaning: '`yes`: serve anonymous callers on an address that is not loopback',
  },
  ECT_CALLER_JWTS: {
    type: either('yes', 'no'),
    default: 'no',
    meaning:
      '`yes`: callers may authenticate with bearer tokens of issuers in `ECT_TRUST_FILE`: JWT-SVIDs, Kubernetes service accounts, any OpenID Connect issuer',
  },
  ECT_CALLER_WITS: {
    type: either('yes', 'no'),
    default: 'no',
    meaning:
      '`yes`: callers may authenticate with WIMSE identity tokens of issuers in `ECT_TRUST_FILE`, and a [proof](docs/operating.md#foreign-issuers) for `ECT_PUBLIC_URL` in each call',
  },
  ECT_FORWARDED_BY: {
    type: list('list of SPIFFE IDs', 'SPIFFE IDs of proxies separated by commas', isWorkloadId),
    unset: 'nobody',
    meaning: 'proxies that state in a header [for which caller they forward](docs/operating.md#who-may-call)',
  },
  ECT_FORWARDED_HEADER: {
    type: choice('x-forwarded-client-cert', 'l5d-client-id'),
    default: 'x-forwarded-client-cert',
    meaning: 'the header of `ECT_FORWARDED_BY`',
  },
} satisfies Settings;

type Values = ValuesOf<typeof CALLER_SETTINGS>;

/** The ways to authenticate callers, for an error message. */
const WAYS = [
  'ECT_TLS_CERT, ECT_TLS_KEY and ECT_TLS_CLIENT_CA (mutual TLS: callers have X.509-SVIDs of one CA)',
  'ECT_TLS_CLIENT_BUNDLES instead of ECT_TLS_CLIENT_CA (the same, for several trust domains)',
  'ECT_WORKLOAD_API (the same, from the agent of SPIRE or another implementation of SPIFFE)',
  'ECT_CALLER_JWTS=yes with ECT_TRUST_FILE and TLS (bearer tokens: JWT-SVIDs, Kubernetes service accounts, any OIDC issuer)',
  'ECT_CALLER_WITS=yes with ECT_TRUST_FILE, TLS and ECT_PUBLIC_URL (WIMSE: identity tokens, each call with a proof)',
  'one of the first three with ECT_FORWARDED_BY (a proxy in front of the service names the callers)',
];

interface Surroundings {
  readonly isOnLoopback: boolean;
  readonly hasTls: boolean;
  /** The setting that makes callers authenticate with certificates; undefined: none. */
  readonly provedBy: string | undefined;
  /** The SPIFFE ID of every caller on the Unix socket. */
  readonly unixCaller: string | undefined;
  readonly hasTrustFile: boolean;
  readonly hasPublicUrl: boolean;
  readonly hasReplayGuard: boolean;
}

export function callersConfig(values: Values, rules: Rules, around: Surroundings): CallersConfig {
  const { isOnLoopback } = around;
  const provedBy = around.provedBy ?? (around.unixCaller === undefined ? undefined : 'ECT_UNIX_CALLER');
  const { ECT_CALLER_JWTS: byJwt, ECT_CALLER_WITS: byWit } = values;
  const areProven = provedBy !== undefined || byJwt || byWit;
  if (byJwt) demandForIssuers('ECT_CALLER_JWTS', rules, around);
  if (byWit) demandForWits(rules, around);
  if (areProven && values.ECT_ALLOW_ANONYMOUS) {
    const what = provedBy ?? `${byJwt ? 'ECT_CALLER_JWTS' : 'ECT_CALLER_WITS'}=yes`;
    rules.problem(`ECT_ALLOW_ANONYMOUS=yes contradicts ${what}: remove one of them.`);
  }
  if (!isOnLoopback && !areProven && !values.ECT_ALLOW_ANONYMOUS) {
    rules.problem(
      `ECT_LISTEN is not a loopback address, and callers are not authenticated. Set one of these: ${WAYS.join('; ')}. Or open the ` +
        'service to everyone who can reach it with ECT_ALLOW_ANONYMOUS=yes.',
    );
  }
  return { areProven, byJwt, byWit, forwarded: forwardedConfig(values, rules, provedBy) };
}

function demandForIssuers(
  name: 'ECT_CALLER_JWTS' | 'ECT_CALLER_WITS',
  { problem }: Rules,
  { isOnLoopback, hasTls, hasTrustFile }: Surroundings,
): void {
  if (!hasTrustFile) problem(`${name}=yes needs ECT_TRUST_FILE, which names the issuers.`);
  if (!hasTls && !isOnLoopback) {
    problem(
      `${name}=yes needs ECT_TLS_CERT and ECT_TLS_KEY, or ECT_WORKLOAD_API, if ECT_LISTEN is not loopback: anyone who intercepts a bearer token can use it.`,
    );
  }
}

function demandForWits(rules: Rules, around: Surroundings): void {
  demandForIssuers('ECT_CALLER_WITS', rules, around);
  if (!around.hasPublicUrl) {
    rules.problem('ECT_CALLER_WITS=yes needs ECT_PUBLIC_URL: the aud of a proof begins with it.');
  }
  if (!around.hasReplayGuard) {
    rules.problem('ECT_CALLER_WITS=yes needs a replay guard, because a proof could be used twice without one.');
  }
}

function forwardedConfig(
  { ECT_FORWARDED_BY: proxies, ECT_FORWARDED_HEADER: header }: Values,
  { problem, needs }: Rules,
  provedBy: string | undefined,
): CallersConfig['forwarded'] {
  if (proxies === undefined) {
    needs(['ECT_FORWARDED_HEADER'], 'ECT_FORWARDED_BY');
    return undefined;
  }
  if (provedBy === undefined) {
    problem(
      'ECT_FORWARDED_BY needs ECT_TLS_CLIENT_CA, ECT_TLS_CLIENT_BUNDLES, ECT_WORKLOAD_API or ECT_UNIX_CALLER: a proxy is authenticated by its connection.',
    );
  }
  return { proxies, header };
}
