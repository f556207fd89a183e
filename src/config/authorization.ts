// The settings of authorization: the administrators, and what callers may do.

import { isWorkloadId } from '../token/index.ts';
import type { CallersConfig } from './callers.ts';
import type { Rules, Settings, ValuesOf } from './setting.ts';
import { list, path } from './types.ts';

export const AUTHORIZATION_SETTINGS = {
  ECT_ADMINS: {
    type: list(
      'list of SPIFFE IDs',
      'SPIFFE IDs separated by commas, or anonymous',
      (entry) => entry === 'anonymous' || isWorkloadId(entry),
    ),
    unset: 'nobody',
    meaning:
      'administrators: callers that may change keys and mark tasks and keys as compromised; `anonymous` for experiments on loopback',
  },
  ECT_POLICY_FILE: {
    type: path,
    unset: 'the built-in policy',
    meaning: 'Cedar: the policy that says what each caller may do, see [policy](docs/policy.md)',
  },
  ECT_POLICY_LIMITS: {
    type: path,
    meaning: 'JSON: groups of callers, and [limits](docs/policy.md#limits) of their calls and tokens',
  },
} satisfies Settings;

/** Returns the SPIFFE IDs of the administrators, or `anonymous`. */
export function administratorsOf(
  { ECT_ADMINS: named = [] }: ValuesOf<typeof AUTHORIZATION_SETTINGS>,
  { problem }: Rules,
  { areProven, forwarded }: CallersConfig,
  isOnLoopback: boolean,
): readonly string[] {
  if (named.includes('anonymous') && !isOnLoopback) {
    problem('ECT_ADMINS=anonymous makes every caller an administrator: use it only with ECT_LISTEN on loopback.');
  }
  if (named.length > 0 && !named.some((name) => (name === 'anonymous') !== areProven)) {
    problem(
      areProven
        ? 'ECT_ADMINS=anonymous has no effect where every caller has an identity: name SPIFFE IDs.'
        : 'ECT_ADMINS names SPIFFE IDs, which callers cannot prove: set ECT_TLS_CLIENT_CA, ECT_TLS_CLIENT_BUNDLES, ECT_WORKLOAD_API, ECT_CALLER_JWTS or ECT_CALLER_WITS too.',
    );
  }
  if (named.some((name) => forwarded?.proxies.includes(name))) {
    problem('ECT_ADMINS names a proxy of ECT_FORWARDED_BY, which forwards for others and is never a caller itself.');
  }
  return named;
}
