// Settings of the command line client, which may be present in the environment of the service. The service does not read them. It warns
// about them, because an operator who confuses ECT_CERT with ECT_TLS_CERT would get a service without TLS.

export const CLIENT_SETTINGS: ReadonlySet<string> = new Set([
  'ECT_URL',
  'ECT_CA',
  'ECT_CERT',
  'ECT_KEY',
  'ECT_SERVER_ID',
  'ECT_TOKEN_FILE',
]);

const SERVICE_SETTINGS = { ECT_CERT: 'ECT_TLS_CERT', ECT_KEY: 'ECT_TLS_KEY', ECT_CA: 'ECT_TLS_CLIENT_CA' } as const;

/** Warnings at the start of a service without TLS. */
export function clientSettingWarnings(
  env: Readonly<Record<string, string | undefined>>,
  { tls, workloadApi }: { readonly tls: unknown; readonly workloadApi?: unknown },
): readonly string[] {
  const set = Object.entries(SERVICE_SETTINGS).filter(([name]) => (env[name] ?? '') !== '');
  if (tls !== undefined || workloadApi !== undefined || set.length === 0) return [];
  const names = set.map(([name, meant]) => `${name} (for the service: ${meant})`).join(', ');
  return [
    `Without ECT_TLS_CERT and ECT_TLS_KEY the service speaks clear text. It does not read the settings of the client that are set: ${names}.`,
  ];
}
