// The identity of the service from a Workload API agent. A stream delivers and replaces it. It is kept while the agent is unavailable,
// and dropped when it expires or the agent revokes it.

import type { WorkloadApiConfig } from '../config/workload-api.ts';
import { type Agent, agentAt, agentFault, isDenial, isFinal, PING_TIMES, type PingTimes } from './agent.ts';
import { WorkloadApiFault } from './fault.ts';
import { JwtBundles } from './jwt-bundles.ts';
import { KeptStream, STREAM_TIMES, type StreamEvents, type StreamName, type StreamTimes } from './kept-stream.ts';
import { type Identity, readUpdate } from './read-update.ts';

/** Called for events of the agent. */
export interface WorkloadApiEvents extends StreamEvents {
  /** A message is invalid: the previous state stays in use. */
  workloadApiRejected(stream: StreamName, why: string): void;
  /** This is the identity of the service from now on. */
  svidInForce(
    identity: Pick<Identity, 'spiffeId' | 'notAfterMs' | 'problems'> & { trustDomains: readonly string[] },
  ): void;
  /** The service has no identity any more: it expired or was revoked. */
  svidLost(why: string): void;
}

export interface WorkloadApiTimes extends StreamTimes, PingTimes {
  /** How long a start waits for the first identity, in milliseconds. */
  readonly startMs: number;
  /** How long an agent may report no identity before the current one is dropped, because the agent may just have started. */
  readonly denialMs: number;
  /** The interval at which expiry is checked, in milliseconds. */
  readonly lookMs: number;
}

export interface WorkloadApiPorts {
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  readonly events: WorkloadApiEvents;
  readonly times?: Partial<WorkloadApiTimes>;
}

const TIMES: WorkloadApiTimes = { ...STREAM_TIMES, ...PING_TIMES, startMs: 15_000, denialMs: 30_000, lookMs: 1_000 };
/** The minimum time between two streams that are opened because nothing was received for too long. */
const RENEW_MS = 60_000;

/** Called with each new identity; undefined: there is none. */
export type OnIdentity = (identity: Identity | undefined) => void;

export class WorkloadApi {
  readonly #config: WorkloadApiConfig;
  readonly #ports: WorkloadApiPorts;
  readonly #times: WorkloadApiTimes;
  readonly #agent: Agent;
  readonly #x509: KeptStream<Parameters<typeof readUpdate>[0]>;
  readonly #jwt: JwtBundles;
  readonly #first = Promise.withResolvers<void>();
  #identity: Identity | undefined;
  #onIdentity: OnIdentity = () => undefined;
  /** Why the stream is down; undefined while it is up. */
  #down: string | undefined = 'it has not answered';
  #rejected: string | undefined;
  #deniedSinceMs: number | undefined;
  /** Whether the start waits for the first identity without a limit. */
  #isPatient = false;
  #renewedMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(config: WorkloadApiConfig, ports: WorkloadApiPorts) {
    this.#config = config;
    this.#ports = ports;
    this.#times = { ...TIMES, ...ports.times };
    this.#agent = agentAt(config.endpoint, this.#times);
    this.#x509 = new KeptStream({
      open: (signal) => this.#agent.x509(signal),
      onMessage: (message) => this.#take(message),
      onDown: (error) => this.#fell(error),
      times: this.#times,
    });
    const { events } = ports;
    this.#jwt = new JwtBundles({ agent: this.#agent, endpoint: config.endpoint, events, times: this.#times });
    // A waiting caller gets the error. Without one it must not become an unhandled rejection.
    this.#first.promise.catch(() => undefined);
  }

  /** Opens the stream and waits for the first identity, for `startMs` or without a limit. Throws WorkloadApiFault if none arrives. */
  async start(wait: 'briefly' | 'as long as it takes' = 'briefly'): Promise<void> {
    this.#isPatient = wait !== 'briefly';
    this.#timer = setInterval(() => this.look(), this.#times.lookMs).unref();
    this.#x509.start();
    const timer = this.#isPatient
      ? undefined
      : setTimeout(() => this.#first.reject(this.#noIdentity()), this.#times.startMs);
    try {
      await this.#first.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The current identity; undefined if there is none. */
  get identity(): Identity | undefined {
    return this.#identity;
  }

  /** Calls `onIdentity` for each further identity. */
  follow(onIdentity: OnIdentity): void {
    this.#onIdentity = onIdentity;
  }

  /** The keys of JWT-SVIDs. Their stream is opened by the first read. */
  get jwtBundles(): JwtBundles {
    return this.#jwt;
  }

  /** Drops an expired identity, and reopens the stream if a renewal is overdue, because an agent may hang. */
  look(): void {
    const identity = this.#identity;
    if (identity === undefined) return;
    const nowMs = this.#ports.nowMs();
    if (nowMs > identity.notAfterMs) {
      this.#lose(
        `the X.509-SVID expired at ${new Date(identity.notAfterMs).toISOString()}, and the agent gave no other`,
      );
      return;
    }
    // An agent renews an identity after half of its lifetime or earlier (SPIRE).
    const overdueMs = identity.notAfterMs - (identity.notAfterMs - identity.notBeforeMs) / 6;
    if (nowMs < overdueMs || this.#down !== undefined || performance.now() - this.#renewedMs < RENEW_MS) return;
    this.#renewedMs = performance.now();
    this.#x509.renew();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([this.#x509.stop(), this.#jwt.stop()]);
  }

  #take(message: Parameters<typeof readUpdate>[0]): void {
    const { events, nowMs } = this.#ports;
    if (this.#down !== undefined) events.workloadApiUp('x509');
    this.#down = undefined;
    let next: Identity;
    try {
      next = readUpdate(message, this.#config, nowMs());
    } catch (error) {
      if (!(error instanceof WorkloadApiFault)) throw error;
      this.#rejected = error.message;
      events.workloadApiRejected('x509', error.message);
      return;
    }
    this.#rejected = undefined;
    this.#deniedSinceMs = undefined;
    const isSame = this.#identity !== undefined && nameOf(this.#identity) === nameOf(next);
    this.#identity = next;
    this.#first.resolve();
    if (isSame) return;
    this.#onIdentity(next);
    // Not all members, because events must not contain the key.
    const { spiffeId, notAfterMs, problems, texts } = next;
    events.svidInForce({ spiffeId, notAfterMs, problems, trustDomains: [...texts.bundles.keys()] });
  }

  #fell(error: unknown): void {
    const why = agentFault(this.#config.endpoint, error);
    const isNews = why !== this.#down;
    this.#down = why;
    this.#ports.events.workloadApiDown('x509', why, isNews);
    if (isFinal(error) && !this.#isPatient) this.#first.reject(this.#noIdentity());
    if (!isDenial(error)) return;
    this.#deniedSinceMs ??= performance.now();
    const isLong = performance.now() - this.#deniedSinceMs >= this.#times.denialMs;
    if (isLong && this.#identity !== undefined) this.#lose('the agent has taken it back');
  }

  #lose(why: string): void {
    this.#identity = undefined;
    this.#onIdentity(undefined);
    this.#ports.events.svidLost(why);
  }

  #noIdentity(): WorkloadApiFault {
    const why = this.#rejected ?? this.#down ?? 'it has sent nothing';
    return new WorkloadApiFault(`The SPIFFE Workload API at ${this.#config.address} has given no X.509-SVID: ${why}.`);
  }
}

/** Returns a text that is equal for identities without a difference. */
function nameOf({ texts: { cert, clientCa, bundles }, problems }: Identity): string {
  return JSON.stringify([cert, clientCa, [...bundles], problems]);
}
