// How long a test waits for what happens by itself. It does not slow down a test that passes: that goes on at once.

/**
 * For `vi.waitFor` and `expect.poll`: their own second is too short for a machine that is busy. Each look that fails makes an error with
 * its stack, a millisecond of CPU: at shorter intervals tests that wait would take the CPU from those that do not.
 */
export const SOON = { timeout: 60_000, interval: 10 } as const;
