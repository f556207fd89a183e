// The options of V8 that a service runs with, so that it stays as large as it is and its pauses stay short. V8 lets the young
// generation of the heap grow with the load, to 128 MB on a large machine, and lets garbage of four times what lives
// gather in the old one; it hardly gives either back. What a call leaves behind is dead long before, so the room buys nothing that could be measured.

const OPTIONS = [
  // V8 guesses from one busy moment which objects will live long, and from then on makes all of their kind in the old
  // generation, though most are garbage at once: a quarter of all CPU went into collecting that one.
  '--no-allocation-site-pretenuring',
  // MiB of one of the two halves of the young generation.
  '--max-semi-space-size=16',
  // The old generation is collected when it has grown by so many percent of what lived after the last time.
  '--heap-growing-percent=50',
  // Threads that collect garbage, and compile, beside the event loop. Where cores are few, V8's four take them from
  // it; a single one comes so late that more garbage gathers.
  '--v8-pool-size=2',
] as const;

/** What a process looks like from here. */
type Process = Pick<NodeJS.Process, 'argv' | 'channel' | 'env' | 'execArgv' | 'execPath' | 'execve' | 'platform'>;

/**
 * The options, but for those that were said: `--max-semi-space-size=16`.
 * @internal Exported because benchmarks start processes with the same options.
 */
export function v8Options(said: readonly string[] = []): readonly string[] {
  return OPTIONS.filter((option) => !said.some((other) => other.includes(nameOf(option))));
}

/** What an option is about, whichever value it gives. */
function nameOf(option: string): string {
  return option.replace(/^--(?:no-)?|=.*$/g, '');
}

/**
 * Starts this program anew with the options, under the same process id, and does not return; V8 takes them at its own start
 * only. Returns where the operator or a supervisor has said all of them (workers inherit them), and where the system or a
 * parent that talks to this process over a channel does not allow it: then the service runs without.
 */
export function runWithV8Options(self: Process): void {
  const { argv, channel, env, execArgv, execPath, execve, platform } = self;
  const missing = v8Options([...execArgv, env['NODE_OPTIONS'] ?? '']);
  if (missing.length === 0 || channel !== undefined || execve === undefined || platform === 'win32') return;
  execve.call(self, execPath, [execPath, ...missing, ...execArgv, ...argv.slice(1)], env);
}
