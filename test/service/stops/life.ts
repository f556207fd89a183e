// A service that is ended again and again, over one data directory, at moments that follow from a seed.

import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { enlargeWriteAheadFile } from './large-files.ts';
import { Load, missingOf } from './load.ts';
import { Run, type Target } from './run.ts';

export type Signal = 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGKILL';

const MOMENTS = ['start', 'idle', 'load', 'rotation', 'reload', 'stop', 'port taken'] as const;

/** What happens in a round. */
export interface Plan {
  readonly signal: Signal;
  readonly moment: (typeof MOMENTS)[number];
  readonly workers: 1 | 2;
  readonly launch: 'node' | 'npm';
  readonly target: Target;
  readonly delayMs: number;
  /** Pages of the write-ahead file that the round begins with, where it is a large one. */
  readonly largePages: number;
}

/** `random` answers numbers from 0 to below 1. */
export function planOf(signal: Signal, round: number, random: () => number): Plan {
  const moment = MOMENTS[round % MOMENTS.length] ?? 'start';
  const isStop = signal === 'SIGTERM' || signal === 'SIGINT';
  // A start takes half a second and more; what a stop is made of, less.
  const longestMs = moment === 'start' || moment === 'port taken' ? 1_500 : 400;
  return {
    signal,
    moment,
    workers: random() < 0.5 ? 1 : 2,
    // npm hands on nothing else, and a second signal may meet npm itself at its end.
    launch: isStop && moment !== 'reload' && moment !== 'stop' && random() < 0.2 ? 'npm' : 'node',
    target: random() < 0.5 ? 'group' : 'process',
    delayMs: Math.floor(random() * longestMs),
    largePages: random() < 0.25 ? 4_000 + Math.floor(random() * 20_000) : 0,
  };
}

/** What a round saw. */
export interface Seen {
  readonly faults: readonly string[];
  /** How long the stop took, where there was one. */
  readonly stopMs: number | undefined;
}

const STOP_LIMIT_MS = 15_000;
const DRAFT = 'signing-key-99.pem.0123456789ab.new';

export class Life implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ect-stops-'));
  readonly #dataDir = join(this.#folder, 'data');
  readonly #trust = join(this.#folder, 'trust.json');
  readonly #owed = new Map<string, string>();
  #hasLedger = false;

  constructor() {
    this.#writeTrust();
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async round(plan: Plan): Promise<Seen> {
    const { workers, launch, moment, largePages } = plan;
    if (largePages > 0 && this.#hasLedger) enlargeWriteAheadFile(join(this.#dataDir, 'ledger.db'), largePages);
    const taken = moment === 'port taken' ? createServer().listen(0, '127.0.0.1') : undefined;
    if (taken !== undefined) await new Promise((resolve) => taken.once('listening', resolve));
    const port = (taken?.address() as { port: number } | undefined)?.port ?? 0;
    await using run = new Run(launch, this.#dataDir, {
      ECT_LISTEN: `127.0.0.1:${port}`,
      ECT_WORKERS: String(workers),
      ECT_ADMINS: 'anonymous',
      ECT_JWKS_MAX_AGE_SEC: '1',
      ECT_KEYS_REFRESH_SEC: '0.2',
      ECT_TRUST_FILE: this.#trust,
      ECT_LOG_LEVEL: 'warn',
    });
    const { faults, isGraceful } = await (moment === 'start' || moment === 'port taken'
      ? this.#endAtStart(run, plan)
      : this.#endRunning(run, plan));
    taken?.close();
    const { how, afterMs } = await run.end();
    if (isGraceful && afterMs > STOP_LIMIT_MS) faults.push(`the stop took ${Math.round(afterMs)} ms`);
    if (isGraceful && how !== 0) faults.push(`it ended with ${how}`);
    if (plan.signal === 'SIGKILL') this.#leaveDraft();
    else if (/unsettled|UnhandledPromise|"event":"bug"|\n {4}at /.test(run.stderr))
      faults.push('it said what it must not');
    if (faults.length > 0) faults.push(`it said: ${run.stdout}${run.stderr}`);
    return { faults, stopMs: isGraceful ? afterMs : undefined };
  }

  /** The signal comes before it listens, or soon after. */
  async #endAtStart(run: Run, { signal, moment, target, delayMs }: Plan) {
    const faults: string[] = [];
    await pause(delayMs);
    const url = run.stdout.includes('listening on');
    run.signal(signal, target);
    if (signal === 'SIGHUP') {
      // It goes on with its start, or says why not.
      if ((await run.listening()) !== undefined) run.signal('SIGTERM', 'process');
    }
    const { how } = await run.end();
    if (signal === 'SIGKILL') return { faults, isGraceful: false };
    if (moment === 'port taken') {
      const isReported = how === 1 && run.stderr.includes('EADDRINUSE');
      if (!isReported && (how !== 0 || signal === 'SIGHUP')) faults.push(...(await this.#unlessTooEarly(run, how)));
      return { faults, isGraceful: false };
    }
    if (how !== 0) faults.push(...(await this.#unlessTooEarly(run, how)));
    return { faults, isGraceful: url };
  }

  /** Before the first line of the program is read, a signal ends the process as the system does it. */
  async #unlessTooEarly(run: Run, how: number | string | null): Promise<readonly string[]> {
    const isBySystem = typeof how === 'string' || (how !== null && how > 128);
    return isBySystem && !(await run.hasOwned()) ? [] : [`it ended with ${how}`];
  }

  async #endRunning(run: Run, { signal, moment, target, delayMs }: Plan) {
    const url = await run.listening();
    if (url === undefined) return { faults: [`it did not start: ${run.stderr}`], isGraceful: true };
    this.#hasLedger = true;
    const address = new URL(url).host;
    const faults = await this.#keptFaults(address);
    using load = new Load(address, moment === 'rotation');
    if (moment === 'idle') load[Symbol.dispose]();
    if (moment === 'reload') this.#writeTrust();
    if (moment === 'reload') run.signal('SIGHUP', 'process');
    await pause(delayMs);
    run.signal(signal, target);
    if (moment === 'stop') {
      if (signal === 'SIGKILL' || signal === 'SIGHUP') run.signal('SIGTERM', 'process');
      await pause(delayMs);
      run.signal(signal, target);
    } else if (signal === 'SIGHUP') {
      await pause(delayMs / 4);
      run.signal('SIGTERM', 'process');
    }
    const isGraceful = signal !== 'SIGKILL';
    await run.end();
    await load.over;
    const { recorded, promised, faults: badEnds } = load.answered;
    for (const [jti, token] of [...recorded, ...(isGraceful ? promised : [])]) this.#owed.set(jti, token);
    if (isGraceful && moment !== 'idle') faults.push(...badEnds);
    return { faults, isGraceful };
  }

  /** What the run before has left: everything that it acknowledged, and nothing half made. */
  async #keptFaults(address: string): Promise<string[]> {
    const missing = await missingOf(address, this.#owed);
    this.#owed.clear();
    const left = (await readdir(this.#dataDir)).filter((name) => name.endsWith('.new'));
    return [...missing.map((what) => `lost: ${what}`), ...left.map((name) => `left behind: ${name}`)];
  }

  /** As a process leaves it that is killed while it makes a key. */
  #leaveDraft(): void {
    if (this.#hasLedger) writeFileSync(join(this.#dataDir, DRAFT), 'a key');
  }

  #writeTrust(): void {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'partner' };
    const trust = { issuers: [{ iss: 'https://partner.example', jwks: { keys: [jwk] } }] };
    writeFileSync(this.#trust, JSON.stringify(trust));
  }
}
