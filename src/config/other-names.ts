// Names that other programs use for the same settings. ECT_PORT is not a misspelling of ECT_LISTEN, so this list connects the two.

/**
 * The other names of each setting, without ECT_.
 *
 * @internal Exported because a test compares it with the settings.
 */
export const OTHER_NAMES: Readonly<Record<string, readonly string[]>> = {
  ECT_LISTEN: [
    'ADDR',
    'ADDRESS',
    'BIND',
    'BIND_ADDR',
    'BIND_ADDRESS',
    'GRPC_PORT',
    'HOST',
    'HOSTNAME',
    'HTTP_PORT',
    'PORT',
  ],
  ECT_DATA_DIR: ['DATABASE', 'DATA', 'DATADIR', 'DATA_DIRECTORY', 'DATA_PATH', 'DB', 'DIR', 'DIRECTORY', 'HOME'],
  ECT_TLS_CERT: ['CERTIFICATE', 'SERVER_CERT', 'SSL_CERT', 'TLS_CERTIFICATE', 'TLS_CRT'],
  ECT_TLS_KEY: ['SERVER_KEY', 'SSL_KEY', 'TLS_PRIVATE_KEY'],
  ECT_TLS_CLIENT_CA: ['CA_CERT', 'CA_FILE', 'MTLS_CA', 'SSL_CA', 'TLS_CLIENT_CERT', 'TLS_CLIENT_CERTS'],
  ECT_LOCAL_KEY_FILE: ['KEY_FILE', 'KEY_PATH', 'PRIVATE_KEY', 'SIGNING_KEY', 'SIGNING_KEY_FILE'],
  ECT_LOCAL_KEY_PASSPHRASE_FILE: ['KEY_PASSPHRASE', 'KEY_PASSWORD', 'PASSPHRASE', 'PASSWORD'],
  ECT_KMS_REGION: ['AWS_REGION', 'REGION'],
  ECT_ISSUER: ['ISS'],
  ECT_ADMINS: ['ADMINISTRATOR', 'ADMINISTRATORS'],
  ECT_ALLOW_ANONYMOUS: ['ANONYMOUS', 'AUTH', 'INSECURE', 'NO_AUTH'],
  ECT_ALLOWED_ORIGINS: ['CORS', 'CORS_ORIGIN', 'CORS_ORIGINS'],
  ECT_DEFAULT_EXPIRY_MIN: ['DEFAULT_TTL', 'EXPIRY', 'LIFETIME', 'TTL'],
  ECT_LOG_LEVEL: ['DEBUG', 'LOG', 'LOGGING', 'LOGLEVEL', 'VERBOSE'],
  ECT_POSTGRES_URL: ['DATABASE_URL', 'DB_URL', 'PGHOST', 'PG_URL', 'POSTGRES', 'POSTGRES_DSN'],
  ECT_POSTGRES_PASSWORD_FILE: ['DB_PASSWORD', 'PGPASSWORD', 'POSTGRES_PASSWORD'],
  ECT_REDIS_URL: ['CACHE_URL', 'REDIS', 'REDIS_ADDR', 'REDIS_DSN', 'REDIS_HOST', 'VALKEY_URL'],
  ECT_REDIS_PASSWORD_FILE: ['REDIS_PASSWORD'],
  ECT_REPLAY: ['REPLAY_CACHE', 'REPLAY_GUARD'],
  ECT_PUBLIC_URL: ['BASE_URL', 'EXTERNAL_URL'],
  ECT_TRUST_FILE: ['ISSUERS', 'ISSUERS_FILE', 'JWKS', 'JWKS_FILE', 'JWKS_URI', 'OIDC_ISSUER', 'TRUST'],
  ECT_CALLER_JWTS: ['BEARER', 'JWT', 'JWT_AUTH', 'JWTS', 'OIDC'],
  ECT_CALLER_WITS: ['WIMSE', 'WIT', 'WITS', 'WPT'],
  ECT_WORKERS: ['CLUSTER', 'CORES', 'CPUS', 'PROCESSES', 'THREADS'],
};

const MEANT = new Map(
  Object.entries(OTHER_NAMES).flatMap(([name, others]) => others.map((other) => [`ECT_${other}`, name])),
);

/** Returns the setting that other programs call `key`. */
export function meantByOtherName(key: string): string | undefined {
  return MEANT.get(key);
}
