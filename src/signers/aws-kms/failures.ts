// Maps errors of AWS KMS to reasons. Messages of AWS are dropped: they name accounts and roles, and one of them quotes the headers of the
// request with the session token.

import { EctError, reject } from '../../errors.ts';

type Reason = 'SIGNER_UNAVAILABLE' | 'SIGNER_MISCONFIGURED' | 'SIGNER_BAD_OUTPUT';

/**
 * What a start does after a failure: it continues without the key, and retries; it does so only if the name of the key is known to be
 * right; or it ends, because only other settings make the key usable.
 */
export type AtStart = 'wait' | 'wait-if-known' | 'fail';

/** The failure, for the operator. It is the cause of an EctError, and contains no text of AWS except names. */
export class KmsFailure extends Error {
  override readonly name = 'KmsFailure';
  readonly atStart: AtStart;
  /** The failure and its remedy for callers, without region, request or key. */
  readonly brief: string;

  constructor(message: string, atStart: AtStart, brief: string) {
    super(message);
    this.atStart = atStart;
    this.brief = brief;
  }
}

const SENTENCES: Readonly<Record<Reason, string>> = {
  SIGNER_UNAVAILABLE: 'The key service cannot sign now.',
  SIGNER_MISCONFIGURED: 'The key service does not sign with the configured key.',
  SIGNER_BAD_OUTPUT: 'The key service returned a signature that does not verify.',
};

const USE_CREDENTIALS = 'give the service AWS credentials that are valid, and check its clock';
const USE_OTHER_KEY = 'use a key of spec ECC_NIST_P256 and usage SIGN_VERIFY';

/** Errors that no retry corrects, by name, with their remedies. */
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

/** Temporary errors among those with a status below 500. */
const PASSING = new Set(['ThrottlingException', 'LimitExceededException', 'TooManyRequestsException']);

/** Errors among these that may end without a restart: a permission is granted, a key enabled, credentials are renewed. */
const MENDED_ELSEWHERE: ReadonlySet<string> = new Set([
  ...Object.keys(MISCONFIGURED).filter((name) => MISCONFIGURED[name] === USE_CREDENTIALS),
  'AccessDeniedException',
  'DisabledException',
  'KMSInvalidStateException',
]);

/** What a start does, and the message for callers, by the error alone. */
interface ForStart {
  readonly atStart: AtStart;
  readonly brief: string;
}

/** Creates a rejection; `detail` is only for the operator. */
export function kmsError(reason: Reason, detail: string, forStart: Partial<ForStart> = {}): EctError {
  const { atStart = 'fail', brief } = forStart;
  // The same message as after a start without the key.
  const message = brief === undefined ? SENTENCES[reason] : `The signing key cannot be used in AWS KMS (${brief}).`;
  return new EctError(reject(reason, message), { cause: new KmsFailure(detail, atStart, brief ?? SENTENCES[reason]) });
}

/** The rejection without its cause, for later calls: it was logged when it happened. */
export function repeated({ rejection }: EctError): EctError {
  return new EctError(rejection);
}

/** The rejection for anything that the SDK threw for `call`. */
export function asKmsError(thrown: unknown, call: string): EctError {
  const { name, code, status, requestId } = read(thrown);
  const what = `${call}: ${[name, code, status, requestId].filter((part) => part !== undefined).join(', ')}`;
  const remedy = Object.hasOwn(MISCONFIGURED, name) ? MISCONFIGURED[name] : undefined;
  if (remedy !== undefined) {
    return kmsError('SIGNER_MISCONFIGURED', `${what}: ${remedy}.`, {
      atStart: name === 'NotFoundException' ? 'wait-if-known' : MENDED_ELSEWHERE.has(name) ? 'wait' : 'fail',
      brief: `${name}: ${remedy}`,
    });
  }
  if (name === 'CredentialsProviderError') {
    const step = `no credentials could be found; ${USE_CREDENTIALS}`;
    return kmsError('SIGNER_UNAVAILABLE', `${what}: ${step}.`, { atStart: 'wait', brief: step });
  }
  // Without a status there was no response, or it could not be read.
  const noAnswer = status === undefined && (code !== undefined || name === 'AbortError' || name === 'TimeoutError');
  const isTheirs = status !== undefined && (status >= 500 || status === 429);
  if (noAnswer || isTheirs || PASSING.has(name)) {
    const brief = `${code ?? name}: ${noAnswer ? CHECK_NETWORK : CHECK_HEALTH}`;
    return kmsError('SIGNER_UNAVAILABLE', `${what}.`, { atStart: 'wait', brief });
  }
  if (status !== undefined && status >= 400)
    return kmsError('SIGNER_MISCONFIGURED', `${what}: check ECT_KMS_ENDPOINT.`);
  return kmsError('SIGNER_BAD_OUTPUT', `${what}: the answer cannot be read.`);
}

const CHECK_NETWORK = 'it does not answer; check the network to it and ECT_KMS_ENDPOINT';
const CHECK_HEALTH = 'it answers that it cannot now; check its health and the quota';

interface Facts {
  readonly name: string;
  readonly code: string | undefined;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
}

/** The SDK attaches data of the response, which the server controls. */
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
