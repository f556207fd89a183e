import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
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
