// The settings of TLS: the certificate of the service, and the CAs of its callers.

import { isTrustDomain } from '../token/index.ts';
import type { Rules, Settings, ValuesOf } from './setting.ts';
import { entriesOf, isPath, parsed, path } from './types.ts';
import type { WorkloadApiConfig } from './workload-api.ts';

/** The CAs of one trust domain. */
export interface BundleFile {
  readonly trustDomain: string;
  /** In PEM. */
  readonly file: string;
}

export interface TlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
  /** The CAs for callers of all trust domains. */
  readonly clientCaFile: string | undefined;
  /** The CAs for each trust domain, instead of `clientCaFile`. */
  readonly clientBundles: readonly BundleFile[];
}

export const TLS_SETTINGS = {
  ECT_TLS_CERT: {
    type: path,
    meaning:
      'PEM: certificate of the service, with `ECT_TLS_KEY`. Both may [change](docs/operating.md#files-that-change) while the service runs',
  },
  ECT_TLS_KEY: { type: path, meaning: 'PEM: private key of the service' },
  ECT_TLS_CLIENT_CA: {
    type: path,
    meaning: 'PEM: CA of the callers; each must present a certificate whose single URI SAN is a SPIFFE ID',
  },
  ECT_TLS_CLIENT_BUNDLES: {
    type: parsed(
      'list of domain=path',
      'trust domains with the files of their CAs, separated by commas, each domain once: example.org=/etc/ect/example.org.pem',
      readBundles,
    ),
    meaning:
      'instead of `ECT_TLS_CLIENT_CA`: a file of CAs for each trust domain, `example.org=/ca.pem,partner.example=/other.pem`; a CA is trusted for its own domain only',
  },
} satisfies Settings;

type Values = ValuesOf<typeof TLS_SETTINGS>;

/** Returns the configuration; undefined without a certificate. */
export function tlsConfig(values: Values, { problem }: Rules): TlsConfig | undefined {
  const { ECT_TLS_CERT: certFile, ECT_TLS_KEY: keyFile, ECT_TLS_CLIENT_CA: clientCaFile } = values;
  const clientBundles = values.ECT_TLS_CLIENT_BUNDLES ?? [];
  const proving = provingFiles(values);
  if ((certFile === undefined) !== (keyFile === undefined)) {
    problem('ECT_TLS_CERT and ECT_TLS_KEY must be set together.');
  }
  if (proving !== undefined && certFile === undefined) problem(`${proving} needs ECT_TLS_CERT and ECT_TLS_KEY.`);
  if (clientBundles.length > 0 && clientCaFile !== undefined) {
    problem(
      'ECT_TLS_CLIENT_BUNDLES and ECT_TLS_CLIENT_CA are both set, and the CAs of the second are trusted for every trust domain: remove one.',
    );
  }
  return certFile === undefined ? undefined : { certFile, keyFile: keyFile ?? '', clientCaFile, clientBundles };
}

/** Returns the setting that makes callers authenticate with certificates. */
export function provingSetting(values: Values, workloadApi: WorkloadApiConfig | undefined): string | undefined {
  return workloadApi === undefined ? provingFiles(values) : 'ECT_WORKLOAD_API';
}

function provingFiles(values: Values): string | undefined {
  if (values.ECT_TLS_CLIENT_BUNDLES !== undefined) return 'ECT_TLS_CLIENT_BUNDLES';
  return values.ECT_TLS_CLIENT_CA === undefined ? undefined : 'ECT_TLS_CLIENT_CA';
}

function readBundles(value: string): readonly BundleFile[] | undefined {
  const bundles = new Map<string, string>();
  for (const entry of entriesOf(value)) {
    const [, trustDomain = '', file = ''] = /^([^=]*)=(.+)$/s.exec(entry) ?? [];
    if (!isTrustDomain(trustDomain) || !isPath(file) || file.includes('{') || bundles.has(trustDomain))
      return undefined;
    bundles.set(trustDomain, file);
  }
  return [...bundles].map(([trustDomain, file]) => ({ trustDomain, file }));
}
