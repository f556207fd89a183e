// The keys of JWT-SVIDs by trust domain, as received from the agent.

import type { WorkloadEndpoint } from '../config/workload-api.ts';
import type { JWTBundlesResponse } from '../gen/spiffe/workload_pb.ts';
import { type Agent, agentFault } from './agent.ts';
import { WorkloadApiFault } from './fault.ts';
import { KeptStream, type StreamEvents, type StreamTimes } from './kept-stream.ts';

export interface JwtBundlesPorts {
  readonly agent: Agent;
  readonly endpoint: WorkloadEndpoint;
  readonly events: StreamEvents;
  readonly times: StreamTimes;
}

export class JwtBundles {
  readonly #ports: JwtBundlesPorts;
  readonly #stream: KeptStream<JWTBundlesResponse>;
  /** Keyed by the SPIFFE ID of the trust domain; undefined before the first message. */
  #bundles: JWTBundlesResponse['bundles'] | undefined;
  /** Why the stream is down; undefined while it is up. */
  #down: string | undefined = 'the agent has not answered yet';
  #changed = Promise.withResolvers<void>();

  constructor(ports: JwtBundlesPorts) {
    this.#ports = ports;
    this.#stream = new KeptStream({
      open: (signal) => ports.agent.jwtBundles(signal),
      onMessage: (message) => this.#take(message),
      onDown: (error) => this.#fell(error),
      times: ports.times,
    });
  }

  /**
   * Returns the JWK Set of a trust domain; undefined if the agent names none. Throws WorkloadApiFault while the stream is down, so that
   * callers continue with the keys that they have. The first call opens the stream and waits for its first message.
   */
  async read(trustDomain: string): Promise<Uint8Array | undefined> {
    const isFirst = this.#bundles === undefined;
    const { promise } = this.#changed;
    this.#stream.start();
    if (isFirst) await promise;
    if (this.#down !== undefined) throw new WorkloadApiFault(this.#down);
    const id = `spiffe://${trustDomain}`;
    return this.#bundles !== undefined && Object.hasOwn(this.#bundles, id) ? this.#bundles[id] : undefined;
  }

  stop(): Promise<void> {
    this.#changed.resolve();
    return this.#stream.stop();
  }

  #take({ bundles }: JWTBundlesResponse): void {
    if (this.#down !== undefined) this.#ports.events.workloadApiUp('jwt');
    this.#down = undefined;
    this.#bundles = bundles;
    this.#notify();
  }

  #fell(error: unknown): void {
    const why = agentFault(this.#ports.endpoint, error);
    this.#ports.events.workloadApiDown('jwt', why, why !== this.#down);
    this.#down = why;
    this.#notify();
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
