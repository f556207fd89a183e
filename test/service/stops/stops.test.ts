// L29: a service that is ended at random moments. ECT_TEST_SEED names where the moments begin, STOPS_ROUNDS how many
// rounds each signal has: `npm run test:stops` makes 200, which take most of an hour.

import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { FULL, rounds } from '../../support/full.ts';
import { randomNumbers, SEED } from '../../support/random.ts';
import { enlargeWriteAheadFile } from './large-files.ts';
import { Life, planOf } from './life.ts';
import { Run } from './run.ts';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGKILL'] as const;
const STARTED = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** Two of each signal go through all moments. */
const ROUNDS = Number(process.env['STOPS_ROUNDS'] ?? rounds(8, 2));

test.runIf(process.platform === 'linux').each(SIGNALS)(
  'L17 L29 %s at random moments: it ends in time with 0, callers know what became of their calls, and nothing is lost',
  async (signal) => {
    using life = new Life();
    const first = 2 * SIGNALS.indexOf(signal);
    const random = randomNumbers(SEED + first);
    const stops: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const plan = planOf(signal, first + round, random);
      const { faults, stopMs } = await life.round(plan);
      expect(faults, `round ${round} of seed ${SEED}: ${JSON.stringify(plan)}`).toEqual([]);
      if (stopMs !== undefined) stops.push(stopMs);
    }
    stops.sort((a, b) => a - b);
    const at = (share: number) => Math.round(stops[Math.floor(share * (stops.length - 1))] ?? 0);
    if (FULL)
      console.info(`${signal}, seed ${SEED}: ${stops.length} stops, ms: ${at(0.5)} median, ${at(0.99)} p99, ${at(1)}`);
  },
  3_600_000,
);

describe.runIf(process.platform === 'linux').each(['1', '2'])(
  'a start of %s worker(s), over a large write-ahead file',
  (workers) => {
    /** Starts over what a run before has left, as soon as it owns the directory. */
    async function startAgain(work: (start: (listen?: string) => Run) => Promise<void>): Promise<void> {
      const folder = await mkdtemp(join(tmpdir(), 'ect-starts-'));
      const start = (listen = '127.0.0.1:0') =>
        new Run('node', folder, { ECT_LISTEN: listen, ECT_WORKERS: workers, ECT_LOG_LEVEL: 'warn' });
      {
        await using first = start();
        await first.listening();
        first.signal('SIGTERM', 'process');
        expect((await first.end()).how).toBe(0);
      }
      enlargeWriteAheadFile(join(folder, 'ledger.db'), 5_000);
      await work(start);
      await rm(folder, { recursive: true });
    }

    test('L29 a signal to stop before it listens ends it with 0; SIGHUP does not end it', () =>
      startAgain(async (start) => {
        for (const signal of FULL || workers === '1' ? STARTED : STARTED.slice(0, 1)) {
          await using run = start();
          while (!(await run.hasOwned())) await pause(1);
          run.signal(signal, 'process');
          if (signal === 'SIGHUP') {
            expect(await run.listening()).toBeDefined();
            run.signal('SIGTERM', 'process');
          }
          expect(await run.end()).toMatchObject({ how: 0 });
          expect(run.stderr).toBe('');
        }
      }));

    test.runIf(FULL || workers === '1')('L29 a port that is taken is said, whatever waits to be moved', () =>
      startAgain(async (start) => {
        await using port = createServer().listen(0, '127.0.0.1');
        await new Promise((resolve) => port.once('listening', resolve));
        await using run = start(`127.0.0.1:${(port.address() as { port: number }).port}`);
        expect(await run.end()).toMatchObject({ how: 1 });
        expect(run.stderr).toMatch(/^Cannot listen on .*EADDRINUSE.*\n$/);
      }),
    );
  },
);
