// The events worth keeping. Each has one function here, which writes its line and moves its metrics, so that the two
// cannot drift apart. Tokens, messages and keys never come in; text that a caller chose is cleaned and cut.

import { type DestinationStream, type LevelWithSilent, pino } from 'pino';
import type { ErrorReason } from '../errors.ts';
import type { LimitName } from '../limits/index.ts';
import {
  callLine,
  cleanTask,
  cleanText,
  describeCause,
  describeFailure,
  type FinishedCall,
  round,
  type TaskNames,
} from './event-lines.ts';
import { standardError } from './event-output.ts';
import { LineRate, LineRateLimit } from './line-rate-limit.ts';
import { createMetrics, type MetricsSnapshot, type ReadQuotas } from './metrics.ts';

export type { FinishedCall } from './event-lines.ts';
export type { MetricsSnapshot } from './metrics.ts';

export interface EventsOptions {
  readonly level: LevelWithSilent;
  /** Where lines go. Default: standard error; standard output is for what a person asked to see. */
  readonly destination?: DestinationStream;
  /** The number of this process where there are several: every line carries it. */
  readonly worker?: number;
}

/** What is free on the disk, and what must stay so, in bytes; whether callers can have something written. */
interface StorageSpace {
  readonly free: number;
  readonly floor: number;
  readonly hasRoom: boolean;
}

/** File descriptors that are left, of how many. */
interface DescriptorCount {
  readonly free: number;
  readonly limit: number;
  readonly isLow: boolean;
}

/** Between two lines that a peer can cause at will, in milliseconds. */
const LINE_INTERVAL_MS = 60_000;
/** Each names a caller and what it asked for; a batch can have a thousand of them. */
const POLICY_LINES_PER_SECOND = 100;

/** A trust file may have thousands of mistakes. */
const MAX_WHY_LENGTH = 2_000;

/** A rejection by the policy. */
interface PolicyRejectionLine {
  readonly caller: string;
  readonly action: string;
  readonly resource: string;
  readonly policies: readonly string[];
  /** Policies that could not be evaluated. */
  readonly errors: readonly string[];
  readonly digest: string;
}

/** When a certificate ends, in milliseconds since the epoch. */
interface CertificateEnd {
  readonly certificate: string;
  readonly path: string;
  readonly notAfterMs: number;
}

/** An identity of the service. */
interface SvidInForce {
  readonly spiffeId: string;
  readonly notAfterMs: number;
  readonly trustDomains: readonly string[];
  /** A sentence for each federated bundle that is not used. */
  readonly problems: readonly string[];
}

/** Of a foreign issuer: those that are used, and a sentence for each that is not. */
interface ForeignKeys {
  readonly keys: readonly unknown[];
  readonly problems: readonly string[];
}

export type Events = ReturnType<typeof createEvents>;

/** The events of one service. Call `close` when it ends. */
export function createEvents(options: EventsOptions) {
  const { worker } = options;
  const output = options.destination ?? standardError(worker !== undefined);
  const base = worker === undefined ? null : { worker };
  const lines = pino(
    { level: options.level, base, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: levelName } },
    output,
  );
  const metrics = createMetrics();
  const fullLines = new LineRateLimit(LINE_INTERVAL_MS);
  const acceptLines = new LineRateLimit(LINE_INTERVAL_MS);
  const policyLines = new LineRate(POLICY_LINES_PER_SECOND);
  let isClockFar = false;

  /** For lines that must not be lost, whatever happens next. */
  function flushNow(): void {
    if ('flushSync' in output && typeof output.flushSync === 'function') output.flushSync();
  }

  return {
    /** A call has been answered, or its caller has gone. */
    callFinished(call: FinishedCall): void {
      const { method, code, durationMs } = call;
      const reason = call.reason ?? '';
      metrics.countCall(method, code, reason, durationMs / 1000);
      // Written by hand: this is the one line of every call, and the logger's own way costs more than the call's checks.
      if (lines.isLevelEnabled('info')) output.write(callLine(call, reason, worker));
    },

    /** Our own code failed. The caller has seen INTERNAL; the cause is kept here, once. */
    bug(method: string, cause: unknown): void {
      metrics.bugs.inc({ method });
      lines.error({ event: 'bug', method, cause: describeCause(cause) });
      flushNow();
    },

    /** A connection ended before it carried a call: `tls`, `first-bytes`, `h1` or `h2`. */
    connectionFailed(stage: string, cause: unknown): void {
      metrics.connectionFailures.inc({ stage });
      lines.debug({ event: 'connection-failed', stage, cause: describeCause(cause) });
    },

    /** A connection could not be taken from the system: it has no descriptor, or no memory, for it. */
    acceptFailed(cause: unknown): void {
      metrics.connectionFailures.inc({ stage: 'accept' });
      const leftOut = acceptLines.next();
      if (leftOut === undefined) return;
      lines.error({ event: 'accept-failed', leftOut, cause: describeCause(cause) });
      flushNow();
    },

    /** The limit of descriptors allows fewer connections than the settings. */
    descriptorsFew(warning: string): void {
      lines.warn({ event: 'descriptors-few', warning });
    },

    /** Descriptors were counted. `changed`: from now on few are left, or enough again. */
    descriptorsMeasured({ free, limit, isLow }: DescriptorCount, changed: boolean): void {
      metrics.descriptorsFree.set(free);
      if (!changed) return;
      const line = { free, limit };
      if (isLow) {
        const warning =
          'connections are closed and rejected to keep descriptors free: find what has them open, and raise ulimit -n';
        lines.error({ event: 'descriptors-low', ...line, warning });
        flushNow();
      } else lines.info({ event: 'descriptors-recovered', ...line });
    },

    /** A limit was met: something was rejected, or given up for others. */
    limitMet(limit: LimitName): void {
      metrics.limitsMet.inc({ limit });
      const leftOut = limit === 'connections' ? fullLines.next() : undefined;
      if (leftOut === undefined) return;
      const warning = 'for each new connection, an idle connection is closed, or the new one is rejected';
      lines.warn({ event: 'connections-full', leftOut, warning });
    },

    /** How much of each limit is in use, whenever somebody asks for the metrics. */
    watchLimits(inUse: () => Readonly<Partial<Record<LimitName, number>>>): void {
      metrics.watchLimits(inUse);
    },

    /** The service accepts connections. */
    started(facts: Readonly<Record<string, string | number | boolean>>): void {
      lines.info({ event: 'started', ...facts });
      flushNow();
    },

    /** Nobody has to prove who they are, on an address that others may reach. */
    anonymousOpen(address: string): void {
      lines.warn({ event: 'anonymous-open', address, warning: 'every caller may issue under the default issuer' });
    },

    /** Settings may not mean what the operator meant. */
    settingsDoubtful(warning: string): void {
      lines.warn({ event: 'settings-doubtful', warning });
    },

    /** No new call is taken; those in flight may finish. */
    draining(graceMs: number): void {
      lines.info({ event: 'draining', graceMs });
    },

    /** The last connection is closed. `cut` counts those that the end of the grace cut off. */
    stopped(cut: number): void {
      lines.info({ event: 'stopped', cut });
    },

    /** Entries became durable in one commit. `size` is that of the tree after it. */
    ledgerCommitted(commit: { readonly entries: number; readonly durationMs: number; readonly size: bigint }): void {
      metrics.ledgerSize.set(Number(commit.size));
      metrics.commitEntries.observe(commit.entries);
      metrics.commitSeconds.observe(commit.durationMs / 1000);
      const { entries, durationMs, size } = commit;
      lines.debug({ event: 'ledger-commit', entries, durationMs: round(durationMs), size: String(size) });
    },

    /** The ledger was opened with this size. */
    ledgerOpened(size: bigint): void {
      metrics.ledgerSize.set(Number(size));
      lines.info({ event: 'ledger-opened', size: String(size) });
    },

    /** The ledger had no high-water mark, and has one now. */
    markMade(size: bigint): void {
      const warning =
        'a loss of entries before now cannot be detected: compare the ledger with a checkpoint that was kept elsewhere';
      lines.warn({ event: 'ledger-mark-made', size: String(size), warning });
    },

    /** Pages of the high-water mark cannot be read. What is compared with the ledger is what the others say. */
    markDamaged(pages: number): void {
      const warning =
        'the mark was read from other pages, which may be older: this is expected after a crash of the machine; otherwise ' +
        'check the disk, and compare the ledger with a checkpoint that was kept elsewhere';
      lines.warn({ event: 'ledger-mark-damaged', pages, warning });
    },

    /** There was no `once.db` beside a ledger with entries; there is one now. */
    usesForgotten(): void {
      const warning = 'tokens that were used before now are accepted once more until they expire';
      lines.warn({ event: 'uses-forgotten', warning });
    },

    /** A part that the service stands on failed (the ledger, the replay guard, the signer), seen as this reason. */
    dependencyFailed(reason: ErrorReason, cause: unknown): void {
      metrics.dependencyFailures.inc({ reason });
      lines.error({ event: 'dependency-failed', ...describeFailure(cause), reason });
    },

    /** There is no primary of the database that can be used: what needs it is rejected at once. Called when that begins. */
    databaseLost(cause: unknown): void {
      metrics.databaseDown.set(1);
      const warning = 'calls that need the database are rejected until a server answers as the primary';
      lines.error({ event: 'database-lost', ...describeFailure(cause), warning });
      flushNow();
    },

    /** Connections go to this server from now on. `downMs`: for how long there was none; undefined where another one was used before. */
    databaseFound(server: string, downMs: number | undefined): void {
      metrics.databaseDown.set(0);
      lines.info({ event: 'database-found', server, ...(downMs === undefined ? {} : { downMs: round(downMs) }) });
      flushNow();
    },

    /** A change of a signing key was read from the ledger: it holds from now on. */
    keyChanged({ kid, state, by }: { readonly kid: string; readonly state: string; readonly by: string }): void {
      metrics.keyChanges.inc({ state });
      lines.info({ event: 'key-changed', kid, state, by: cleanText(by) });
    },

    /** Something about signing keys failed, and is tried again. `isNews`: it did not fail in this way a moment ago. */
    keysFailed(cause: unknown, isNews = true): void {
      metrics.keyFailures.inc();
      if (isNews) lines.error({ event: 'keys-failed', ...describeFailure(cause) });
    },

    /** The failure of `keys-failed` is over: changes of keys are read and recorded again. */
    keysRecovered(): void {
      lines.info({ event: 'keys-recovered' });
    },

    /** Marks of compromise that others set cannot be looked for: those that are known count. Called once; reading is retried. */
    marksFailed(cause: unknown): void {
      lines.error({ event: 'marks-failed', ...describeFailure(cause) });
    },

    /** The failure of `marks-failed` is over. */
    marksRecovered(): void {
      lines.info({ event: 'marks-recovered' });
    },

    /** The key that should sign cannot be opened or used, so that nothing is issued; or that is over. Why is in `keys-failed` or `signer-region-down`. */
    signingKeyMissing(isMissing: boolean): void {
      metrics.signingKeyMissing.set(isMissing ? 1 : 0);
      if (isMissing) {
        const warning =
          'nothing is issued until the key can be used; everything else is served, and opening it is retried';
        lines.error({ event: 'signing-key-missing', warning });
      } else lines.info({ event: 'signing-key-opened' });
      flushNow();
    },

    /** The policy by which callers are permitted what they ask for: at the start, and when it has changed. */
    policyInForce(digest: string): void {
      metrics.policyRejections.inc(0);
      lines.info({ event: 'policy-in-force', digest });
    },

    /** A caller was rejected by the policy. `policies`: those that forbid it; none where nothing permits it. */
    policyRejected(rejection: PolicyRejectionLine): void {
      metrics.policyRejections.inc();
      const leftOut = policyLines.next();
      if (leftOut === undefined) return;
      const { caller, action, resource, policies, errors, digest } = rejection;
      const decided = policies.length === 0 ? 'nothing permits it' : policies.map(cleanText).join(', ');
      const failed = errors.length === 0 ? {} : { failed: errors.map(cleanText).join('; ') };
      lines.warn({
        event: 'policy-refused',
        caller: cleanText(caller),
        action,
        resource: cleanText(resource),
        decided,
        ...failed,
        ...(leftOut === 0 ? {} : { leftOut }),
        digest,
      });
    },

    /** Files of the configuration have changed, and are in force. */
    filesReloaded(files: string): void {
      metrics.reloads.inc({ files, outcome: 'replaced' });
      metrics.reloadRejected.set({ files }, 0);
      lines.info({ event: 'files-reloaded', files });
    },

    /** Files of the configuration have changed and cannot be used: those before stay in force. */
    reloadRejected(files: string, why: string): void {
      metrics.reloads.inc({ files, outcome: 'refused' });
      metrics.reloadRejected.set({ files }, 1);
      lines.error({ event: 'reload-refused', files, why: why.slice(0, MAX_WHY_LENGTH) });
      flushNow();
    },

    /** The files that are in force are on disk again, in place of those that could not be used. */
    reloadRestored(files: string): void {
      metrics.reloadRejected.set({ files }, 0);
      lines.info({ event: 'reload-restored', files });
    },

    /** A certificate is in force until then. */
    certificateInForce({ certificate, notAfterMs }: CertificateEnd): void {
      metrics.certificateExpiry.set({ certificate }, Math.floor(notAfterMs / 1000));
    },

    /** Nobody has renewed the certificate, and its end is near, or past. */
    certificateEnding({ certificate, path, notAfterMs }: CertificateEnd, expired: boolean): void {
      const line = { certificate, path, notAfter: new Date(notAfterMs).toISOString() };
      if (expired) lines.error({ event: 'certificate-expired', ...line });
      else lines.warn({ event: 'certificate-ending', ...line });
      flushNow();
    },

    /** A stream of the SPIFFE Workload API brings messages again. */
    workloadApiUp(stream: string): void {
      metrics.workloadApiUp.set({ stream }, 1);
      lines.info({ event: 'workload-api-up', stream });
    },

    /** It ended, or cannot be opened; it is tried again. `isNews`: it differs from the last report. */
    workloadApiDown(stream: string, why: string, isNews: boolean): void {
      metrics.workloadApiUp.set({ stream }, 0);
      if (isNews) lines.error({ event: 'workload-api-down', stream, why: cleanText(why) });
      flushNow();
    },

    /** A message of the SPIFFE Workload API cannot be used: what came before stays in force. */
    workloadApiRejected(stream: string, why: string): void {
      metrics.workloadApiUpdates.inc({ outcome: 'refused' });
      lines.error({ event: 'workload-api-refused', stream, why: cleanText(why) });
      flushNow();
    },

    /** The identity of the service, and the trust domains whose workloads it knows. */
    svidInForce({ spiffeId, notAfterMs, trustDomains, problems }: SvidInForce): void {
      metrics.workloadApiUpdates.inc({ outcome: 'replaced' });
      const line = { event: 'svid-in-force', spiffeId, notAfter: new Date(notAfterMs).toISOString(), trustDomains };
      if (problems.length === 0) lines.info(line);
      else lines.warn({ ...line, refused: problems.join('; ').slice(0, MAX_WHY_LENGTH) });
    },

    /** The service has no identity any more, and rejects its callers. */
    svidLost(why: string): void {
      metrics.workloadApiUpdates.inc({ outcome: 'lost' });
      lines.error({ event: 'svid-lost', why });
      flushNow();
    },

    /** The keys of a foreign issuer were fetched. `isNews`: they, or what is wrong with some of them, differ from before. */
    foreignKeysTaken(iss: string, { keys, problems }: ForeignKeys, isNews: boolean): void {
      metrics.foreignKeyFetches.inc({ issuer: iss, outcome: 'taken' });
      metrics.foreignKeys.set({ issuer: iss }, keys.length);
      if (!isNews) return;
      const line = { event: 'foreign-keys-taken', issuer: cleanText(iss), keys: keys.length };
      if (problems.length === 0) lines.info(line);
      else lines.warn({ ...line, refused: problems.join('; ').slice(0, MAX_WHY_LENGTH) });
    },

    /** They could not be. The last good ones count until they are too old. `isNews`: it differs from the last report. */
    foreignKeysFailed(iss: string, why: string, isNews: boolean): void {
      metrics.foreignKeyFetches.inc({ issuer: iss, outcome: 'failed' });
      if (isNews) {
        lines.error({ event: 'foreign-keys-failed', issuer: cleanText(iss), why: why.slice(0, MAX_WHY_LENGTH) });
      }
    },

    /** The last good keys of a foreign issuer are too old: nothing that it signed is trusted until there are others. */
    foreignKeysExpired(iss: string): void {
      metrics.foreignKeys.set({ issuer: iss }, 0);
      lines.error({ event: 'foreign-keys-expired', issuer: cleanText(iss) });
      flushNow();
    },

    /** The operator took a foreign issuer out of the trust file. */
    foreignIssuerRemoved(iss: string): void {
      metrics.foreignKeys.remove({ issuer: iss });
      lines.info({ event: 'foreign-issuer-removed', issuer: cleanText(iss) });
    },

    /** A region of the key service went out of use, or came back. `failure`: why it went. */
    signerRegionChanged(
      region: string,
      failure: { readonly reason: ErrorReason; readonly cause?: unknown } | undefined,
    ): void {
      metrics.signerRegionDown.set({ region }, failure === undefined ? 0 : 1);
      if (failure === undefined) lines.info({ event: 'signer-region-back', region });
      else {
        const { reason, cause } = failure;
        lines.error({ event: 'signer-region-down', region, ...describeFailure(cause), reason });
      }
    },

    /** Redis remembers uses of tokens. `begun`: tokens from before that second are rejected, since they may have been used. */
    redisUp({ warnings, begun }: { readonly warnings: readonly string[]; readonly begun: number | undefined }): void {
      metrics.redisDown.set(0);
      lines.info({ event: 'redis-up' });
      if (begun !== undefined) {
        const warning =
          'Redis does not know which tokens were used before: tokens that were issued before are rejected';
        lines.warn({ event: 'redis-history-begun', since: new Date(1000 * begun).toISOString(), warning });
      }
      for (const warning of warnings) lines.warn({ event: 'redis-doubtful', warning });
      flushNow();
    },

    /** The replay guard in Redis cannot be used: claims are rejected until it can. */
    redisDown(failure: { readonly reason: ErrorReason; readonly cause?: unknown }): void {
      metrics.redisDown.set(1);
      lines.error({ event: 'redis-down', ...describeFailure(failure) });
      flushNow();
    },

    /** Somebody signs two different tokens for one task: a broken issuer, or a stolen key. */
    equivocated(task: TaskNames, seenBy: 'guard' | 'ledger'): void {
      metrics.equivocations.inc({ seen_by: seenBy });
      lines.warn({ event: 'equivocation', seenBy, ...cleanTask(task) });
    },

    /** A token was rejected because its level is below `minimum`. */
    levelRejected(minimum: string): void {
      metrics.levelRejections.inc({ minimum });
      lines.debug({ event: 'level-refused', minimum });
    },

    /** A token that left before its entry was recorded has its entry now, or, for `reason`, never will. */
    backgroundAppend(task: TaskNames, reason: ErrorReason | undefined): void {
      metrics.backgroundAppends.inc({ outcome: reason === undefined ? 'landed' : 'failed' });
      const line = { event: 'background-append', ...cleanTask(task) };
      if (reason === undefined) lines.debug({ ...line, outcome: 'landed' });
      else lines.error({ ...line, outcome: 'failed', reason });
    },

    /** Bytes were taken from a caller's quota before they are written; negative: given back, since nothing was written. */
    callerWrote(use: string, bytes: number): void {
      metrics.callerWriteBytes.inc({ use, direction: bytes < 0 ? 'given_back' : 'taken' }, Math.abs(bytes));
    },

    /** A write for a caller was rejected: its own line says to whom. */
    callerWriteRejected(use: string, reason: ErrorReason): void {
      metrics.callerWriteRejections.inc({ use, reason });
    },

    /** Where the metrics ask what is left of the quotas. */
    watchWriteQuotas(read: ReadQuotas): void {
      metrics.callerWriteQuotas.from(read);
    },

    /** The free space was measured. `changed`: from now on callers can have something written again, or no longer. */
    storageMeasured(space: StorageSpace, changed: boolean): void {
      const { free, floor, hasRoom } = space;
      metrics.storageFree.set(free);
      metrics.storageFloor.set(floor);
      if (!changed) return;
      const line = { freeBytes: free, floorBytes: Math.round(floor) };
      if (hasRoom) lines.info({ event: 'storage-recovered', ...line });
      else
        lines.error({ event: 'storage-low', ...line, warning: 'nothing is written for callers until there is space' });
    },

    /** A file of the data directory was deleted or replaced, so nothing is recorded; undefined: all are in place again. */
    storageReplaced(file: string | undefined): void {
      metrics.storageReplaced.set(file === undefined ? 0 : 1);
      if (file === undefined) lines.info({ event: 'storage-in-place' });
      else {
        const warning =
          'nothing is recorded: put the files back, or export what the service still serves and restart it';
        lines.error({ event: 'storage-replaced', file, warning });
      }
      flushNow();
    },

    /** The wall clock is not trusted: nothing is issued or recorded until it is. */
    clockDoubted({ against, differenceMs }: { readonly against: string; readonly differenceMs: number }): void {
      const differenceSeconds = Math.round(differenceMs / 1000);
      const warning = 'nothing is issued or recorded until the wall clock is right: set it (NTP)';
      lines.error({ event: 'clock-doubted', against, differenceSeconds, warning });
      flushNow();
    },

    /** The file of what time it was says nothing. */
    clockForgotten(): void {
      const warning =
        'clock.json cannot be read: the wall clock is trusted if it is not before the newest entry; check that it is right (NTP)';
      lines.warn({ event: 'clock-forgotten', warning });
    },

    /** The wall clock is trusted again. The time of the service changed by `aheadMs` with it. */
    clockTrusted(aheadMs: number): void {
      lines.warn({ event: 'clock-believed', changedSeconds: Math.round(aheadMs / 1000) });
    },

    /** The wall clock was set by so little that it is trusted. */
    clockStepped(aheadMs: number): void {
      lines.warn({ event: 'clock-stepped', changedSeconds: Math.round(aheadMs / 1000) });
    },

    /** The wall clock was compared with monotonic time. */
    clockMeasured(aheadMs: number, isDoubted: boolean): void {
      metrics.clockAhead.set(aheadMs / 1000);
      metrics.clockDoubted.set(isDoubted ? 1 : 0);
    },

    /** The told time was compared with the clock of the database, which replicas share. `isFar`: by 5 s and more. */
    clockCompared(aheadMs: number, isFar: boolean): void {
      metrics.clockAheadOfDatabase.set(aheadMs / 1000);
      if (isFar === isClockFar) return;
      isClockFar = isFar;
      const line = { aheadSeconds: Math.round(aheadMs / 1000) };
      if (isFar) {
        const warning =
          'the clocks of this machine and of the database differ: set the wrong one (NTP); at 30 s nothing is issued';
        lines.warn({ event: 'clock-differs', ...line, warning });
      } else lines.info({ event: 'clock-agrees', ...line });
    },

    /** From now on this replica does what one does for all, or does not. `token`: of the lease. */
    backgroundLeaseChanged(token: number | undefined): void {
      metrics.backgroundLease.set(token === undefined ? 0 : 1);
      if (token === undefined) lines.info({ event: 'background-left' });
      else lines.info({ event: 'background-taken', token });
    },

    /** The disk failed under a file: in a statement, a sync, while pages were moved, or while it was scrubbed. */
    storageFailed(file: string, stage: string, cause: unknown, isNews: boolean): void {
      metrics.storageFailures.inc({ file, stage });
      if (!isNews) return;
      lines.error({ event: 'storage-failed', file, stage, cause: describeCause(cause) });
      flushNow();
    },

    /** All files can be written again. */
    storageWritable(): void {
      lines.info({ event: 'storage-writable' });
    },

    /** A file can be written again by a new process only. */
    storageLost(file: string): void {
      lines.error({
        event: 'storage-lost',
        file,
        warning: 'the process exits, so that its successor opens the file again',
      });
      flushNow();
    },

    /** Something in a file cannot be: from now on nothing is written to it. */
    storageDamaged(file: string, { index, fault }: { readonly index: number | null; readonly fault: string }): void {
      metrics.storageDamaged.set({ file }, 1);
      const where = index === null ? {} : { index };
      lines.error({
        event: 'storage-damaged',
        file,
        ...where,
        fault: cleanText(fault),
        warning: 'nothing is written to it any more',
      });
      flushNow();
    },

    /** A pass over the whole file found nothing any more: it is written again. */
    storageSound(file: string): void {
      metrics.storageDamaged.set({ file }, 0);
      lines.info({ event: 'storage-sound', file });
    },

    /** So many more entries were examined. */
    ledgerScrubbed(entries: number): void {
      metrics.scrubbedEntries.inc(entries);
    },

    /** A pass over a whole file has ended. */
    storageScrubbed(file: string, entries: number, isSound: boolean): void {
      if (isSound) metrics.scrubPassed.set({ file }, Math.floor(Date.now() / 1000));
      lines.debug({ event: 'storage-scrubbed', file, entries, sound: isSound });
    },

    /** The ledger was examined before the service takes calls: so many of its newest entries. */
    ledgerChecked({ examined, size }: { readonly examined: number; readonly size: number }): void {
      lines.info({ event: 'ledger-checked', examined, size });
    },

    /** A connection did not reach a worker that has no descriptor left. It gets no other, so another takes its place. */
    workerDeaf(number: number): void {
      const warning =
        'a connection did not reach the worker (descriptors-low), and it can receive no other: it is replaced';
      lines.error({ event: 'worker-deaf', worker: number, warning });
      flushNow();
    },

    /** A worker died, or could not start. `pauseMs`: another follows after that time; undefined: none does. */
    workerEnded(end: {
      readonly worker: number;
      readonly how: number | string;
      readonly livedMs: number;
      readonly pauseMs: number | undefined;
    }): void {
      metrics.workersEnded.inc();
      const { how, livedMs, pauseMs } = end;
      const line = { event: 'worker-ended', worker: end.worker, how, livedMs: round(livedMs) };
      if (pauseMs === undefined) lines.error({ ...line, restarted: false });
      else lines.warn({ ...line, restarted: true, pauseMs });
      flushNow();
    },

    /** The metrics as data. */
    snapshot(): Promise<MetricsSnapshot> {
      return metrics.registry.getMetricsAsJSON();
    },

    /** The metrics in the Prometheus text format. */
    metrics(): Promise<string> {
      return metrics.registry.metrics();
    },

    close(): void {
      metrics.close();
      flushNow();
    },
  };
}

function levelName(label: string): { readonly level: string } {
  return { level: label };
}
