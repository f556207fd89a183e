// The V8 options of a service. They keep its memory constant and its pauses short. By default V8 lets the young generation grow with the
// load, to 128 MB on a large machine, and lets the old generation grow to four times its live objects; it hardly returns either. Objects
// of a call are garbage long before that, so the larger heap has no measurable benefit.

import { withMallocSettings } from './malloc-settings.ts';

const OPTIONS = [
  // V8 predicts from one busy moment which objects live long, and from then on allocates all of that kind in the old generation, although
  // most are garbage soon: a quarter of all CPU time went into collecting it.
  '--no-allocation-site-pretenuring',
  // The size of each half of the young generation, in MiB.
  '--max-semi-space-size=16',
  // The old generation is collected when it has grown by this percentage of its last live size.
  '--heap-growing-percent=75',
  // The threads for garbage collection and compilation, besides the event loop. On few cores V8's default of four takes CPU from the
  // event loop; a single one collects too late.
  '--v8-pool-size=2',
] as const;

/** The parts of `process` that are used here. */
type Process = Pick<NodeJS.Process, 'argv' | 'channel' | 'env' | 'execArgv' | 'execPath' | 'execve' | 'platform'>;

/**
 * Returns the options, except those in `said`: `--max-semi-space-size=16`.
 *
 * @internal Exported because benchmarks start processes with the same options.
 */
export function v8Options(said: readonly string[] = []): readonly string[] {
  return OPTIONS.filter((option) => !said.some((other) => other.includes(nameOf(option))));
}

/** Returns the name of an option, without its value. */
function nameOf(option: string): string {
  return option.replace(/^--(?:no-)?|=.*$/g, '');
}

/**
 * Restarts this program with the options and the settings of `malloc-settings.ts`, under the same process id, and does not return; both
 * are only read when a process starts. Returns if all of them are set already (workers inherit them), or if the system, or a parent with a
 * channel to this process, does not allow the restart: then the service runs without them.
 */
export function runWithV8Options(self: Process): void {
  const { argv, channel, env, execArgv, execPath, execve, platform } = self;
  const missing = v8Options([...execArgv, env['NODE_OPTIONS'] ?? '']);
  const completed = platform === 'linux' ? withMallocSettings(env) : undefined;
  if (missing.length === 0 && completed === undefined) return;
  if (channel !== undefined || execve === undefined || platform === 'win32') return;
  execve.call(self, execPath, [execPath, ...missing, ...execArgv, ...argv.slice(1)], completed ?? env);
}
