// The table of all settings. The parser, the help of `ect serve`, the table in README.md and `ect config check` use it.

import { AUTHORIZATION_SETTINGS } from './authorization.ts';
import { BROWSER_SETTINGS } from './browsers.ts';
import { CALLER_SETTINGS } from './callers.ts';
import { KEY_SETTINGS } from './keys.ts';
import { LIMIT_SETTINGS } from './limits.ts';
import { POSTGRES_SETTINGS } from './postgres.ts';
import { REDIS_SETTINGS } from './redis.ts';
import { REPLAY_SETTINGS } from './replay.ts';
import { SERVICE_SETTINGS } from './service.ts';
import { defaultOf, type Setting, type Settings, typeName } from './setting.ts';
import { SIGNER_SETTINGS } from './signer.ts';
import { STORE_SETTINGS } from './store.ts';
import { TLS_SETTINGS } from './tls.ts';
import { TOKEN_SETTINGS } from './tokens.ts';
import { UNIX_SETTINGS } from './unix-socket.ts';
import { WORKLOAD_API_SETTINGS } from './workload-api.ts';

const SERVICE = { ...SERVICE_SETTINGS, ...UNIX_SETTINGS };
const CALLERS = {
  ...TLS_SETTINGS,
  ...WORKLOAD_API_SETTINGS,
  ...CALLER_SETTINGS,
  ...AUTHORIZATION_SETTINGS,
  ...BROWSER_SETTINGS,
};
const SIGNING = { ...SIGNER_SETTINGS, ...KEY_SETTINGS };
const STORE = { ...STORE_SETTINGS, ...POSTGRES_SETTINGS };
const REPLAY = { ...REPLAY_SETTINGS, ...REDIS_SETTINGS };

export const SETTINGS = {
  ...SERVICE,
  ...CALLERS,
  ...SIGNING,
  ...TOKEN_SETTINGS,
  ...STORE,
  ...REPLAY,
  ...LIMIT_SETTINGS,
} satisfies Settings;

const GROUPS: readonly (readonly [heading: string, settings: Settings])[] = [
  ['The service', SERVICE],
  ['TLS and callers', CALLERS],
  ['Signing', SIGNING],
  ['Tokens', TOKEN_SETTINGS],
  ['The store', STORE],
  ['The replay guard', REPLAY],
  ['Limits', LIMIT_SETTINGS],
];

/** A setting for display. */
export interface SettingRow {
  readonly name: string;
  readonly type: string;
  readonly default: string;
  /** Whether `default` is a value rather than a description of what applies. */
  readonly hasDefault: boolean;
  /** In Markdown. */
  readonly meaning: string;
}

export interface SettingGroup {
  readonly heading: string;
  readonly rows: readonly SettingRow[];
}

/** Returns all settings, grouped under headings. */
export function settingGroups(): readonly SettingGroup[] {
  return GROUPS.map(([heading, settings]) => ({
    heading,
    rows: Object.entries<Setting>(settings).map(([name, setting]) => ({
      name,
      type: typeName(setting),
      default: defaultOf(setting),
      hasDefault: setting.default !== undefined,
      meaning: setting.secret === undefined ? setting.meaning : `${setting.meaning}; ${setting.secret.says}`,
    })),
  }));
}
