// Redis under random faults, while callers offer the same tokens to several guards again and again: none is ever fresh twice.

import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { EctError } from '../../../src/errors.ts';
import { tokenUse } from '../../contracts/replay-guard.ts';
import { rounds } from '../../support/full.ts';
import { randomNumbers, SEED } from '../../support/random.ts';
import { describeWithRedis, type RedisServer, startRedis } from '../../support/redis.ts';
import { SOON } from '../../support/soon.ts';
import { openGuard } from './guards.ts';

const FAULTS = rounds(20, 3);
const CALLERS = 16;
/** There is one clock here, so a token is accepted that was issued two seconds after a loss, not half a minute. */
const MAX_FUTURE_SECONDS = -29;
/** Tokens that are offered again, the newest ones. */
const OFFERED_AGAIN = 400;

const seconds = () => Math.floor(Date.now() / 1000);

interface Token {
  readonly jti: string;
  readonly iat: number;
  accepted: number;
}

describeWithRedis('Redis', () => {
  test.each([
    ['without a file', {}],
    ['with an append-only file that is synced each second', { appendonly: 'yes', appendfsync: 'everysec' }],
  ])('L23, R2: %s, killed, frozen and emptied at random: no token is fresh twice', async (_, settings) => {
    const random = randomNumbers(SEED);
    const server = await startRedis(settings);
    const options = { maxFutureSeconds: MAX_FUTURE_SECONDS };
    const opened = await Promise.all([1, 2, 3].map(() => openGuard(server.target(), options)));
    const tokens: Token[] = [];
    let isOver = false;
    const offer = async () => {
      while (!isOver) {
        const isNew = tokens.length === 0 || random() < 0.2;
        const token = isNew ? issue(tokens) : tokens[tokens.length - 1 - Math.floor(random() * OFFERED_AGAIN)];
        if (token === undefined) continue;
        const { guard } = opened[Math.floor(random() * opened.length)]!;
        const { jti, iat } = token;
        const claim = await guard
          .claim(tokenUse({ jti, iat }), seconds() + 600, seconds())
          .catch((error: unknown) => error);
        if (claim === 'fresh') token.accepted++;
        else if (claim !== 'replayed') expect((claim as EctError).reason).toBe('REPLAY_GUARD_UNAVAILABLE');
        // Rejected at once, a caller would be alone in this process.
        if (claim instanceof EctError) await pause(5);
      }
    };
    const offering = Array.from({ length: CALLERS }, offer);
    for (let fault = 0; fault < FAULTS; fault++) {
      const before = accepted(tokens);
      await expect.poll(() => accepted(tokens), SOON).toBeGreaterThan(before + 20);
      // Each kind once, then any.
      await FAULT_KINDS[fault < FAULT_KINDS.length ? fault : Math.floor(random() * FAULT_KINDS.length)]!(server);
    }
    const before = accepted(tokens);
    await expect.poll(() => accepted(tokens), SOON).toBeGreaterThan(before + 20);
    isOver = true;
    await Promise.all(offering);
    expect(tokens.filter((token) => token.accepted > 1)).toEqual([]);
    await Promise.all(opened.map(({ guard }) => guard.close()));
    await server.stop();
  });
});

const FAULT_KINDS: readonly ((server: RedisServer) => Promise<unknown>)[] = [
  async (server) => {
    await server.crash();
    await server.restart();
  },
  async (server) => {
    server.signal('SIGSTOP');
    await pause(700);
    server.signal('SIGCONT');
  },
  (server) => server.command('FLUSHALL'),
];

function issue(tokens: Token[]): Token {
  const token = { jti: `task ${tokens.length}`, iat: seconds(), accepted: 0 };
  tokens.push(token);
  return token;
}

function accepted(tokens: readonly Token[]): number {
  return tokens.reduce((sum, token) => sum + token.accepted, 0);
}
