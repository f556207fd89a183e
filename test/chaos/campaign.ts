// A run: one data directory, one service after the other over it, callers, and one fault after the other. What the service
// promises at once is compared with it here (it starts, recovers, ends); what it promises for ever is left to the checker.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type KmsDouble, startKmsDouble } from '../../kms-double/server.ts';
import { CallError, dial } from '../interop/grpc-js-client.ts';
import { FakeWallClock } from '../support/fake-time.ts';
import type { Settings } from '../support/service-process.ts';
import { Chance } from './chance.ts';
import { Journal } from './journal.ts';
import { Load } from './load.ts';
import { tryEverything } from './operations.ts';
import { Pools } from './pools.ts';
import { type End, ServiceRun } from './service-run.ts';
import { type Variant, Variants } from './variants.ts';

const RECOVERY_MS = 60_000;
const ASK_AGAIN_MS = 100;

/** Nothing can be done to a service that does not come back. The journal says what was expected of it. */
export class ServiceLost extends Error {}

export interface CampaignOptions {
  /** Where the data directory, the journal and everything else of the run are. */
  readonly folder: string;
  readonly seed: number;
  /** Default: the wall clock of the service can be moved. */
  readonly movesClock?: boolean;
}

export class Campaign implements AsyncDisposable {
  readonly folder: string;
  readonly dataDir: string;
  readonly journal: Journal;
  readonly chance: Chance;
  readonly pools: Pools;
  readonly clock: FakeWallClock | undefined;
  readonly kms: KmsDouble;
  readonly #variants: Variants;
  readonly #load: Load;
  /** Events of the service, by name, since its start. */
  readonly #heard = new Map<string, number>();
  #run: ServiceRun | undefined;

  private constructor({ folder, seed, movesClock = true }: CampaignOptions, kms: KmsDouble) {
    this.folder = folder;
    this.dataDir = join(folder, 'data');
    for (const name of ['keys', 'epochs']) mkdirSync(join(folder, name));
    this.journal = new Journal(join(folder, 'journal.jsonl'));
    this.chance = new Chance(seed);
    // Callers run side by side, so what they draw would change what is drawn for faults.
    this.pools = new Pools(new Chance(seed + 1));
    this.clock = movesClock ? new FakeWallClock() : undefined;
    this.kms = kms;
    this.#variants = new Variants(join(folder, 'keys'), kms);
    this.#load = new Load(this.journal, this.pools);
    this.journal.write({ kind: 'run', seed });
  }

  static async open(options: CampaignOptions): Promise<Campaign> {
    return new Campaign(options, await startKmsDouble());
  }

  get variant(): Variant {
    return this.#variants.current;
  }

  get run(): ServiceRun {
    if (this.#run === undefined) throw new TypeError('no service runs');
    return this.#run;
  }

  get isRunning(): boolean {
    return this.#run !== undefined;
  }

  file(name: string): string {
    return join(this.dataDir, name);
  }

  /** How often the service has said this since it was started. */
  heard(event: string): number {
    return this.#heard.get(event) ?? 0;
  }

  /** The services to come are of this kind. None may run. */
  change(variant: Variant): void {
    this.#variants.change(variant, this.dataDir);
    this.journal.write({ kind: 'variant', ...variant });
  }

  /** Starts a service, which has to come up, and the callers. */
  async start(): Promise<void> {
    const end = await this.tryStart();
    if (end !== undefined) throw this.lost(`the service does not start (${end.code}): ${end.words}`);
    this.takeLoad();
  }

  /** The callers go on, with the service that runs. */
  takeLoad(): void {
    this.#load.start(this.run.address);
  }

  /** Starts a service without callers. Answers how the start ended, where it was rejected. */
  async tryStart(more: Settings = {}): Promise<End | undefined> {
    this.#heard.clear();
    const settings = { ...this.#variants.settings, ...this.clock?.settings, ...more, ECT_DATA_DIR: this.dataDir };
    const started = await ServiceRun.start(settings, this.folder, (event, line) => this.#hear(event, line));
    if (!(started instanceof ServiceRun)) return started;
    this.#run = started;
    using client = dial(started.address);
    const keys = await client.call<{ ledger_verifier_key: string }>('ect.v1.KeyService/GetKeySet', {});
    this.journal.write({ kind: 'start', verifier_key: keys.ledger_verifier_key });
    return undefined;
  }

  /** Ends the service by a signal, and waits for the calls that were under way. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const { run } = this;
    const end = await run.end(signal);
    await this.#load.stop();
    this.#run = undefined;
    this.journal.write({ kind: 'end', signal, code: end.code });
    this.journal.writeFailures();
    if (signal === 'SIGTERM' && end.code !== 0 && !isForLostFile(end)) {
      this.journal.breaks(`a stop ended with ${end.code}: ${end.words}`);
    }
  }

  async restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.end(signal);
    await this.start();
  }

  /** A start that has to be rejected with exit code 1 in these words. */
  async expectRejection(why: RegExp, more: Settings = {}): Promise<void> {
    const end = await this.tryStart(more);
    if (end === undefined) {
      this.journal.breaks(`a start was not rejected: ${why}`);
      await this.end('SIGKILL');
      return;
    }
    this.noteRejection(end);
    if (end.code !== 1 || !why.test(end.words)) {
      this.journal.breaks(`a start was rejected with ${end.code} and other words than ${why}: ${end.words}`);
    }
  }

  noteRejection({ code, words }: End): void {
    this.journal.write({ kind: 'refused', code, words: words.slice(0, 500) });
  }

  /** Nothing is wrong any more: everything has to work again, without help but that of a supervisor. */
  async recover(): Promise<void> {
    const beganMs = performance.now();
    for (let failure = ''; ; await pause(ASK_AGAIN_MS)) {
      if (this.run.hasEnded) await this.#superviseEnd();
      using client = dial(this.run.address);
      try {
        await tryEverything({ client, journal: this.journal, pools: this.pools });
        this.journal.writeFailures();
        this.journal.write({ kind: 'recovered', after_ms: Math.round(performance.now() - beganMs) });
        return;
      } catch (error) {
        if (!(error instanceof CallError)) throw error;
        failure = error.message;
      }
      if (performance.now() - beganMs > RECOVERY_MS) throw this.lost(`the service does not recover: ${failure}`);
    }
  }

  /** It has ended by itself, which it may only where another process has to open its files anew. */
  async #superviseEnd(): Promise<void> {
    const end = await this.run.end('SIGKILL');
    await this.#load.stop();
    this.#run = undefined;
    this.journal.write({ kind: 'end', signal: 'none', code: end.code });
    if (!isForLostFile(end)) this.journal.breaks(`the service ended by itself with ${end.code}: ${end.words}`);
    await this.start();
  }

  lost(what: string): ServiceLost {
    this.journal.breaks(what);
    return new ServiceLost(what);
  }

  #hear(event: string, line: string): void {
    this.#heard.set(event, this.heard(event) + 1);
    if (event === 'bug') this.journal.breaks(`the service reports a fault of its own: ${line}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#run !== undefined) await this.#run.end('SIGKILL');
    await this.#load.stop();
    this.journal.close();
    this.clock?.[Symbol.dispose]();
    await this.kms[Symbol.asyncDispose]();
  }
}

function isForLostFile({ code, words }: End): boolean {
  return code === 3 && words.includes('"event":"storage-lost"');
}
