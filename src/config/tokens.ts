// The settings of tokens: drafts, algorithms, times, levels, and trusted issuers.

import type { Rules, Settings, ValuesOf } from './setting.ts';
import { choice, either, entriesOf, list, parsed, path, someOf, whole } from './types.ts';

export interface TokenConfig {
  readonly defaultTtlSeconds: number;
  readonly maxAgeSeconds: number;
  readonly maxFutureSeconds: number;
  /** The accepted drafts. */
  readonly drafts: readonly ('00' | '01')[];
  /** The accepted signature algorithms. ES256, with which the service signs, is always accepted. */
  readonly algorithms: readonly string[];
  /** Whether `jti`, `wid` and `pred` must be UUIDs. */
  readonly ids: 'uuid' | 'text';
}

/** The levels that verifiers require, unless a caller requires a higher one. */
export interface LevelsConfig {
  readonly minimum: Level;
  /** The required level for some values of `exec_act`. */
  readonly byAction: Readonly<Record<string, Level>>;
}

export interface GraphConfig {
  readonly predecessorPolicy: boolean;
  /** The values of `exec_act` that count as a human review. */
  readonly reviewActions: readonly string[];
}

const LEVELS = ['L1', 'L2', 'L3'] as const;
type Level = (typeof LEVELS)[number];

export const TOKEN_SETTINGS = {
  ECT_DRAFTS: { type: someOf('00', '01'), default: '00,01', meaning: 'versions of the draft that are accepted' },
  ECT_ALGORITHMS: {
    // `none` and HMAC cannot be chosen. With HMAC each verifier could also sign.
    type: someOf('ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256'),
    default: 'ES256',
    meaning: 'allowed signature algorithms; those other than `ES256` are for foreign issuers',
  },
  ECT_UUIDS: {
    type: either('strict', 'off'),
    default: 'strict',
    meaning: '`off`: ids may be any 1 to 256 printable ASCII characters',
  },
  ECT_DEFAULT_EXPIRY_MIN: { type: whole(1, 1440), default: '10', meaning: 'lifetime of a token without `ttl`' },
  ECT_IAT_MAX_AGE_MINUTES: { type: whole(1, 1440), default: '15', meaning: 'maximum age of a presented token' },
  ECT_IAT_MAX_FUTURE_SEC: { type: whole(0, 600), default: '30', meaning: 'how far `iat` may be in the future' },
  ECT_MINIMUM_LEVEL: {
    type: choice(...LEVELS),
    default: 'L2',
    meaning: 'the minimum level that `Verify` accepts: `L1` (unsigned), `L2` (signed) or `L3` (recorded)',
  },
  ECT_MINIMUM_LEVELS: {
    type: parsed(
      'list of exec_act=level',
      'a list of exec_act=level with levels L1, L2 or L3 and each exec_act once, for example execute_trade=L3,ping=L1',
      readLevels,
    ),
    meaning: 'other minimum levels, by `exec_act`: `execute_trade=L3,ping=L1`',
  },
  ECT_PREDECESSOR_POLICY: {
    type: either('on', 'off'),
    default: 'on',
    meaning: 'only a compensation or a human review may follow a task that was not approved; `off`: not checked',
  },
  ECT_REVIEW_ACTIONS: {
    type: list('list of exec_act', 'names of actions separated by commas', /^[^\p{Cc}\p{Cs}]{1,256}$/u),
    default: 'human_review',
    meaning: 'values of `exec_act` that count as a human review',
  },
  ECT_TRUST_FILE: {
    type: path,
    meaning: 'JSON: [foreign issuers](docs/operating.md#foreign-issuers), their keys, and what they are trusted for',
  },
} satisfies Settings;

type Values = ValuesOf<typeof TOKEN_SETTINGS>;

export function tokenConfig(values: Values, { problem }: Rules): TokenConfig {
  const algorithms = values.ECT_ALGORITHMS;
  if (!algorithms.includes('ES256')) problem('ECT_ALGORITHMS must have ES256, with which this service signs.');
  return {
    defaultTtlSeconds: 60 * values.ECT_DEFAULT_EXPIRY_MIN,
    maxAgeSeconds: 60 * values.ECT_IAT_MAX_AGE_MINUTES,
    maxFutureSeconds: values.ECT_IAT_MAX_FUTURE_SEC,
    drafts: values.ECT_DRAFTS,
    algorithms,
    ids: values.ECT_UUIDS ? 'uuid' : 'text',
  };
}

/** Parses pairs `exec_act=level`. The name ends at the last `=` and cannot contain a comma. */
function readLevels(value: string): Readonly<Record<string, Level>> | undefined {
  const levels = new Map<string, Level>();
  for (const entry of entriesOf(value)) {
    const [, execAct = '', name] = /^(.+)=(.*)$/.exec(entry) ?? [];
    const level = LEVELS.find((candidate) => candidate === name);
    if (level === undefined || levels.has(execAct)) return undefined;
    levels.set(execAct, level);
  }
  return Object.fromEntries(levels);
}
