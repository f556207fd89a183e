// `ect serve`: runs the service. What it does is handed in by the process, which alone composes the service.

import { Command } from 'commander';
import { withHelp } from './help.ts';

const SETTINGS: readonly (readonly [key: string, meaning: string])[] = [
  ['ECT_LISTEN', 'host:port, port 0 for any free one (default 127.0.0.1:8080)'],
  ['ECT_DATA_DIR', 'where keys and the ledger are kept (default ./data)'],
  ['ECT_WORKERS', 'processes behind the port: 1 (default), a number, or auto for one a core'],
  ['ECT_STORE', 'sqlite (default), postgres, which replicas share, or memory, which forgets'],
  ['ECT_POSTGRES_URL', 'postgres: postgres://user@host:port,host:port/database; a secret where it has a password'],
  ['ECT_POSTGRES_PASSWORD_FILE', 'postgres: file with the password, read for each connection'],
  ['ECT_POSTGRES_CA_FILE', 'postgres: PEM, the CA of the server (default: those that Node.js trusts)'],
  ['ECT_POSTGRES_POOL', 'postgres: connections of one process, from 2 to 200 (default 8)'],
  ['ECT_REPLAY', 'uses of tokens: store (default), postgres (the same, said aloud), redis, or off'],
  ['ECT_REDIS_URL', 'redis: redis[s]://user@host:port/number; a secret where it has a password'],
  ['ECT_REDIS_PASSWORD_FILE', 'redis: file with the password, read for each connection'],
  ['ECT_REDIS_CA_FILE', 'redis: PEM, the CA of the server (default: those that Node.js trusts)'],
  ['ECT_REDIS_SENTINELS', 'redis: host:port with commas; the host in the URL is then the name of the master'],
  ['ECT_REDIS_SENTINEL_PASSWORD_FILE', 'redis: file with the password of the Sentinels'],
  ['ECT_REDIS_CLUSTER', 'redis: yes: the URL leads to a node of a cluster (default no)'],
  ['ECT_REDIS_PREFIX', 'redis: what names of keys begin with (default ect); one for each service'],
  ['ECT_LEDGER_KEY_FILE', 'postgres: the key of the ledger, which all replicas have'],
  ['ECT_ISSUER', 'issuer of the service and of anonymous callers (default urn:ect:dev)'],
  ['ECT_SIGNER', 'local (default) or kms: where tokens are signed'],
  ['ECT_LOCAL_KEY_FILE', 'P-256 key, PEM or JWK (default: made in the data directory)'],
  ['ECT_LOCAL_KEY_PASSPHRASE_FILE', 'file with its passphrase, if it is encrypted'],
  ['ECT_LOCAL_KEY_PASSPHRASE', 'the passphrase itself: others may see the environment'],
  ['ECT_KMS_KEY', 'AWS KMS: key id, alias/name or ARN of a P-256 signing key'],
  ['ECT_KMS_REGION', 'AWS KMS: region, or a list in order of preference (default: of the ARN)'],
  ['ECT_KMS_ENDPOINT', 'AWS KMS: URL of an emulator or a private endpoint'],
  ['ECT_KMS_REQUESTS_PER_SECOND', 'AWS KMS: share of the quota of a region for this process (default 1000)'],
  ['ECT_KMS_CONCURRENCY', 'AWS KMS: signatures under way at once (default 100)'],
  ['ECT_KEY_ROTATION_HOURS', 'age at which the service replaces its own key (default 0: never)'],
  ['ECT_JWKS_MAX_AGE_SEC', 'how long anybody may keep the key set (default 300)'],
  ['ECT_KEYS_REFRESH_SEC', 'how often the ledger is asked for changes of keys (default 1)'],
  ['ECT_SIGNING', 'direct (default), or two-tier: short-lived keys that the key certifies'],
  ['ECT_DELEGATED_KEY_HOURS', 'two-tier: how long such a key lives (default 1)'],
  ['ECT_DIRECT_ACTS', 'two-tier: exec_act that are signed directly all the same (default none)'],
  ['ECT_DIRECT_ISSUERS', 'two-tier: issuers whose tokens are signed directly (default none)'],
  ['ECT_PUBLIC_URL', 'under which the world reaches the service (default: where it listens)'],
  ['ECT_TLS_CERT', 'PEM: certificate of the service, with ECT_TLS_KEY'],
  ['ECT_TLS_KEY', 'PEM: its key'],
  ['ECT_TLS_CLIENT_CA', 'PEM: callers must present a certificate of this CA'],
  ['ECT_ALLOW_ANONYMOUS', 'yes: serve anybody beyond loopback without certificates'],
  ['ECT_ADMINS', 'SPIFFE IDs of administrators; anonymous: every caller, on loopback (default none)'],
  ['ECT_ALLOWED_ORIGINS', 'web pages that may call, with commas: https://console.example.org (default none)'],
  ['ECT_ALLOWED_HOSTS', 'without client certificates: names of the service beside localhost; *: any'],
  ['ECT_PREDECESSOR_POLICY', 'on (default), or off: what was not approved may be followed by any task'],
  ['ECT_REVIEW_ACTIONS', 'exec_act that count as a human review (default human_review)'],
  ['ECT_LEDGER_AUDIENCE', 'record only tokens whose aud has this entry (default: any)'],
  ['ECT_LEDGER_SCRUB_PER_SEC', 'entries that are read again and examined each second (default 200; 0: none)'],
  ['ECT_DRAFTS', 'drafts that are read (default 00,01)'],
  ['ECT_ALGORITHMS', 'verified algorithms: ES256 (default), also ES384, EdDSA, Ed25519, PS256'],
  ['ECT_TRUST_FILE', 'JSON: foreign issuers and their keys (default none)'],
  ['ECT_UUIDS', 'strict (default), or off: ids may be any printable text'],
  ['ECT_DEFAULT_EXPIRY_MIN', 'lifetime of a token without ttl (default 10)'],
  ['ECT_IAT_MAX_AGE_MINUTES', 'oldest iat that is accepted (default 15)'],
  ['ECT_IAT_MAX_FUTURE_SEC', 'how far iat may be ahead (default 30)'],
  ['ECT_MINIMUM_LEVEL', 'the least level that Verify takes: L1, L2 (default) or L3'],
  ['ECT_MINIMUM_LEVELS', 'other minima by exec_act: execute_trade=L3,ping=L1'],
  ['ECT_JTI_REPLAY_CACHE_SIZE', 'unset: durable replay guard; 0: none; n: n tokens in memory'],
  ['ECT_JTI_REPLAY_TTL_MIN', 'how long a use is remembered at least (default 60)'],
  ['ECT_MAX_CONNECTIONS', 'connections of one process (default 2048)'],
  ['ECT_MAX_CONNECTIONS_PER_ADDRESS', 'of one address, or IPv6 /64 (default: half of all)'],
  ['ECT_MAX_STREAMS', 'streams that stay open (health watches, reflection) of one process (default 512)'],
  ['ECT_MAX_HELD_MIB', 'memory for unfinished requests and unread answers of one process (default 96)'],
  ['ECT_REQUEST_TIMEOUT_SEC', 'how long a request may take to arrive (default 15)'],
  ['ECT_ANSWER_TIMEOUT_SEC', 'how long a client may take to read an answer (default 30)'],
  ['ECT_IDLE_TIMEOUT_SEC', 'how long a connection may be without a call (default 600)'],
  ['ECT_CALLER_WRITE_MIB_PER_HOUR', 'what a caller may have written (default 4096; 0: anything)'],
  ['ECT_MIN_FREE_DISK_MIB', 'free space below which callers write nothing (default 512, or a tenth of the disk)'],
  ['ECT_HTTP2', 'engine (default), or node: HTTP/2 by Node itself, slower'],
  ['ECT_LOG_LEVEL', 'debug, info (default), warn, error or silent'],
];

export function serveCommand(serve: () => Promise<void>): Command {
  const command = new Command('serve').description('run the service until SIGTERM or SIGINT');
  const width = Math.max(...SETTINGS.map(([key]) => key.length));
  const settings = SETTINGS.map(([key, meaning]) => `  ${key.padEnd(width)}  ${meaning}`);
  command.addHelpText('after', ['', 'Settings (environment):', ...settings].join('\n'));
  withHelp(command, {
    examples: ['ect serve', 'ECT_LISTEN=127.0.0.1:0 ECT_DATA_DIR=/var/lib/ect ect serve'],
    refused: 'the service could not start',
    wrong: 'the command was called wrongly, or a setting is wrong: every mistake is listed',
  });
  return command.action(serve);
}
