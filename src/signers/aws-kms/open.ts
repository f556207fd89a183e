// The start: looks the key up in every region, checks that it is a signing key, and tries it.

import { setTimeout as pause } from 'node:timers/promises';
import { EctError } from '../../errors.ts';
import { type AtStart, KmsFailure } from './failures.ts';
import { identifyKey, type KeyIdentity } from './identity.ts';
import { type Kms, openKms } from './kms.ts';
import type { AwsKmsOptions, Timing } from './options.ts';
import { KmsRegion, type SignRequest } from './region.ts';

/** A key in KMS that cannot be used. The message has the next step. */
export class KmsKeyError extends Error {
  override readonly name = 'KmsKeyError';
  readonly atStart: AtStart;
  /** The message for callers. */
  readonly brief: string;

  constructor(message: string, options: ErrorOptions & { readonly atStart?: AtStart; readonly brief?: string } = {}) {
    super(message, options);
    const { atStart = 'fail', brief = 'it is not the key of before; the log of the service says what to do' } = options;
    this.atStart = atStart;
    this.brief = brief;
  }
}

/** The result of one region. */
interface Found {
  readonly name: string;
  readonly kms: Kms;
  readonly result: KeyIdentity | EctError;
}

/** Opens every region, or none. A region that does not respond is opened as unavailable if another one responds. */
export async function openRegions(
  options: AwsKmsOptions,
  timing: Timing,
  trial: SignRequest,
): Promise<{ readonly identity: KeyIdentity; readonly regions: readonly KmsRegion[] }> {
  const found = await Promise.all(options.regions.map((name) => find(name, options, timing)));
  // A region that fails during the start was never available, so no callback is called for it.
  let isOpen = false;
  const onChange: AwsKmsOptions['onChange'] = (name, failure) => isOpen && options.onChange?.(name, failure);
  try {
    const identity = agree(found);
    const regions = found.map(({ name, kms, result }) => {
      const region = new KmsRegion({ ...options, ...timing, name, kms, identity, onChange });
      if (result instanceof EctError) region.suspend(result);
      return region;
    });
    await prove(regions, timing, trial);
    isOpen = true;
    for (const { name, failure } of regions) if (failure !== undefined) onChange(name, failure);
    return { identity, regions };
  } catch (error) {
    for (const { kms } of found) kms.close();
    throw error;
  }
}

async function find(name: string, { key, endpoint, concurrency }: AwsKmsOptions, timing: Timing): Promise<Found> {
  const { callMs } = timing;
  const kms = await openKms({ key: inRegion(key, name), region: name, endpoint, connections: concurrency, callMs });
  const result = await attempt(timing, (signal) => identifyKey(kms, name, signal));
  return { name, kms, result };
}

/** The replica of a multi-Region key has the same ARN but for the region. */
function inRegion(key: string, region: string): string {
  return key.replace(/^(arn:[^:]+:kms):[^:]+:/, `$1:${region}:`);
}

/** The key that all responding regions share. */
function agree(found: readonly Found[]): KeyIdentity {
  const failures = found.map(({ result }) => result).filter((result) => result instanceof EctError);
  const identities = found.flatMap(({ name, result }) =>
    result instanceof EctError ? [] : [{ name, identity: result }],
  );
  const [first] = identities;
  rejectFatal(failures, first === undefined);
  const stranger = identities.find(({ identity: { keyId, jwk } }) => {
    return keyId !== first!.identity.keyId || jwk.kid !== first!.identity.jwk.kid;
  });
  if (stranger !== undefined) {
    throw new KmsKeyError(
      `ECT_KMS_KEY is one key in ${first!.name} and another in ${stranger.name}: ` +
        'name a multi-Region key that is replicated to every region of ECT_KMS_REGION.',
    );
  }
  return first!.identity;
}

/** The first signature, in every region that responded, shows whether signing is permitted. */
async function prove(regions: readonly KmsRegion[], timing: Timing, trial: SignRequest): Promise<void> {
  const open = regions.filter(({ failure }) => failure === undefined);
  const results = await Promise.all(open.map((region) => attempt(timing, (signal) => region.trySign(trial, signal))));
  const failures = results.filter((result) => result instanceof EctError);
  rejectFatal(failures, failures.length === open.length);
  for (const [at, result] of results.entries()) if (result instanceof EctError) open[at]!.suspend(result);
}

/** One region is sufficient, unless another one has an error that only other settings correct. */
function rejectFatal(failures: readonly EctError[], haveAllFailed: boolean): void {
  const fatal = failures.find((failure) => atStartOf(failure) !== 'wait');
  if (fatal !== undefined) throw startError(fatal);
  if (haveAllFailed) throw startError(failures[0]!);
}

function atStartOf({ cause }: EctError): AtStart {
  return cause instanceof KmsFailure ? cause.atStart : 'fail';
}

/** The response, or the rejection after the last useful retry. */
async function attempt<T>(
  { attempts, pauseMs }: Timing,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T | EctError> {
  const { signal } = new AbortController();
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask(signal);
    } catch (error) {
      if (!(error instanceof EctError)) throw error;
      if (error.reason !== 'SIGNER_UNAVAILABLE' || attempt >= attempts) return error;
      await pause(pauseMs * 2 ** (attempt - 1));
    }
  }
}

function startError(error: EctError): KmsKeyError {
  const { cause } = error;
  const isOurs = cause instanceof KmsFailure;
  return new KmsKeyError(
    `The key of ECT_KMS_KEY cannot be used (${error.reason}). ${isOurs ? cause.message : error.message}`,
    { cause: error, atStart: atStartOf(error), brief: isOurs ? cause.brief : error.message },
  );
}
