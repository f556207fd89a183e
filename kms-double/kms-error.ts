// The errors of AWS KMS, each with the HTTP status that its API reference gives it.

const STATUSES = {
  AccessDeniedException: 400,
  AlreadyExistsException: 400,
  DependencyTimeoutException: 503,
  DisabledException: 409,
  ExpiredTokenException: 400,
  IncompleteSignature: 400,
  InvalidArnException: 400,
  InvalidKeyUsageException: 400,
  InvalidSignatureException: 400,
  KeyUnavailableException: 500,
  KMSInternalException: 500,
  KMSInvalidStateException: 409,
  LimitExceededException: 400,
  MissingAuthenticationTokenException: 400,
  NotFoundException: 400,
  ServiceUnavailable: 503,
  ThrottlingException: 400,
  UnknownOperationException: 400,
  UnrecognizedClientException: 400,
  UnsupportedOperationException: 400,
  ValidationException: 400,
} as const;

export type KmsErrorName = keyof typeof STATUSES;

/** A rejection of the double. */
export class KmsError extends Error {
  override readonly name: KmsErrorName;
  readonly status: number;

  constructor(name: KmsErrorName, message = `the double says ${name}`) {
    super(message);
    this.name = name;
    this.status = STATUSES[name];
  }

  /** As it stands in the answer. */
  get body(): string {
    return JSON.stringify({ __type: this.name, message: this.message });
  }
}
