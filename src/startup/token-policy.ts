// The verification policy that follows from the configuration.

import type { Config } from '../config/index.ts';
import type { TokenPolicy } from '../token/index.ts';

const MAX_TOKEN_BYTES = 16_384;
export const MAX_LIFETIME_SECONDS = 86_400;

export function tokenPolicy({ token, levels }: Config): TokenPolicy {
  return {
    maxTokenBytes: MAX_TOKEN_BYTES,
    drafts: token.drafts,
    algorithms: token.algorithms,
    ids: token.ids,
    minimumLevel: levels.minimum,
    minimumLevels: new Map(Object.entries(levels.byAction)),
    maxLifetimeSeconds: MAX_LIFETIME_SECONDS,
    maxAgeSeconds: token.maxAgeSeconds,
    maxFutureSeconds: token.maxFutureSeconds,
  };
}
