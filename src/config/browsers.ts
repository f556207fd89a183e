// The settings for browsers: which web pages may call the service.

import type { Settings, ValuesOf } from './setting.ts';
import { list } from './types.ts';

export interface BrowsersConfig {
  /** The origins whose pages may call. */
  readonly allowedOrigins: readonly string[];
  /** Whether pages of other origins are rejected. */
  readonly rejectsOthers: boolean;
  /** The host names of the service, in addition to those of loopback; undefined: any. */
  readonly allowedHosts: readonly string[] | undefined;
}

export const BROWSER_SETTINGS = {
  ECT_ALLOWED_ORIGINS: {
    type: list(
      'list of origins',
      'origins as browsers write them, separated by commas and without paths, default ports or *, for example https://console.example.org',
      isOrigin,
    ),
    meaning:
      'origins whose web pages may call (CORS); without client certificates, requests of other pages are rejected',
  },
  ECT_ALLOWED_HOSTS: {
    type: list(
      'list of hosts',
      'names or addresses separated by commas, without ports ([::1] in brackets), or *',
      isHost,
    ),
    meaning:
      'without client certificates: host names, without ports, under which clients reach the service, in addition to `localhost` and loopback addresses; `*`: any name. If it is unset and the service does not listen on loopback, any name is accepted. See [browsers](docs/operating.md#browsers)',
  },
} satisfies Settings;

/** Who can reach the service, and whether callers authenticate. */
interface Exposure {
  readonly isOnLoopback: boolean;
  readonly provesCallers: boolean;
}

/** If callers authenticate, a page cannot use an identity of the browser, so host names and origins are not checked. */
export function browsersConfig(
  { ECT_ALLOWED_ORIGINS: allowedOrigins = [], ECT_ALLOWED_HOSTS: hosts = [] }: ValuesOf<typeof BROWSER_SETTINGS>,
  { isOnLoopback, provesCallers }: Exposure,
): BrowsersConfig {
  // If it does not listen on loopback, the service cannot know its host names.
  const isAnyHost = provesCallers || hosts.includes('*') || (!isOnLoopback && hosts.length === 0);
  return { allowedOrigins, rejectsOthers: !provesCallers, allowedHosts: isAnyHost ? undefined : hosts };
}

function isHost(value: string): boolean {
  return value === '*' || /^(?:[A-Za-z0-9._-]{1,253}|\[[0-9a-fA-F:.]+\])$/.test(value);
}

/** An origin as browsers write it: no path, no default port, lower case. */
function isOrigin(value: string): boolean {
  if (!/^https?:\/\/[^*]+$/.test(value) || !URL.canParse(value)) return false;
  return new URL(value).origin === value;
}
