// The signing key in AWS KMS as the service starts with it, or without it: a key service that does not answer must not keep an
// authority from verifying.

import type { KeysConfig } from '../config/keys.ts';
import type { SignerConfig } from '../config/signer.ts';
import { EctError } from '../errors.ts';
import type { AwaitedRoot, RootKey } from '../key-manager/index.ts';
import type { OpenSigner } from '../keys/index.ts';
import { type AwsKmsOptions, AwsKmsSigner, KmsKeyError } from '../signers/aws-kms/index.ts';

/** A start waits for the key no longer. */
const START_WAIT_MS = 5_000;

const HOUR_MS = 3_600_000;
/** In the life of a delegated key. */
const IDLE_TRIALS = 4;

export function openKmsKey(
  config: SignerConfig & { kind: 'kms' },
  keys: KeysConfig,
  onChange?: AwsKmsOptions['onChange'],
): Promise<AwsKmsSigner> {
  return AwsKmsSigner.open({ ...config, timing: idleTiming(keys), ...(onChange === undefined ? {} : { onChange }) });
}

/**
 * How long a key in KMS may be idle before it is tried. In two tiers it is usually idle, and readiness does not depend on it, so
 * a few trials in the lifetime of a delegated key suffice to report a lost permission before the renewal.
 * @internal Exported because the rule is tested by itself.
 */
export function idleTiming({ signing, delegatedHours }: Pick<KeysConfig, 'signing' | 'delegatedHours'>) {
  return signing === 'direct' ? {} : { idleMs: (delegatedHours * HOUR_MS) / IDLE_TRIALS };
}

/**
 * The key, or what a start without it needs. KmsKeyError where the key could not be used under these settings whatever changes
 * elsewhere.
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
  // A failure that comes later is for those who await the key then.
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

/** The same key, checked by `demand` once it is open. Callers get the error of that check, too. */
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

/** An attempt to open `key`, whose failure has a sentence for callers: it names neither account, region nor request. */
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
