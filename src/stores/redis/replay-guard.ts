// A replay guard in Redis. It is not the last fence (Redis answers before its replicas have what it answered), so it knows since when
// its history is whole, and rejects to judge a token that is older than that.

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
  /** The time that is trusted, in seconds since the epoch. */
  readonly nowSeconds: () => number;
  /** How far `iat` of a token that is accepted may be ahead. */
  readonly maxFutureSeconds: number;
  /** Whether no token can have been used before the guard is opened: the installation is new. */
  readonly isUnused: boolean;
  readonly watch: RedisWatch;
  readonly timeouts?: Partial<RedisTimeouts>;
}

const TIMEOUTS: RedisTimeouts = { connectMs: 2_000, answerMs: 1_500, examineMs: 1_000 };

/** A use is kept that much longer than it counts: the clock of Redis may be behind ours when it begins, and ahead when it ends. */
const MARGIN_SECONDS = 2 * CLOCK_TOLERANCE_SECONDS;

const OUT_OF_TIME = 'Redis did not answer within the deadline of the call: the outcome is open.';

/** What CLAIM answers, as the port says it. */
const CLAIMS: Readonly<Record<string, Claim>> = {
  fresh: 'fresh',
  repeated: 'repeated',
  replayed: 'replayed',
  // The token that was seen first is not kept, only its digest.
  other: { firstSigningInput: '' },
};

/** Keeps digests alone: no token, name or request id. Bounded by the memory of Redis; a use goes when its time is over. */
export class RedisReplayGuard implements ReplayGuard {
  readonly #options: RedisGuardOptions;
  readonly #keeper: SessionKeeper;
  readonly #underWay = new Set<Promise<unknown>>();
  #isUnused: boolean;
  #isClosed = false;

  /** UnfitRedis where an operator must act first. Where Redis is away the guard is opened all the same, and rejects until it is back. */
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

  /** Whether claims are answered now. */
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
      // It may have been used that long before `iat`: by a verifier that accepts `iat` ahead of its clock, itself ahead of ours.
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
