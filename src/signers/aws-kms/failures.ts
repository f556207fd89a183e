// How AWS KMS fails, in our words. Its own sentences stay here: they name accounts and roles, and one of them quotes the
// headers of the request with the session token.

import { EctError, reject } from '../../errors.ts';

type Reason = 'SIGNER_UNAVAILABLE' | 'SIGNER_MISCONFIGURED' | 'SIGNER_BAD_OUTPUT';

/**
 * What a start does about a failure: it goes on without the key, and asks again; it does so only where it knows that the name
 * of the key is right; or it ends, since nothing that changes elsewhere makes the key usable under these settings.
 */
export type AtStart = 'wait' | 'wait-if-known' | 'fail';

/** What went wrong, for the operator. It is the cause of an EctError, and holds no text of AWS but names. */
export class KmsFailure extends Error {
  override readonly name = 'KmsFailure';
  readonly atStart: AtStart;
  /** The same for callers: what, and what to do, without region, request or key. */
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

/** Errors that no retry fixes, by name, and what does. */
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

/** Errors among these that may go away without a restart: a permission is granted, a key enabled, credentials are renewed. */
const MENDED_ELSEWHERE: ReadonlySet<string> = new Set([
  ...Object.keys(MISCONFIGURED).filter((name) => MISCONFIGURED[name] === USE_CREDENTIALS),
  'AccessDeniedException',
  'DisabledException',
  'KMSInvalidStateException',
]);

/** What a start does, and callers hear; by themselves of what an answer says. */
interface ForStart {
  readonly atStart: AtStart;
  readonly brief: string;
}

/** Makes the rejection of a reason; `detail` is for the operator alone. */
export function kmsError(reason: Reason, detail: string, forStart: Partial<ForStart> = {}): EctError {
  const { atStart = 'fail', brief } = forStart;
  // As a start without the key says it.
  const message = brief === undefined ? SENTENCES[reason] : `The signing key cannot be used in AWS KMS (${brief}).`;
  return new EctError(reject(reason, message), { cause: new KmsFailure(detail, atStart, brief ?? SENTENCES[reason]) });
}

/** The rejection without its cause, for those whom it meets second-hand: it is logged where it happens. */
export function repeated({ rejection }: EctError): EctError {
  return new EctError(rejection);
}

/** Whatever the SDK threw for `call`, as a rejection. */
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
  // Without a status there was no answer, unless it is the answer that could not be read.
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
