import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// The attacks measure what others notice of them, so they run when all other tests are over, and one file at a time.
const HOSTILE = 'test/hostile/**/*.test.ts';
/** Whoever names them runs all of them; a run of everything contains a few. */
const isHostileNamed = process.argv.some((argument) => argument.includes('test/hostile'));

export default defineConfig({
  test: {
    // Half the time of a short process is the reading of its sources: those that tests start share what was read once.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/tests') },
    projects: [
      { extends: true, test: { name: 'tests', include: ['test/**/*.test.ts'], exclude: [HOSTILE] } },
      {
        extends: true,
        test: {
          name: 'hostile',
          include: [HOSTILE],
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          globalSetup: ['test/hostile/support/figures.ts'],
          env: isHostileNamed ? { HOSTILE_ALL: '1' } : {},
        },
      },
    ],
    // For what hangs, not for what is slow: on a busy machine a test may take ten times as long as on an idle one.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: ['src/gen/**', 'src/main.ts'],
      reporter: ['text-summary', 'json-summary'],
      thresholds: {
        // The core rooms: what is not covered there is not known to hold.
        'src/{keys,token,dag,ledger,authority,custody,h2}/**': { lines: 95 },
      },
    },
  },
});
