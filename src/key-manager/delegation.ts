// The second tier: a delegated key in the memory of this process, certified by the root key. It is renewed before it expires;
// while a renewal fails it is used until it expires.

import type { OpenSigner, Signer } from '../keys/index.ts';
import { certify } from './certificate.ts';
import { Elapsed } from './elapsed.ts';
import type { KeyHistory } from './key-history.ts';
import type { KeyLog } from './key-log.ts';
import { endOf, leadMsOf } from './key-states.ts';
import { type KeyManagerPolicy, type KeyManagerPorts, leadOf } from './ports.ts';

/** The longest wait for a root key that does not respond. */
const CERTIFY_MS = 10_000;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

/** The current signing key, and its last millisecond. */
interface InForce {
  readonly signer: OpenSigner;
  readonly endsAtMs: number;
  /** Monotonic time. */
  readonly renewAtMs: number;
}

export class Delegation {
  readonly #ports: KeyManagerPorts;
  readonly #policy: KeyManagerPolicy;
  readonly #lifeMs: number;
  readonly #log: KeyLog;
  readonly #history: KeyHistory;
  /** Whether it is the first key: no verifier has cached a key set without it. */
  #isFirst: boolean;
  #inForce: InForce | undefined;
  /** The announced key that is not active yet. */
  #coming: OpenSigner | undefined;
  /** The certifying root key, as last read. */
  #root: Signer | undefined;
  #failures = 0;
  /** Monotonic time. */
  #retryAtMs = 0;
  readonly #elapsed: Elapsed;

  constructor(
    ports: KeyManagerPorts,
    policy: KeyManagerPolicy & { readonly delegatedLifeMs: number },
    log: KeyLog,
    history: KeyHistory,
    isFirst: boolean,
  ) {
    this.#ports = ports;
    this.#policy = policy;
    this.#lifeMs = policy.delegatedLifeMs;
    this.#log = log;
    this.#history = history;
    this.#isFirst = isFirst;
    this.#elapsed = new Elapsed(() => ports.clock.steadyMs());
  }

  /** The active key, if there is one. */
  get inForce(): { readonly signer: OpenSigner; readonly endsAtMs: number } | undefined {
    return this.#inForce;
  }

  /** Whether the root key signs meanwhile: the delegated key is not active yet, or was never created in this process. */
  get isComing(): boolean {
    return this.#coming !== undefined || (this.#inForce === undefined && this.#failures === 0);
  }

  /** Performs the steps that are due. If the root key does not respond, the event is reported and the step is tried again later. */
  async tend(root: Signer | undefined): Promise<void> {
    if (root !== this.#root) {
      // A failure of another root key does not concern this one.
      this.#root = root;
      this.#failures = 0;
      this.#retryAtMs = 0;
    }
    this.#dropWhatEnded();
    await this.#takeOver();
    const steadyMs = this.#ports.clock.steadyMs();
    const isDue = this.#coming === undefined && (this.#inForce === undefined || steadyMs >= this.#inForce.renewAtMs);
    if (root === undefined || !isDue || steadyMs < this.#retryAtMs) return;
    try {
      await this.#renew(root);
      this.#failures = 0;
    } catch (cause) {
      const limit = Math.min(FIRST_RETRY_MS * 2 ** this.#failures++, LAST_RETRY_MS);
      this.#retryAtMs = steadyMs + limit * (0.5 + 0.5 * Math.random());
      this.#ports.events.keysFailed(cause);
      return;
    }
    await this.#takeOver();
  }

  /** Records that the active key no longer signs. */
  async end(): Promise<void> {
    const { signer } = this.#inForce ?? {};
    this.#inForce = undefined;
    if (signer !== undefined) await this.#record('retired', signer);
  }

  #dropWhatEnded(): void {
    const isOver = (signer: OpenSigner) => {
      const key = this.#history.get(signer.jwk.kid);
      const isUsable = key?.state === 'announced' || key?.state === 'active';
      return !isUsable || (endOf(key) ?? 0) <= this.#ports.clock.nowMs();
    };
    if (this.#coming !== undefined && isOver(this.#coming)) this.#coming = undefined;
    if (this.#inForce !== undefined && isOver(this.#inForce.signer)) this.#inForce = undefined;
  }

  async #renew(root: Signer): Promise<void> {
    const signer = await this.#ports.makeDelegated();
    const nowMs = this.#ports.clock.nowMs();
    const leadMs = this.#isFirst ? 0 : leadOf(this.#policy);
    const nbf = Math.floor(nowMs / 1000);
    const exp = Math.floor((nowMs + leadMs + this.#lifeMs) / 1000);
    const claims = { jwk: signer.jwk, iss: this.#policy.issuer, nbf, exp };
    const certificate = await certify(root, claims, { signal: AbortSignal.timeout(CERTIFY_MS) });
    await this.#record('announced', signer, { certificate, lead_ms: leadMs });
    if (this.#history.get(signer.jwk.kid) === undefined) throw new Error('the certified key was not accepted');
    this.#isFirst = false;
    this.#coming = signer;
  }

  /** Activates the announced key when it is due: the ledger records it first. */
  async #takeOver(): Promise<void> {
    const signer = this.#coming;
    const key = signer && this.#history.get(signer.jwk.kid);
    if (signer === undefined || key === undefined) return;
    const { clock } = this.#ports;
    const waitedMs = this.#elapsed.since(key.kid, key.announcedAtMs, clock.earliestMs());
    if (waitedMs < leadMsOf(key)) return;
    await this.#record('active', signer, { waited_ms: Math.floor(waitedMs) });
    if (this.#history.get(key.kid)?.state !== 'active') return;
    this.#elapsed.forget(key.kid);
    const before = this.#inForce?.signer;
    const endsAtMs = endOf(key) ?? 0;
    // Random, so that processes that started together do not renew together.
    const leftMs = this.#lifeMs * (0.4 - 0.07 * Math.random());
    this.#inForce = { signer, endsAtMs, renewAtMs: clock.steadyMs() + endsAtMs - clock.nowMs() - leftMs };
    this.#coming = undefined;
    if (before !== undefined) await this.#record('retired', before);
  }

  #record(state: 'announced' | 'active' | 'retired', { jwk }: OpenSigner, extra: object = {}): Promise<boolean> {
    return this.#log.record({ state, jwk, locator: 'memory:process', note: '', by: 'service', ...extra });
  }
}

/** Retires delegated keys with expired certificates, whose process has ended without doing so. */
export async function retireEnded(log: KeyLog, history: KeyHistory, endedBeforeMs: number): Promise<void> {
  for (const { state, certificate, jwk, locator = '' } of history.all()) {
    if (certificate === undefined || (state !== 'announced' && state !== 'active')) continue;
    if (certificate.says.exp * 1000 > endedBeforeMs) continue;
    await log.record({ state: 'retired', jwk, locator, by: 'service', note: 'its certificate has ended' });
  }
}
