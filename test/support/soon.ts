// The timeout for conditions that become true by themselves. It does not slow down a test that passes.

/**
 * For `vi.waitFor` and `expect.poll`: their default of a second is too short for a busy machine. Each failed check makes an error with a
 * stack, a millisecond of CPU, so a shorter interval would take CPU from other tests.
 */
export const SOON = { timeout: 60_000, interval: 10 } as const;
