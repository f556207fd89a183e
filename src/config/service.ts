// The settings of the process: its address, its issuer name and its data directory.

import { canBeAbove } from '../token/index.ts';
import { Fault } from './fault.ts';
import type { Settings } from './setting.ts';
import { type Address, addressFault, choice, parsed, path, readAddress, text, wholeOr } from './types.ts';
import { readUnixPath, unixPathFault } from './unix-socket.ts';

export const SERVICE_SETTINGS = {
  ECT_CONFIG: {
    type: path,
    meaning:
      '[file of settings](docs/operating.md#a-file-of-settings) in YAML, with the same names; the environment has precedence',
  },
  ECT_LISTEN: {
    type: parsed(
      'host:port, unix:path',
      'host:port, for example 127.0.0.1:8080, or unix:/path, the absolute path of a socket',
      readListen,
    ),
    default: '127.0.0.1:8080',
    meaning:
      'where the service listens; port 0 is any free one, printed as `listening on http://…`; `unix:/path`: [a Unix socket](docs/operating.md#a-unix-socket)',
  },
  ECT_PUBLIC_URL: {
    type: parsed('URL', 'an http or https URL without a path', readOrigin),
    unset: 'the listening address',
    meaning: 'public base URL of the service, for `/.well-known/ect-authority`',
  },
  ECT_ISSUER: {
    type: text(
      'URI',
      'an absolute URI that ends in a name, without blanks, query, fragment, escapes, dot or empty segments, at most 1,024 bytes',
      isIssuer,
    ),
    default: 'urn:ect:dev',
    meaning: 'the issuer of the service, and the prefix of the names of anonymous callers',
  },
  ECT_DATA_DIR: { type: path, default: './data', meaning: 'directory of the keys, the ledger and the replay guard' },
  ECT_WORKERS: {
    type: wholeOr('auto', 1, 256),
    default: '1',
    meaning: 'processes behind the port, over one data directory; `auto`: one for each core',
  },
  ECT_HTTP2: {
    type: choice('engine', 'node'),
    default: 'engine',
    meaning: "implementation of HTTP/2; `node`: Node's own server, [slower](docs/operating.md#nodes-own-http2)",
  },
  ECT_LOG_LEVEL: {
    type: choice('debug', 'info', 'warn', 'error', 'silent'),
    default: 'info',
    meaning: 'the least severity that is logged',
  },
} satisfies Settings;

function readListen(value: string): Address | { readonly path: string } | Fault {
  if (!value.startsWith('unix:')) return readAddress(value, { least: 0 }) ?? addressFault(value);
  const socket = readUnixPath(value);
  return socket === undefined ? unixPathFault(value) : { path: socket };
}

/**
 * Whether names can be formed below this issuer: it ends with a name, and contains nothing that two URI libraries could resolve
 * differently (query, fragment, `%`, `;`, dot segments, empty segments). With the scheme spiffe it must be a SPIFFE ID.
 */
function isIssuer(value: string): boolean {
  const uri = /^[A-Za-z][A-Za-z0-9+.-]*:(?:\/\/)?[A-Za-z0-9\-._~:/@!$&'()*+,=]+$/;
  const isPlain = uri.test(value) && !/[:/]\.{0,2}(?:[:/]|$)/.test(value.replace('://', ':'));
  return value.length <= 1024 && isPlain && canBeAbove(value);
}

function readOrigin(value: string): string | Fault {
  if (!/^https?:\/\//i.test(value)) return new Fault('it does not begin with http:// or https://');
  if (!URL.canParse(value)) return new Fault('the host or the port is not one');
  const { origin, href } = new URL(value);
  return href === `${origin}/` ? origin : new Fault('it has more than a host and a port');
}
