// The supervisor: starts the workers behind one port, restarts those that die, and exits when all have exited. It accepts connections and
// distributes them; it reads no byte of a call and holds no key.

import cluster from 'node:cluster';
import { setTimeout as pause } from 'node:timers/promises';
import type { Signals } from '../runtime/signals.ts';
import type { Events } from '../telemetry/events.ts';
import { SharedMetrics } from './metrics.ts';
import { Restarts } from './restarts.ts';
import { type Ending, startWorker, type WorkerProcess, type WorkerRole } from './worker-process.ts';

export interface SupervisorOptions {
  /** The number of workers, at least 2. */
  readonly workers: number;
  readonly signals: Signals;
  /** A worker that has not exited this long after its stop signal is killed. Normally it exits earlier. */
  readonly killMs: number;
  readonly events: Events;
  /** Called once, when every worker accepts calls. */
  readonly onListening: (url: string) => void;
}

/**
 * Runs until it is asked to stop. Returns the exit code: 0 after a clean stop; 1 if the workers could not be kept alive or a second
 * signal interrupted the stop. A worker that cannot start prints the reason on standard error. SIGHUP makes every worker reload its
 * files; SIGUSR2 replaces the workers one after another.
 */
export async function supervise(options: SupervisorOptions): Promise<number> {
  // Round robin, because connections are few and long-lived: each worker must get its share of them.
  cluster.schedulingPolicy = cluster.SCHED_RR;
  // Structured clone, because metrics contain NaN, which JSON cannot represent.
  cluster.setupPrimary({ serialization: 'advanced' });
  return new Supervisor(options).run();
}

/** After a stop signal a worker exits with 0, or by the signal itself if the signal arrived before it listened. */
const CLEAN_ENDS: ReadonlySet<number | string> = new Set([0, 'SIGTERM', 'SIGINT']);

class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #metrics = new SharedMetrics();
  readonly #restarts = new Restarts();
  /** The current worker of each number. A worker that is being replaced runs beside its successor until it has drained. */
  readonly #crew = new Map<number, WorkerProcess>();
  readonly #living = new Set<WorkerProcess>();
  readonly #stopping: AbortSignal;
  #replacing = Promise.resolve();
  #failed = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#stopping = options.signals.stop;
    this.#metrics.add({ snapshot: options.events.snapshot });
  }

  async run(): Promise<number> {
    const { workers, signals, onListening } = this.#options;
    this.#stopping.addEventListener('abort', () => this.#stopAll(), { once: true });
    signals.handle({
      stopNow: () => this.#kill(),
      reload: () => this.#reload(),
      replace: () => {
        this.#replacing = this.#replacing.then(() => this.#replaceAll());
      },
    });
    if (this.#stopping.aborted) return 0;
    // The first worker starts alone: it creates missing keys and files, finds a free port, and reports what is wrong.
    const url = await this.#start(1, 'first').listening;
    const others = Array.from({ length: url === undefined ? 0 : workers - 1 }, (_, at) => this.#start(at + 2, 'first'));
    const addresses = await Promise.all(others.map(({ listening }) => listening));
    if (!this.#stopping.aborted) {
      if (url === undefined || addresses.includes(undefined)) this.#fail();
      else onListening(url);
    }
    await Promise.all([...this.#crew.keys()].map((number) => this.#keep(number)));
    await Promise.all([...this.#living].map(({ ended }) => ended));
    return this.#failed ? 1 : 0;
  }

  #start(number: number, role: WorkerRole): WorkerProcess {
    const worker = startWorker({ number, slot: this.#freeSlot(), role }, this.#metrics);
    this.#living.add(worker);
    void worker.ended.then((ending) => {
      this.#living.delete(worker);
      if (this.#stopping.aborted && !CLEAN_ENDS.has(ending.how)) this.#failed = true;
    });
    void worker.lostConnection.then(() => {
      this.#replacing = this.#replacing.then(() => this.#replaceDeaf(worker));
    });
    if (this.#stopping.aborted) worker.stop(this.#options.killMs);
    this.#crew.set(number, worker);
    return worker;
  }

  #freeSlot(): number {
    const taken = new Set([...this.#living].map(({ slot }) => slot));
    let slot = 0;
    while (taken.has(slot)) slot++;
    return slot;
  }

  /** Keeps a worker running under this number until the supervisor stops. */
  async #keep(number: number): Promise<void> {
    while (!this.#stopping.aborted) {
      const worker = this.#crew.get(number) as WorkerProcess;
      const ending = await worker.ended;
      if (this.#crew.get(number) !== worker) continue;
      if (this.#stopping.aborted) return;
      await this.#restart(worker, ending);
    }
  }

  async #restart(dead: WorkerProcess, { how, livedMs }: Ending): Promise<void> {
    const { number } = dead;
    const pauseMs = this.#restarts.afterDeath(livedMs);
    this.#options.events.workerEnded({ worker: number, how, livedMs, pauseMs });
    if (pauseMs === undefined) {
      this.#fail();
      return;
    }
    const signal = this.#stopping;
    await pause(pauseMs, undefined, { signal }).catch(() => {}); // It rejects when the supervisor stops.
    // In the meantime SIGUSR2 may have started another worker under this number.
    if (!signal.aborted && this.#crew.get(number) === dead) this.#start(number, 'replacement');
  }

  async #replaceAll(): Promise<void> {
    for (const number of [...this.#crew.keys()].sort((a, b) => a - b)) {
      if (this.#stopping.aborted || !(await this.#replace(number, 'successor'))) return;
    }
  }

  /** Replaces a worker that gets no connections. Any other worker is better. */
  async #replaceDeaf(deaf: WorkerProcess): Promise<void> {
    if (this.#stopping.aborted || this.#crew.get(deaf.number) !== deaf) return;
    this.#options.events.workerDeaf(deaf.number);
    await this.#replace(deaf.number, 'replacement');
  }

  /**
   * Starts the successor, and drains the predecessor once the successor listens, so the port always has a worker. Returns false if the
   * successor could not start.
   */
  async #replace(number: number, role: 'successor' | 'replacement'): Promise<boolean> {
    const old = this.#crew.get(number) as WorkerProcess;
    const next = this.#start(number, role);
    const url = await next.listening;
    if (this.#stopping.aborted) return false;
    // A worker that cannot start must not replace one that runs.
    if (url === undefined && this.#living.has(old)) {
      this.#crew.set(number, old);
      this.#options.events.workerEnded({ worker: number, ...(await next.ended), pauseMs: undefined });
      return false;
    }
    old.stop(this.#options.killMs);
    await old.ended;
    return true;
  }

  #reload(): void {
    for (const worker of this.#living) worker.reload();
  }

  #kill(): void {
    for (const worker of this.#living) worker.kill();
  }

  #fail(): void {
    this.#failed = true;
    this.#options.signals.askToStop();
  }

  #stopAll(): void {
    for (const worker of this.#living) worker.stop(this.#options.killMs);
  }
}
