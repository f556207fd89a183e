// Which settings say what browsers may do.

import type { SettingsReader } from './signer.ts';

export interface BrowsersConfig {
  /** Origins whose pages may call. */
  readonly allowedOrigins: readonly string[];
  /** Whether pages of other origins are refused. */
  readonly refusesOthers: boolean;
  /** Names under which the service is reached, beside those of loopback; undefined: any. */
  readonly allowedHosts: readonly string[] | undefined;
}

/** Who can reach the service, and whether they prove who they are. */
export interface Exposure {
  readonly isOnLoopback: boolean;
  readonly provesCallers: boolean;
}

/** Where callers prove who they are a browser has nothing to lend to a page: neither its names nor its origin matter. */
export function readBrowsers(
  { read }: Pick<SettingsReader, 'read'>,
  { isOnLoopback, provesCallers }: Exposure,
): BrowsersConfig {
  const allowedOrigins = read<readonly string[]>(
    'ECT_ALLOWED_ORIGINS',
    [],
    'origins as browsers write them, with commas between them and without paths, default ports or *, for example https://console.example.org',
    (text) => each(text, isOrigin),
  );
  const hosts = read<readonly string[]>(
    'ECT_ALLOWED_HOSTS',
    [],
    'names or addresses with commas between them, without ports ([::1] in brackets), or *',
    (text) => each(text, isHost),
  );
  // Off loopback the service has names that it does not know.
  const isAnyHost = provesCallers || hosts.includes('*') || (!isOnLoopback && hosts.length === 0);
  return { allowedOrigins, refusesOthers: !provesCallers, allowedHosts: isAnyHost ? undefined : hosts };
}

function each(text: string, isRight: (entry: string) => boolean): readonly string[] | undefined {
  const entries = text.split(',').map((entry) => entry.trim());
  return entries.every(isRight) ? entries : undefined;
}

function isHost(text: string): boolean {
  return text === '*' || /^(?:[A-Za-z0-9._-]{1,253}|\[[0-9a-fA-F:.]+\])$/.test(text);
}

/** An origin as browsers write it: no path, no default port, lower case. */
function isOrigin(text: string): boolean {
  if (!/^https?:\/\/[^*]+$/.test(text) || !URL.canParse(text)) return false;
  return new URL(text).origin === text;
}
