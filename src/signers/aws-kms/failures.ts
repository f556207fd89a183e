// How AWS KMS fails, in our words. Its own sentences stay here: they name accounts and roles, and one of them quotes the
// headers of the request with the session token.

import { EctError, refuse } from '../../errors.ts';

type Reason = 'SIGNER_UNAVAILABLE' | 'SIGNER_MISCONFIGURED' | 'SIGNER_BAD_OUTPUT';

/** What went wrong, for the operator. It is the cause of an EctError, and holds no text of AWS but names. */
export class KmsFailure extends Error {
  override readonly name = 'KmsFailure';
}

const SENTENCES: Readonly<Record<Reason, string>> = {
  SIGNER_UNAVAILABLE: 'The key service cannot sign now.',
  SIGNER_MISCONFIGURED: 'The key service does not sign with the configured key.',
  SIGNER_BAD_OUTPUT: 'The key service answered something that does not verify.',
};

const USE_CREDENTIALS = 'give the service AWS credentials that are valid, and check its clock';
const USE_OTHER_KEY = 'use a key of spec ECC_NIST_P256 and usage SIGN_VERIFY';

/** Errors that no retry mends, by name, and what does. */
const MISCONFIGURED: Readonly<Record<string, string>> = {
  AccessDeniedException: 'allow kms:Sign, kms:GetPublicKey and kms:DescribeKey on the key',
  DisabledException: 'enable the key',
  ExpiredToken: USE_CREDENTIALS,
  ExpiredTokenException: USE_CREDENTIALS,
  IncompleteSignature: USE_CREDENTIALS,
  InvalidArnException: 'correct ECT_KMS_KEY',
  InvalidClientTokenId: USE_CREDENTIALS,
  InvalidKeyUsageException: USE_OTHER_KEY,
  InvalidSignatureException: USE_CREDENTIALS,
  KMSInvalidStateException: 'cancel the deletion of the key, or complete its import',
  MissingAuthenticationTokenException: USE_CREDENTIALS,
  NotFoundException: 'correct ECT_KMS_KEY and ECT_KMS_REGION',
  UnrecognizedClientException: USE_CREDENTIALS,
  UnsupportedOperationException: USE_OTHER_KEY,
  ValidationException: 'correct ECT_KMS_KEY',
};

/** Errors that pass, among those that come with a status below 500. */
const PASSING = new Set(['ThrottlingException', 'LimitExceededException', 'TooManyRequestsException']);

/** Makes the refusal of a reason; `detail` is for the operator alone. */
export function kmsError(reason: Reason, detail: string): EctError {
  return new EctError(refuse(reason, SENTENCES[reason]), { cause: new KmsFailure(detail) });
}

/** The refusal without its cause, for those whom it meets second-hand: it is logged where it happens. */
export function repeated({ refusal }: EctError): EctError {
  return new EctError(refusal);
}

/** Whatever the SDK threw for `call`, as a refusal. */
export function asKmsError(thrown: unknown, call: string): EctError {
  const { name, code, status, requestId } = read(thrown);
  const what = `${call}: ${[name, code, status, requestId].filter((part) => part !== undefined).join(', ')}`;
  const remedy = Object.hasOwn(MISCONFIGURED, name) ? MISCONFIGURED[name] : undefined;
  if (remedy !== undefined) return kmsError('SIGNER_MISCONFIGURED', `${what}: ${remedy}.`);
  if (name === 'CredentialsProviderError') {
    return kmsError('SIGNER_UNAVAILABLE', `${what}: no credentials could be found; ${USE_CREDENTIALS}.`);
  }
  // Without a status there was no answer, unless it is the answer that could not be read.
  const noAnswer = status === undefined && (code !== undefined || name === 'AbortError' || name === 'TimeoutError');
  const isTheirs = status !== undefined && (status >= 500 || status === 429);
  if (noAnswer || isTheirs || PASSING.has(name)) return kmsError('SIGNER_UNAVAILABLE', `${what}.`);
  if (status !== undefined && status >= 400)
    return kmsError('SIGNER_MISCONFIGURED', `${what}: check ECT_KMS_ENDPOINT.`);
  return kmsError('SIGNER_BAD_OUTPUT', `${what}: the answer cannot be read.`);
}

interface Facts {
  readonly name: string;
  readonly code: string | undefined;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
}

/** The SDK attaches what it knows of the answer; whoever answered chose all of it. */
function read(thrown: unknown): Facts {
  if (!(thrown instanceof Error))
    return { name: typeof thrown, code: undefined, status: undefined, requestId: undefined };
  const { code, $metadata } = thrown as {
    code?: unknown;
    $metadata?: { httpStatusCode?: unknown; requestId?: unknown };
  };
  const status = $metadata?.httpStatusCode;
  return {
    name: asName(thrown.name) ?? 'Error',
    code: asName(code),
    status: typeof status === 'number' ? status : undefined,
    requestId: asName($metadata?.requestId),
  };
}

function asName(value: unknown): string | undefined {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value) ? value : undefined;
}
