// Where Redis is, and who asks.

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

export interface RedisTarget {
  /** One server; any node of a cluster; or the master of that name, which Sentinels know. */
  readonly place:
    | ({ readonly kind: 'server' | 'cluster' } & RedisAddress)
    | { readonly kind: 'sentinel'; readonly sentinels: readonly RedisAddress[]; readonly master: string };
  /** The number of the database. */
  readonly database: number;
  /** Undefined: the user `default`. */
  readonly user: string | undefined;
  /** Asked for each connection, so that it may change. It is behind a function, so that nothing that prints a target shows it. */
  readonly password: () => Promise<string | undefined>;
  readonly sentinelPassword: () => Promise<string | undefined>;
  /** Certificates of servers are verified, by this CA (PEM) or by those that Node.js trusts; undefined: without TLS. */
  readonly tls: { readonly ca: string | undefined } | undefined;
  /** What the names of all keys begin with: several services can share one Redis. */
  readonly prefix: string;
}
