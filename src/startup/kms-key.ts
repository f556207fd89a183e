// Opens the signing key in AWS KMS, or starts without it: if KMS does not answer, the authority must still be able to verify.

import type { KeysConfig } from '../config/keys.ts';
import type { SignerConfig } from '../config/signer.ts';
import { EctError } from '../errors.ts';
import type { AwaitedRoot, RootKey } from '../key-manager/index.ts';
import type { OpenSigner } from '../keys/index.ts';
import { type AwsKmsOptions, AwsKmsSigner, KmsKeyError } from '../signers/aws-kms/index.ts';

/** How long a start waits for the key, in milliseconds. */
const START_WAIT_MS = 5_000;

const HOUR_MS = 3_600_000;
/** How many times an idle key is tried during the lifetime of a delegated key. */
const IDLE_TRIALS = 4;

export function openKmsKey(
  config: SignerConfig & { kind: 'kms' },
  keys: KeysConfig,
  onChange?: AwsKmsOptions['onChange'],
): Promise<AwsKmsSigner> {
  return AwsKmsSigner.open({ ...config, timing: idleTiming(keys), ...(onChange === undefined ? {} : { onChange }) });
}

/**
 * Returns how long a key in KMS may be idle before it is tried. With delegated keys it is usually idle and readiness does not depend on
 * it. A few trials during the lifetime of a delegated key suffice to report a lost permission before the key is needed.
 *
 * @internal Exported because the rule has tests of its own.
 */
export function idleTiming({ signing, delegatedHours }: Pick<KeysConfig, 'signing' | 'delegatedHours'>) {
  return signing === 'direct' ? {} : { idleMs: (delegatedHours * HOUR_MS) / IDLE_TRIALS };
}

/**
 * Returns the key, or a placeholder that continues to open it. Throws KmsKeyError if the key cannot be used with these settings whatever
 * changes in KMS.
 */
export async function openOrAwait(
  locator: string,
  open: () => Promise<OpenSigner>,
  waitMs = START_WAIT_MS,
): Promise<RootKey | AwaitedRoot> {
  const attempt = open();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, waitMs, undefined);
  });
  // A later failure is reported to those who await the key.
  attempt.catch(() => undefined);
  const awaited = { locator, attempt, open, startError: undefined };
  try {
    const signer = await Promise.race([attempt, late]);
    return signer === undefined ? awaited : { locator, signer };
  } catch (error) {
    if (!(error instanceof KmsKeyError) || error.atStart === 'fail') throw error;
    return error.atStart === 'wait-if-known' ? { ...awaited, startError: error } : awaited;
  } finally {
    clearTimeout(timer);
  }
}

/** Returns the same key, checked by `demand` after it has been opened. Callers also get the error of that check. */
export function demandLater(awaited: AwaitedRoot, demand: (signer: OpenSigner) => Promise<void>): AwaitedRoot {
  const checked = async (attempt: Promise<OpenSigner>) => {
    const signer = await attempt;
    try {
      await demand(signer);
      return signer;
    } catch (error) {
      signer.close();
      throw error;
    }
  };
  const attempt = forCallers(checked(awaited.attempt), CONFIGURED);
  attempt.catch(() => undefined);
  return { ...awaited, attempt, open: () => forCallers(checked(awaited.open()), CONFIGURED) };
}

/** Converts the failure of an attempt to open `key` into an error for callers: it names no account, region or request. */
export async function forCallers(attempt: Promise<OpenSigner>, key = 'The signing key'): Promise<OpenSigner> {
  try {
    return await attempt;
  } catch (thrown) {
    if (!(thrown instanceof KmsKeyError)) throw thrown;
    const { brief, cause } = thrown;
    const reason = cause instanceof EctError ? cause.reason : 'SIGNER_MISCONFIGURED';
    const message = `${key} cannot be opened in AWS KMS (${brief}).`;
    throw new EctError({ reason, message, metadata: {} }, { cause: thrown });
  }
}

const CONFIGURED = 'The signing key of ECT_KMS_KEY';
