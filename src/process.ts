// The process: arguments and environment, the service, signals, the exit code. `main.ts` starts it.

import { availableParallelism } from 'node:os';
import { backups } from './backup/index.ts';
import type { CheckConfig } from './cli/config.ts';
import { runProgram } from './cli/program.ts';
import { clientSettingWarnings } from './config/client-settings.ts';
import { type Config, ConfigError, readConfig } from './config.ts';
import { checkConfig } from './config-check.ts';
import { EctError, type ErrorReason } from './errors.ts';
import { createEvents } from './events.ts';
import { ledgerRecovery } from './ledger-recovery.ts';
import { DirectoryInUse } from './ownership.ts';
import { isOperatorError, ownDirectory, type RunningService, startService } from './service.ts';
import { onEndOfNpm, onHangup, onStopSignal } from './signals.ts';
import { type Seat, supervise, takeSeat } from './workers/index.ts';

/** What the operator does about what stops a start, where the message itself does not say it. */
const NEXT_STEPS: Readonly<Partial<Record<ErrorReason, string>>> = {
  LEDGER_CORRUPT: ' Run `ect audit` on it, and restore it from a backup.',
  ONCE_CORRUPT: ' Without a backup move it away: tokens that are still alive can then be replayed once.',
};

/** How long calls in flight may take to finish once the process is told to stop. */
const GRACE_MS = 10_000;

async function serve(): Promise<void> {
  const config = readConfig(process.env);
  const seat = takeSeat();
  if (seat !== undefined) return serveFrom(seat, config);
  warnOf(clientSettingWarnings(process.env, config), config);
  const workers = config.workers === 'auto' ? availableParallelism() : config.workers;
  if (workers > 1) return serveByWorkers(workers, config);
  // A hangup while the service starts must not end it: the files are being read anyway.
  let reload = () => {};
  const left = Promise.withResolvers<void>();
  onHangup({ reload: () => reload(), hangUp: left.resolve });
  onEndOfNpm(left.resolve);
  // A worker is the only one: there is none to put in its place.
  process.on('SIGUSR2', () => {});
  const service = await startService(config);
  reload = service.reload;
  endWithLostFile(service);
  // Before the line that says it runs, since whoever reads that line may end it at once.
  const told = toldToStop(() => process.exit(1));
  sayListening(service.url);
  await Promise.race([told, left.promise]);
  await service.stop(GRACE_MS);
}

function warnOf(warnings: readonly string[], { logLevel: level }: Config): void {
  if (warnings.length === 0) return;
  const events = createEvents({ level });
  warnings.forEach(events.settingsDoubtful);
  events.close();
}

async function serveByWorkers(workers: number, config: Config): Promise<void> {
  const ownership = await ownDirectory(config);
  const events = createEvents({ level: config.logLevel });
  process.exitCode = await supervise({ workers, graceMs: GRACE_MS, events, onListening: sayListening });
  events.close();
  ownership?.release();
}

async function serveFrom(seat: Seat, config: Config): Promise<void> {
  const service = await startService(config, seat).catch((error: unknown) => {
    seat.leave();
    throw error;
  });
  // A signal may come twice, to the whole group and from the supervisor, which alone decides what a later one means.
  const told = toldToStop(() => {});
  endWithLostFile(service);
  seat.onReload(service.reload);
  seat.listening(service.url, service.snapshot);
  await told;
  await service.stop(GRACE_MS);
  seat.leave(await service.snapshot());
}

/** Exit code of a process that ends because only another one can open its files anew. */
const LOST_FILE = 3;

/** It ends like a crash: to close the file would move pages that are lost into the main file. */
function endWithLostFile({ lostFile }: RunningService): void {
  void lostFile.then(() => process.exit(LOST_FILE));
}

function toldToStop(stopNow: () => void): Promise<void> {
  return new Promise((resolve) => onStopSignal({ stop: resolve, stopNow }));
}

function sayListening(url: string): void {
  process.stdout.write(`listening on ${url}\n`);
}

// A reader that has seen enough (`ect … | head`) closes the pipe; that is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

try {
  const check: CheckConfig = (options) => checkConfig(process.env, options);
  await runProgram(
    { serve, checkConfig: check, recovery: ledgerRecovery, backups, io: process },
    process.argv.slice(2),
  );
} catch (error) {
  process.exitCode = 1;
  if (error instanceof ConfigError) {
    process.exitCode = 2;
    process.stderr.write(`${error.message}\nSee \`ect serve --help\` for every setting.\n`);
  } else if (error instanceof EctError) {
    // The remedies of reasons are for callers, who may retry; here the message says what the operator can do.
    const next = NEXT_STEPS[error.reason] ?? '';
    process.stderr.write(`${error.reason}: ${error.message}${next}\n`);
  } else if (isOperatorError(error)) {
    // As for a setting that is wrong: ECT_DATA_DIR names a directory that is another's.
    if (error instanceof DirectoryInUse) process.exitCode = 2;
    process.stderr.write(`${error.message}\n`);
  } else {
    throw error;
  }
}
