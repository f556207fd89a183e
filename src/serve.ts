// The service as a process: alone, as the supervisor of workers, or as one of these; from its start to its end.

import { availableParallelism } from 'node:os';
import { clientSettingWarnings } from './config/client-settings.ts';
import { addToEnvironment, type Config, openConfigFile, readConfig } from './config/index.ts';
import { redisWarnings } from './config/redis.ts';
import { DescriptorWatch } from './runtime/descriptors.ts';
import { GRACE_MS, KILL_MS, LATE_MS } from './runtime/shutdown.ts';
import { onEndOfNpm, type Signals } from './runtime/signals.ts';
import { ownDirectory, type RunningService, StartStopped, startService } from './service/index.ts';
import { createEvents } from './telemetry/events.ts';
import { openWorkerContext, supervise, type WorkerContext } from './workers/index.ts';

const DAY_MS = 86_400_000;

/**
 * Runs until it is asked to stop, by a signal for one. Sets the exit code where it is not 0. The process is to exit then.
 * `configFile`: the path of a configuration file.
 */
export async function serve(signals: Signals, configFile: string | undefined): Promise<void> {
  // Timers and threads that keep no process alive settle what a start and an end wait for: it would end with code 13.
  const alive = setInterval(() => {}, DAY_MS);
  try {
    await serveInPlace(signals, configFile);
  } finally {
    clearInterval(alive);
  }
}

async function serveInPlace(signals: Signals, configFile: string | undefined): Promise<void> {
  const worker = openWorkerContext();
  if (worker !== undefined) return serveFrom(worker, readConfig(process.env), signals);
  const file = configFile ? await openConfigFile(configFile) : undefined;
  const config = readConfig(process.env, file);
  onEndOfNpm(() => signals.askToStop());
  warnOf([...clientSettingWarnings(process.env, config), ...redisWarnings(config)], config);
  const workers = config.workers === 'auto' ? availableParallelism() : config.workers;
  if (workers > 1) {
    // A worker that is started later must not find other settings: the file may have changed by then.
    if (file !== undefined) addToEnvironment(process.env, file);
    return serveByWorkers(workers, config, signals);
  }
  const service = await startUnlessStopped(config, signals);
  if (service === undefined) return;
  signals.handle({ stopNow: () => process.exit(1), reload: service.reload });
  endWithLostFile(service);
  sayListening(service.url);
  await stopped(signals);
  await service.stop(GRACE_MS);
}

async function serveByWorkers(workers: number, config: Config, signals: Signals): Promise<void> {
  const ownership = await ownDirectory(config);
  const events = createEvents({ level: config.logLevel });
  const descriptors = new DescriptorWatch({ connections: undefined, onMeasured: events.descriptorsMeasured });
  try {
    process.exitCode = await supervise({ workers, signals, killMs: KILL_MS, events, onListening: sayListening });
  } finally {
    descriptors.stop();
    events.close();
    ownership?.release();
  }
}

/** What a signal that comes later means is decided by the supervisor alone: the first may come twice, to the group and from it. */
async function serveFrom(worker: WorkerContext, config: Config, signals: Signals): Promise<void> {
  try {
    const service = await startUnlessStopped(config, signals, worker);
    if (service === undefined) return await worker.leave();
    endWithLostFile(service);
    worker.onReload(service.reload);
    worker.listening(service.url, service.snapshot);
    await stopped(signals);
    await service.stop(GRACE_MS);
    await worker.leave(await service.snapshot());
  } catch (error) {
    await worker.leave();
    throw error;
  }
}

/**
 * Undefined where it was asked to stop before it took calls. A start that does not notice in time, since it waits for a key
 * manager for one, is cut off: nothing was promised to anybody.
 */
async function startUnlessStopped(
  config: Config,
  { stop }: Signals,
  worker?: WorkerContext,
): Promise<RunningService | undefined> {
  const cutOff = () => setTimeout(() => process.exit(0), LATE_MS);
  let timer: NodeJS.Timeout | undefined;
  const onStop = () => {
    timer = cutOff();
  };
  if (stop.aborted) onStop();
  else stop.addEventListener('abort', onStop, { once: true });
  try {
    return await startService(config, worker, stop);
  } catch (error) {
    if (error instanceof StartStopped) return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
    stop.removeEventListener('abort', onStop);
  }
}

function warnOf(warnings: readonly string[], { logLevel: level }: Config): void {
  if (warnings.length === 0) return;
  const events = createEvents({ level });
  warnings.forEach(events.settingsDoubtful);
  events.close();
}

/** Exit code of a process that ends because only another one can open its files anew. */
const LOST_FILE = 3;

/** It ends like a crash: to close the file would move pages that are lost into the main file. */
function endWithLostFile({ lostFile }: RunningService): void {
  void lostFile.then(() => process.exit(LOST_FILE));
}

async function stopped({ stop }: Signals): Promise<void> {
  if (stop.aborted) return;
  await new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
}

function sayListening(url: string): void {
  process.stdout.write(`listening on ${url}\n`);
}
