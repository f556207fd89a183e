import { defineConfig } from 'vitest/config';

// The tests of the rooms that are mutated. Random ones are left out: what they find in one run they may miss in the next.
// So are those of scale: they count steps of graphs that are too large to be walked once for each fault.
export default defineConfig({
  test: {
    include: ['test/token/**/*.test.ts', 'test/dag/**/*.test.ts'],
    exclude: ['test/token/properties.test.ts', 'test/dag/examine.property.test.ts', 'test/dag/scale.test.ts'],
    testTimeout: 30_000,
  },
});
