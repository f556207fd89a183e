// The files of examples/compose, read as Compose and Envoy read them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export const COMPOSE_FOLDER = join(import.meta.dirname, '../../examples/compose');

/** What the tests look at of a service. */
export interface ServiceDefinition {
  readonly image?: string;
  readonly command?: string | readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly deploy?: { readonly replicas: number };
  readonly volumes?: readonly string[];
  readonly networks?: readonly string[];
  readonly ports?: readonly string[];
  readonly profiles?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, unknown>>;
}

interface ComposeFile {
  readonly services: Readonly<Record<string, ServiceDefinition>>;
  readonly networks?: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
}

interface SocketAddress {
  readonly socket_address: { readonly address: string; readonly port_value: number };
}

/** What the tests look at of the proxy's configuration. */
export interface EnvoyFile {
  readonly static_resources: {
    readonly listeners: readonly { readonly address: SocketAddress }[];
    readonly clusters: readonly {
      readonly load_assignment: {
        readonly endpoints: readonly {
          readonly lb_endpoints: readonly { readonly endpoint: { readonly address: SocketAddress } }[];
        }[];
      };
      readonly health_checks: readonly { readonly http_health_check: { readonly path: string } }[];
    }[];
  };
}

const read = (name: string): unknown => parse(readFileSync(join(COMPOSE_FOLDER, name), 'utf8'), { merge: true });

export const compose = read('compose.yaml') as ComposeFile;
export const envoy = read('envoy.yaml') as EnvoyFile;
