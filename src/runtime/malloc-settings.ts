// Settings of the C library of Linux, glibc (mallopt(3)), which reads them from the environment when a process starts. Other C libraries
// ignore them.

/**
 * Memory of 16 KiB or more goes back to the system when it is freed. By default glibc raises this limit to the largest size that was
 * freed once, and what large requests took is kept between small pieces that live longer: after a flood of large bodies a process kept
 * 200 MiB.
 */
const SETTINGS = { MALLOC_MMAP_THRESHOLD_: '16384' } as const;

/** Returns `env` with the settings that it does not have; undefined if it has all of them. */
export function withMallocSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv | undefined {
  const isComplete = Object.keys(SETTINGS).every((name) => env[name] !== undefined);
  return isComplete ? undefined : { ...SETTINGS, ...env };
}
