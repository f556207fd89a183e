// Environment variables that Kubernetes adds to every container for each Service of its namespace. For a Service named `ect-authority` it
// adds ECT_AUTHORITY_SERVICE_HOST, ECT_AUTHORITY_PORT and five more, which look like settings.

import { isIP } from 'node:net';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Returns the names of all service links in `env` that begin with ECT_. Names and values are matched exactly, so a misspelled setting is
 * not a service link.
 */
export function serviceLinks(env: Env): ReadonlySet<string> {
  const links = new Set<string>();
  for (const key of Object.keys(env)) {
    const prefix = /^(ECT(?:_[A-Z0-9_]+)?)_SERVICE_HOST$/.exec(key)?.[1];
    if (prefix !== undefined) for (const link of linksOf(prefix, env)) links.add(link);
  }
  return links;
}

/**
 * Returns the service links of one Service. Three of them always exist and must agree with each other; otherwise they are not service
 * links.
 */
function linksOf(prefix: string, env: Env): readonly string[] {
  const host = env[`${prefix}_SERVICE_HOST`] ?? '';
  const port = env[`${prefix}_SERVICE_PORT`] ?? '';
  if (isIP(host) === 0 || !isPort(port) || !isUrl(env[`${prefix}_PORT`], host, port)) return [];
  return Object.keys(env).filter((key) => {
    if (!key.startsWith(`${prefix}_`)) return false;
    const [name, value] = [key.slice(prefix.length + 1), env[key] ?? ''];
    if (/^(?:SERVICE_HOST|SERVICE_PORT|PORT)$/.test(name)) return true;
    if (/^SERVICE_PORT_[A-Z0-9_]+$/.test(name)) return isPort(value);
    const [, number = '', protocol = '', what] =
      /^PORT_([0-9]+)_(TCP|UDP|SCTP)(?:_(PROTO|PORT|ADDR))?$/.exec(name) ?? [];
    if (!isPort(number)) return false;
    if (what === 'PROTO') return value === protocol.toLowerCase();
    if (what === 'PORT') return value === number;
    if (what === 'ADDR') return value === host;
    return isUrl(value, host, number, protocol.toLowerCase());
  });
}

function isUrl(value: string | undefined, host: string, port: string, protocol = '(?:tcp|udp|sctp)'): boolean {
  const address = isIP(host) === 6 ? `[${host}]` : host;
  const [scheme = '', rest] = value?.split('://', 2) ?? [];
  return new RegExp(`^${protocol}$`).test(scheme) && rest === `${address}:${port}` && value === `${scheme}://${rest}`;
}

function isPort(text: string): boolean {
  return /^[1-9][0-9]{0,4}$/.test(text) && Number(text) <= 65_535;
}
