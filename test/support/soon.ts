// How long a test waits for what happens by itself. It does not slow down a test that passes: that goes on at once.

/** For `vi.waitFor` and `expect.poll`: their own second is too short for a machine that is busy. */
export const SOON = { timeout: 60_000, interval: 2 } as const;
