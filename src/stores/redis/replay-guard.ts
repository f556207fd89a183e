// A replay guard in Redis. Redis may lose acknowledged writes (it acknowledges before its replicas have them). So the guard knows since
// when its history is complete, and rejects tokens that are older.

import { hash } from 'node:crypto';
import type { Claim, ReplayGuard, TokenUse } from '../../authority/index.ts';
import { answeredBy, deadlineMs } from '../../concurrency/call-deadline.ts';
import { EctError, reject } from '../../errors.ts';
import { useKey } from '../expiring-keys.ts';
import { RedisAway, translated } from './failures.ts';
import type { RedisTimeouts } from './node.ts';
import { CLOCK_TOLERANCE_SECONDS, CLOCKS_DIFFER, NO_LABEL } from './scripts.ts';
import { RedisSession } from './session.ts';
import { type RedisWatch, SessionKeeper } from './session-keeper.ts';
import type { RedisTarget } from './target.ts';

export interface RedisGuardOptions {
  /** The trusted time, in seconds since the epoch. */
  readonly nowSeconds: () => number;
  /** How far `iat` of an accepted token may be in the future. */
  readonly maxFutureSeconds: number;
  /** Whether no token can have been used before the guard was opened, because the installation is new. */
  readonly isUnused: boolean;
  readonly watch: RedisWatch;
  readonly timeouts?: Partial<RedisTimeouts>;
}

const TIMEOUTS: RedisTimeouts = { connectMs: 2_000, answerMs: 1_500, examineMs: 1_000 };

/** A use is kept this much longer than needed: the clock of Redis may be behind this clock at first, and ahead of it later. */
const MARGIN_SECONDS = 2 * CLOCK_TOLERANCE_SECONDS;

const OUT_OF_TIME = 'Redis did not answer within the deadline of the call: the outcome is open.';

/** The results of CLAIM, as the port names them. */
const CLAIMS: Readonly<Record<string, Claim>> = {
  fresh: 'fresh',
  repeated: 'repeated',
  replayed: 'replayed',
  // Only the digest of the first token is stored.
  other: { firstSigningInput: '' },
};

/** Stores only digests: no token, name or request id. It is bounded by the memory of Redis; a use is removed when it has expired. */
export class RedisReplayGuard implements ReplayGuard {
  readonly #options: RedisGuardOptions;
  readonly #keeper: SessionKeeper;
  readonly #underWay = new Set<Promise<unknown>>();
  #isUnused: boolean;
  #isClosed = false;

  /**
   * Throws UnfitRedis if an operator must act first. If Redis is unavailable, the guard is opened anyway, and rejects until Redis is
   * available.
   */
  static async open(target: RedisTarget, options: RedisGuardOptions): Promise<RedisReplayGuard> {
    const guard = new RedisReplayGuard(target, options);
    await guard.#keeper.start();
    // From here on tokens may be used.
    guard.#isUnused = false;
    return guard;
  }

  private constructor(target: RedisTarget, options: RedisGuardOptions) {
    this.#options = options;
    this.#isUnused = options.isUnused;
    const timeouts = { ...TIMEOUTS, ...options.timeouts };
    this.#keeper = new SessionKeeper(() => {
      const start = { now: Math.floor(options.nowSeconds()), isUnused: this.#isUnused };
      return RedisSession.open(target, start, timeouts);
    }, options.watch);
  }

  /** Whether claims can be answered now. */
  isReady(): boolean {
    return !this.#isClosed && this.#keeper.isUp();
  }

  claim(use: TokenUse, keepUntil: number, now: number): Promise<Claim> {
    return this.#ask('claim', use, keepUntil, now);
  }

  look(use: TokenUse, now: number): Promise<Claim> {
    return this.#ask('look', use, now, now);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#underWay);
    await this.#keeper.close();
  }

  async #ask(mode: 'claim' | 'look', use: TokenUse, keepUntil: number, now: number): Promise<Claim> {
    if (this.#isClosed) throw unavailable('The replay guard is closed.');
    const { nowSeconds, maxFutureSeconds } = this.#options;
    const asked = this.#keeper.current().claim(useKey(use), {
      mode,
      digest: use.digest,
      label: use.requestId === '' ? NO_LABEL : hash('sha256', use.requestId, 'buffer'),
      keepUntil,
      now,
      clock: nowSeconds(),
      // It may have been used this long before `iat`: by a verifier that accepts a future `iat`, and whose clock is itself ahead of this
      // one.
      notBefore: use.iat - maxFutureSeconds - CLOCK_TOLERANCE_SECONDS,
      ttlMs: 1000 * (Math.max(0, Math.ceil(keepUntil - now)) + MARGIN_SECONDS),
    });
    this.#underWay.add(asked);
    const forget = () => void this.#underWay.delete(asked);
    asked.then(forget, forget);
    try {
      return this.#judge(await answeredBy(deadlineMs(), asked, () => new RedisAway(OUT_OF_TIME)));
    } catch (error) {
      throw translated(error);
    }
  }

  #judge(reply: string): Claim {
    const claim = CLAIMS[reply];
    if (claim !== undefined) return claim;
    if (reply === 'lost') throw unavailable('Redis has lost its data: the request is repeated.');
    if (reply === 'clock') throw unavailable(CLOCKS_DIFFER);
    const [, since] = /^forgotten (\d+)$/.exec(reply) ?? [];
    if (since === undefined) throw new TypeError('A script answers what it cannot answer.');
    throw this.#forgotten(Number(since));
  }

  #forgotten(since: number): EctError {
    const { nowSeconds, maxFutureSeconds } = this.#options;
    const until = since + maxFutureSeconds + CLOCK_TOLERANCE_SECONDS;
    const message =
      `Redis knows since ${isoTime(since)} which tokens were used: one that was issued before ${isoTime(until)} may have been used ` +
      'before that. Verify a token that is issued later.';
    const waitSeconds = Math.max(1, Math.ceil(until - nowSeconds()) + 1);
    return new EctError(reject('REPLAY_GUARD_UNAVAILABLE', message, { retry_after_seconds: `${waitSeconds}` }));
  }
}

function unavailable(message: string): EctError {
  return new EctError(reject('REPLAY_GUARD_UNAVAILABLE', message));
}

function isoTime(seconds: number): string {
  return new Date(1000 * seconds).toISOString().replace('.000Z', 'Z');
}
