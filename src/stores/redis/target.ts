// The address of Redis, and the credentials.

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

export interface RedisTarget {
  /** One server; any node of a cluster; or the name of a master that Sentinels monitor. */
  readonly place:
    | ({ readonly kind: 'server' | 'cluster' } & RedisAddress)
    | { readonly kind: 'sentinel'; readonly sentinels: readonly RedisAddress[]; readonly master: string };
  /** The number of the database. */
  readonly database: number;
  /** Undefined: the user `default`. */
  readonly user: string | undefined;
  /** Called for each connection, so that the password may change. It is a function, so that a printed target does not show it. */
  readonly password: () => Promise<string | undefined>;
  readonly sentinelPassword: () => Promise<string | undefined>;
  /** Certificates of servers are verified with this CA (PEM), or with those that Node.js trusts; undefined: no TLS. */
  readonly tls: { readonly ca: string | undefined } | undefined;
  /** The prefix of all keys, so that several services can share one Redis. */
  readonly prefix: string;
}
