// What every ReplayGuard must keep of its promises, whichever technology is beneath. Times are handed in.

import { hash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ReplayGuard, TokenUse } from '../../src/authority/replay-guard.ts';
import { rounds } from '../support/full.ts';

/** An adapter on storage of its own, with room for at least 2,000 uses. */
export interface ReplayGuardFixture {
  /** Opens the storage, again where it was open before. Without: the adapter keeps nothing and shares nothing. */
  readonly open?: () => Promise<ReplayGuard>;
  readonly guard: ReplayGuard;
  /** It keeps digests alone, so the signing input that was seen first comes back empty. */
  readonly keepsNoContent?: boolean;
  dispose(): Promise<void>;
}

const NOW = 1_772_000_000;
const END = NOW + 630;

/** A use, different from all others only in what is given. */
export function tokenUse(differs: Partial<TokenUse> & { readonly content?: string } = {}): TokenUse {
  const { content = 'signing input', ...names } = differs;
  return {
    audience: 'spiffe://example.com/b',
    iss: 'spiffe://example.com/a',
    wid: 'flow',
    jti: 'task',
    iat: NOW,
    digest: hash('sha256', content, 'buffer'),
    signingInput: content,
    requestId: '',
    ...names,
  };
}

export function replayGuardContract(name: string, makeFixture: () => Promise<ReplayGuardFixture>): void {
  describe(`${name} keeps the promises of ReplayGuard`, () => {
    let fixture: ReplayGuardFixture;
    let guard: ReplayGuard;

    beforeEach(async () => {
      fixture = await makeFixture();
      guard = fixture.guard;
    });
    afterEach(() => fixture.dispose());

    /** What an equivocation shows of the token that was seen first. */
    const first = (content: string) => ({ firstSigningInput: fixture.keepsNoContent === true ? '' : content });

    test('R1: a token is fresh once and replayed ever after', async () => {
      expect(await guard.claim(tokenUse(), END, NOW)).toBe('fresh');
      expect(await guard.claim(tokenUse(), END, NOW)).toBe('replayed');
      expect(await guard.claim(tokenUse(), END, NOW + 1)).toBe('replayed');
    });

    test('a caller may repeat its own call under the same request id', async () => {
      expect(await guard.claim(tokenUse({ requestId: 'call 1' }), END, NOW)).toBe('fresh');
      expect(await guard.claim(tokenUse({ requestId: 'call 1' }), END, NOW)).toBe('repeated');
      expect(await guard.claim(tokenUse({ requestId: 'call 2' }), END, NOW)).toBe('replayed');
      expect(await guard.claim(tokenUse({ requestId: '' }), END, NOW)).toBe('replayed');
      expect(await guard.claim(tokenUse({ requestId: 'call 1' }), END, NOW)).toBe('repeated');
    });

    test('an empty request id never makes a repetition', async () => {
      await guard.claim(tokenUse({ requestId: '' }), END, NOW);
      expect(await guard.claim(tokenUse({ requestId: '' }), END, NOW)).toBe('replayed');
      expect(await guard.claim(tokenUse({ requestId: 'call 1' }), END, NOW)).toBe('replayed');
    });

    test('R5: another signing input for the same task is an equivocation with the first, whatever the request id', async () => {
      await guard.claim(tokenUse({ requestId: 'call 1' }), END, NOW);
      for (const [requestId, content] of [
        ['call 1', 'other'],
        ['call 2', 'third'],
        ['', 'fourth'],
      ] as const) {
        const claim = await guard.claim(tokenUse({ content, requestId }), END, NOW);
        expect(claim).toEqual(first('signing input'));
      }
      expect(await guard.claim(tokenUse({ requestId: 'call 1' }), END, NOW)).toBe('repeated');
    });

    test('R4: the scope is the audience, the issuer, the workflow and the task, each of its own', async () => {
      const uses = [
        tokenUse(),
        tokenUse({ audience: 'spiffe://example.com/c' }),
        tokenUse({ iss: 'spiffe://example.com/z' }),
        tokenUse({ wid: '' }),
        tokenUse({ jti: 'another task' }),
      ];
      for (const use of uses) expect(await guard.claim(use, END, NOW)).toBe('fresh');
      for (const use of uses) expect(await guard.claim(use, END, NOW)).toBe('replayed');
    });

    test('no choice of characters makes two scopes one', async () => {
      const names: readonly (readonly [string, string, string, string])[] = [
        ['a', 'b', 'c', 'd'],
        ['ab', '', 'c', 'd'],
        ['a', 'bc', '', 'd'],
        ['a,b', 'c', 'd', ''],
        ['a', 'b,c', 'd', ''],
        ['a","b', 'c', 'd', ''],
        ['a\u0000b', 'c', 'd', ''],
        ['a', '\u0000b', 'c', 'd'],
        ['', '', '', ''],
        ['\ud800', '', '', ''],
        ['\ud801', '', '', ''],
        ['\ufffd', '', '', ''],
      ];
      for (const [audience, iss, wid, jti] of names) {
        expect(await guard.claim(tokenUse({ audience, iss, wid, jti }), END, NOW)).toBe('fresh');
      }
    });

    test('R2: of 1,000 claims at once exactly one is fresh', async () => {
      const claims = await Promise.all(Array.from({ length: 1_000 }, () => guard.claim(tokenUse(), END, NOW)));
      expect(claims.filter((claim) => claim === 'fresh')).toHaveLength(1);
      expect(claims.filter((claim) => claim === 'replayed')).toHaveLength(999);
    });

    test('R2: of 1,000 different tokens of one task at once one is fresh and all others are equivocations', async () => {
      const claims = await Promise.all(
        Array.from({ length: 1_000 }, (_, n) => guard.claim(tokenUse({ content: `${n}` }), END, NOW)),
      );
      expect(claims.filter((claim) => claim === 'fresh')).toHaveLength(1);
      const shown = first(`${claims.indexOf('fresh')}`);
      expect(claims.filter((claim) => claim !== 'fresh')).toEqual(Array.from({ length: 999 }, () => shown));
    });

    test('1,000 claims of different tasks at once are all fresh', async () => {
      const claims = await Promise.all(
        Array.from({ length: 1_000 }, (_, n) => guard.claim(tokenUse({ jti: `${n}` }), END, NOW)),
      );
      expect(new Set(claims)).toEqual(new Set(['fresh']));
    });

    test('R1: looking answers what a claim would answer, and remembers nothing', async () => {
      for (let look = 0; look < 3; look++) expect(await guard.look(tokenUse(), NOW)).toBe('fresh');
      expect(await guard.claim(tokenUse({ requestId: 'call 1' }), END, NOW)).toBe('fresh');
      expect(await guard.look(tokenUse(), NOW)).toBe('replayed');
      expect(await guard.look(tokenUse({ requestId: 'call 1' }), END)).toBe('repeated');
      expect(await guard.look(tokenUse({ content: 'other' }), NOW)).toEqual(first('signing input'));
      expect(await guard.look(tokenUse({ content: 'other' }), END + 1)).toBe('fresh');
      expect(await guard.claim(tokenUse({ requestId: 'call 1' }), END, NOW)).toBe('repeated');
    });

    test('R5: the longest signing input and every character come back as they were', async () => {
      const content = `${'é😀\u0000"'.repeat(10)}${'x'.repeat(16_384)}`;
      await guard.claim(tokenUse({ content }), END, NOW);
      expect(await guard.claim(tokenUse(), END, NOW)).toEqual(first(content));
    });

    test('R8: a use counts up to and including the last second of its time, and is forgotten after it', async () => {
      await guard.claim(tokenUse(), END, NOW);
      expect(await guard.claim(tokenUse(), END, END)).toBe('replayed');
      expect(await guard.claim(tokenUse({ content: 'other' }), END + 9, END + 1)).toBe('fresh');
      expect(await guard.claim(tokenUse({ content: 'other' }), END + 9, END + 9)).toBe('replayed');
      expect(await guard.claim(tokenUse({ content: 'other' }), END + 99, END + 10)).toBe('fresh');
    });

    test('claims at the same time on both sides of the end are each judged by their own time', async () => {
      await guard.claim(tokenUse(), END, NOW);
      const [early, late] = await Promise.all([
        guard.claim(tokenUse(), END, END),
        guard.claim(tokenUse(), END + 600, END + 1),
      ]);
      expect([early, late]).toEqual(['replayed', 'fresh']);
    });

    test('forgetting what is over never touches what still counts', async () => {
      // More than one claim removes of what is over.
      const uses = rounds(300, 60);
      for (let n = 0; n < uses; n++) await guard.claim(tokenUse({ jti: `over ${n}` }), NOW + (n % 7), NOW);
      for (let n = 0; n < uses; n++) await guard.claim(tokenUse({ jti: `live ${n}` }), END + n, NOW);
      for (let n = 0; n < uses; n++) await guard.claim(tokenUse({ jti: `later ${n}` }), END + 999, END);
      for (let n = 0; n < uses; n++) {
        expect(await guard.claim(tokenUse({ jti: `live ${n}` }), END + n, END)).toBe('replayed');
        expect(await guard.claim(tokenUse({ jti: `over ${n}` }), END, END)).toBe('fresh');
      }
    });

    test('a closed guard rejects with REPLAY_GUARD_UNAVAILABLE, and may be closed again', async () => {
      await guard.close();
      await guard.close();
      await expect(guard.claim(tokenUse(), END, NOW)).rejects.toMatchObject({ reason: 'REPLAY_GUARD_UNAVAILABLE' });
      await expect(guard.look(tokenUse(), NOW)).rejects.toMatchObject({ reason: 'REPLAY_GUARD_UNAVAILABLE' });
    });

    test('closing answers the claims that are under way', async () => {
      const claim = guard.claim(tokenUse(), END, NOW);
      await guard.close();
      expect(await claim).toBe('fresh');
    });

    test('R8: a use is still used after a restart, until its time is over', async (context) => {
      const { open } = fixture;
      if (open === undefined) return context.skip('the adapter is not durable');
      await guard.claim(tokenUse({ requestId: 'call 1' }), END, NOW);
      await guard.close();
      const reopened = await open();
      expect(await reopened.claim(tokenUse(), END, END)).toBe('replayed');
      expect(await reopened.claim(tokenUse({ requestId: 'call 1' }), END, END)).toBe('repeated');
      expect(await reopened.claim(tokenUse({ content: 'other' }), END, END)).toEqual(first('signing input'));
      expect(await reopened.claim(tokenUse(), END + 600, END + 1)).toBe('fresh');
      await reopened.close();
    });

    test('R2: through two guards on the same storage each token is fresh exactly once', async (context) => {
      const { open } = fixture;
      if (open === undefined) return context.skip('the adapter is not shared');
      const other = await open();
      const claims = await Promise.all(
        Array.from({ length: 1_000 }, (_, n) =>
          (n % 2 === 0 ? guard : other).claim(tokenUse({ jti: `${Math.floor(n / 4)}` }), END, NOW),
        ),
      );
      expect(claims.filter((claim) => claim === 'fresh')).toHaveLength(250);
      expect(claims.filter((claim) => claim === 'replayed')).toHaveLength(750);
      await other.close();
    });
  });
}
