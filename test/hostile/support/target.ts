// What a child process of an attack test gets: the address of the service, and how to reach it.

/** What one caller proves itself with. Without `cert` and `key` it proves nothing. */
export interface Credentials {
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
}

/** How a connection to the service is opened. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** Undefined: the service speaks cleartext. */
  readonly tls: Credentials | undefined;
  /** The local address of the connections. Attackers have another one than honest callers. */
  readonly from: string;
}

export type AttackOptions = Readonly<Record<string, string | number>>;

/** What the process of an attacker gets. */
export interface AttackOrder {
  /** The file in `test/hostile/attacks`, without `.ts`. */
  readonly attack: string;
  readonly options: AttackOptions;
  readonly target: Target;
  /** For what must be there before the attack: recorded tasks, for example. A legal caller. */
  readonly preparer: Target;
}
