// The closed list of reasons: each one that a caller can meet, the metadata that belongs to it, and what the caller can do next.
// `proto/ect/v1/error_reason.proto` documents the same list; a test keeps them equal.

/** One reason: what to do about it, and the names of the metadata that always accompanies it. */
interface ReasonEntry<Name extends string> {
  readonly remedy: string;
  readonly metadata: readonly Name[];
}

function entry<Name extends string = never>(remedy: string, ...metadata: Name[]): ReasonEntry<Name> {
  return { remedy, metadata };
}

/** Reasons are stable for ever. Metadata leaves as `google.rpc.ErrorInfo.metadata`, so it never contains a secret or a token. */
export const REASONS = {
  // Tokens, in the order of the verification steps.
  TOKEN_TOO_LARGE: entry('Send a smaller token: move data out of ect_ext and bind it by hash.', 'limit_bytes'),
  TOKEN_MALFORMED: entry('Send the token byte for byte as it was issued.'),
  LEVEL_TOO_LOW: entry(
    'Send a token of that level: signed for L2, recorded in the ledger for L3. A call can only raise the minimum of the service (ECT_MINIMUM_LEVEL), never lower it.',
    'minimum',
  ),
  TYP_INVALID: entry('Send an Execution Context Token; other kinds of JWT are not accepted.'),
  HEADER_FORBIDDEN: entry('Issue the token without this header member.', 'member'),
  ALG_NOT_ALLOWED: entry('Sign with an algorithm that the verifier allows; ES256 is always one.'),
  KID_MISSING: entry('Put the key id into the header as `kid`.'),
  KEY_UNKNOWN: entry(
    'Check `iss` and `kid`. Keys of other issuers are trusted where the operator has named the issuer in ECT_TRUST_FILE; a newly added issuer is accepted within the cooldown of its key set.',
  ),
  KEY_REVOKED: entry(
    'Issue the token again: it is then signed with a key that is in force. What was recorded before the key was compromised stays valid as evidence: verify it with as_of.',
  ),
  KEY_EXPIRED: entry('Issue the token again: it is then signed with a key that is in force.'),
  KEY_MISMATCH: entry('Use a key that fits the algorithm: ES256 needs P-256.'),
  SIGNATURE_INVALID: entry('Send the token byte for byte as it was issued, and check which key signed it.'),
  CLAIM_MISSING: entry('Issue the token with this claim.', 'claim'),
  CLAIM_INVALID: entry('Issue the token with a value that the rule for this claim allows.', 'claim'),
  PRED_INVALID: entry('List each predecessor once, at most 100, as UUIDs, and never the task itself.'),
  EXT_TOO_LARGE: entry('Keep ect_ext within 4,096 bytes of compact JSON: bind larger data by hash.', 'limit_bytes'),
  EXT_TOO_DEEP: entry('Nest ect_ext at most 5 deep.', 'limit_depth'),
  ISSUER_MISMATCH: entry('Sign with a key of the issuer that `iss` names.'),
  AUDIENCE_MISMATCH: entry('Verify as one of the parties in `aud`, or issue the token for this party too.'),
  TOKEN_EXPIRED: entry('Request a new token, with a longer ttl if the work takes longer.'),
  IAT_IN_FUTURE: entry(
    'Correct the clock of the issuer or of this service; ECT_IAT_MAX_FUTURE_SEC is how far they may differ.',
  ),
  TOKEN_NOT_YET_VALID: entry('Present the token from `nbf` on, or set the clock of the issuer.'),
  IAT_TOO_OLD: entry(
    'Present the token sooner after it was issued, or request a new one. To verify a token of the past, use as_of.',
  ),
  INPUT_HASH_MISMATCH: entry('Compare the exact octets of the input that the token was issued for.'),
  OUTPUT_HASH_MISMATCH: entry('Compare the exact octets of the output that the token was issued for.'),
  // The graph.
  DAG_DUPLICATE_TASK: entry('Use a new `jti`; this one already names another task.', 'jti'),
  DAG_PREDECESSOR_MISSING: entry(
    'Append the predecessors first. Verify and ValidateDAG also take their tokens, in predecessor_tokens.',
    'pred',
  ),
  DAG_TIME_ORDER: entry('Issue a task after its predecessors, and check the clocks of their issuers.'),
  DAG_CYCLE: entry('Remove the predecessor that leads back to the task itself.'),
  DAG_TOO_DEEP: entry('Start a new workflow: a task may have at most 10,000 ancestors.'),
  DAG_WORKFLOW_MISMATCH: entry('Name predecessors of the same workflow only.'),
  DAG_PREDECESSOR_NOT_APPROVED: entry(
    'Follow a task that was rejected or is under review only by its compensation or by a human review.',
  ),
  // Replay.
  TOKEN_REPLAYED: entry('Request a new token, or repeat your own call with its first request_id.'),
  TOKEN_EQUIVOCATED: entry('Ask the issuer: it signed two different tokens for one task.', 'jti'),
  // Requests and callers.
  REQUEST_INVALID: entry('Correct each named field.', 'field'),
  REQUEST_MALFORMED: entry('Send a message that the schema of the method describes.'),
  MESSAGE_TOO_LARGE: entry('Send a smaller message, split the batch, or request fewer entries per page.'),
  METHOD_UNKNOWN: entry('Check the path and the protocol; server reflection lists the methods.'),
  CALLER_UNTRUSTED: entry(
    'Connect over TLS with a client certificate of a CA that this service trusts for your trust domain, or send a bearer token of an issuer that it trusts for callers; a proxy must name the caller that it forwards for.',
  ),
  CALLER_ID_INVALID: entry(
    'Use a certificate with exactly one URI SAN that is a valid SPIFFE ID, or a JWT whose claim is a valid name; only a proxy in ECT_FORWARDED_BY may name the caller, in exactly one header.',
  ),
  HOST_NOT_ALLOWED: entry('Use the address of the service; the operator can add its other names to ECT_ALLOWED_HOSTS.'),
  ORIGIN_NOT_ALLOWED: entry('Ask the operator to add the origin of the page to ECT_ALLOWED_ORIGINS.'),
  ISSUER_NOT_ALLOWED: entry('Omit `iss`, or set it to your own identity.', 'iss'),
  NOT_AUTHORIZED: entry(
    'Ask the operator: the policy of the service decides, and its events (policy-refused) name the rule.',
  ),
  ADMIN_REQUIRED: entry(
    'Ask an administrator, or have the operator name your identity in ECT_ADMINS (for anonymous callers on loopback: ECT_ADMINS=anonymous).',
  ),
  IDEMPOTENCY_CONFLICT: entry('Use a new request_id.'),
  DEADLINE_EXCEEDED: entry('Retry with a longer deadline. Appending and keyed issuing are idempotent.'),
  CALL_CANCELLED: entry('Retry. Appending and keyed issuing are idempotent.'),
  // State and dependencies.
  ENTRY_NOT_FOUND: entry('Check jti and wid: a task with a workflow is found only with its wid.', 'jti'),
  INDEX_OUT_OF_RANGE: entry(
    'Request an index below the number of entries, or retry once the ledger has grown.',
    'index',
    'entries',
  ),
  ENTRY_PENDING: entry('Retry after a second.'),
  ENTRY_FAILED: entry('Append the token yourself once the cause is removed; until then it stays at L2.', 'cause'),
  WORKFLOW_NOT_FOUND: entry('Check wid; a workflow appears with its first appended task.', 'wid'),
  TREE_SIZE_INVALID: entry(
    'Request sizes within the current checkpoint (GetCheckpoint), the smaller one first.',
    'tree_size',
  ),
  KEY_NOT_FOUND: entry('Check kid; `ect keys list` names every key.', 'kid'),
  KEY_STATE_INVALID: entry('Check the state of the key with `ect keys list`.', 'kid', 'state'),
  ROTATION_UNSUPPORTED: entry(
    'With AWS KMS, name the next key (`existing`, --next). With a key file of your own, put the next key into a new file and restart with ECT_LOCAL_KEY_FILE.',
  ),
  KEY_NOT_CURRENT: entry(
    'List the keys with `ect keys list`: another administrator may have rotated already. If a rotation is still needed, request it with the current kid.',
    'current_kid',
  ),
  ISSUER_KEYS_UNAVAILABLE: entry(
    'Retry after the given time. If it persists, the operator finds the cause in the log of the service.',
    'retry_after_seconds',
  ),
  LEDGER_UNAVAILABLE: entry(
    'Retry the same call: appending is idempotent. If it persists, the operator finds the cause in the log of the service.',
  ),
  LEDGER_CORRUPT: entry(
    'Tell the operator: stop the service, run `ect audit` on its ledger.db, and restore that from a backup.',
  ),
  REPLAY_GUARD_UNAVAILABLE: entry(
    'Retry the same call under the same request_id. If it persists, the operator finds the cause in the log of the service.',
  ),
  IDEMPOTENCY_UNAVAILABLE: entry(
    'Retry the same call under the same request_id. If it persists, the operator finds the cause in the log of the service.',
  ),
  ONCE_CORRUPT: entry(
    'Tell the operator: stop the service, and restore its once.db from a backup, or move the file away: then tokens that have not expired can be replayed once, and request ids are lost.',
  ),
  REPLAY_GUARD_FULL: entry(
    'Retry when tokens have expired, or ask the operator to raise ECT_JTI_REPLAY_CACHE_SIZE (for Redis: maxmemory).',
  ),
  CLOCK_UNTRUSTED: entry(
    'Retry once the operator has corrected the clock of the machine (NTP). Verifying and reading still work.',
    'difference_seconds',
    'retry_after_seconds',
  ),
  STORAGE_FULL: entry(
    'Retry once the operator has freed disk space. Reading, Verify with REPLAY_MODE_SKIP, and Issue of L1 and L2 without a request_id still work.',
  ),
  QUOTA_EXCEEDED: entry(
    'Retry after the given time, and spread the use of the quota over time. Until then, Verify works with REPLAY_MODE_SKIP if the quota is of written bytes.',
    'quota',
    'limit',
    'retry_after_seconds',
  ),
  SIGNER_UNAVAILABLE: entry(
    'Retry a little later: verifying, appending and reading still work. If it persists, ask the operator: the message and the log of the service have the cause.',
  ),
  SIGNER_BUSY: entry(
    'Retry with exponential backoff; if it persists, the operator raises the quota of the signing key or ECT_KMS_CONCURRENCY.',
  ),
  SIGNER_MISCONFIGURED: entry(
    'Ask the operator to correct the signing key or its permissions; the log of the service has the cause.',
  ),
  SIGNER_BAD_OUTPUT: entry('Retry; if it persists, check the signing key of the service.'),
  SERVICE_OVERLOADED: entry('Retry with exponential backoff, or spread the load over more instances.'),
  SERVICE_DRAINING: entry('Retry: another instance takes the call.'),
  INTERNAL: entry('Report this as a bug, with the time of the call.'),
  SERVICE_UNKNOWN: entry(
    'Name a service that server reflection lists, or leave the name empty for the whole server.',
    'service',
  ),
} as const;

export type ErrorReason = keyof typeof REASONS;

/**
 * Metadata that accompanies a reason only where it is known, or only in some of its cases.
 * @internal Exported because a test compares it with `error_reason.proto`.
 */
export const OPTIONAL_METADATA = {
  TOKEN_EXPIRED: ['jti', 'wid'],
  DAG_DUPLICATE_TASK: ['wid'],
  DAG_TIME_ORDER: ['jti', 'wid'],
  DAG_CYCLE: ['jti', 'wid'],
  DAG_TOO_DEEP: ['jti', 'wid'],
  DAG_WORKFLOW_MISMATCH: ['jti', 'wid'],
  DAG_PREDECESSOR_NOT_APPROVED: ['jti', 'wid'],
  TOKEN_REPLAYED: ['jti', 'wid'],
  TOKEN_EQUIVOCATED: ['wid'],
  REQUEST_MALFORMED: ['field', 'limit_depth'],
  IDEMPOTENCY_CONFLICT: ['request_id'],
  MESSAGE_TOO_LARGE: ['limit_bytes', 'limit_values', 'limit_ratio'],
  ENTRY_NOT_FOUND: ['wid'],
  ENTRY_PENDING: ['jti', 'wid'],
  ENTRY_FAILED: ['jti', 'wid'],
  LEDGER_UNAVAILABLE: ['retry_after_seconds'],
  LEDGER_CORRUPT: ['index'],
  REPLAY_GUARD_UNAVAILABLE: ['retry_after_seconds'],
  IDEMPOTENCY_UNAVAILABLE: ['retry_after_seconds'],
} as const satisfies Partial<Record<ErrorReason, readonly string[]>>;

type OptionalMetadataKey<R extends ErrorReason> = R extends keyof typeof OPTIONAL_METADATA
  ? (typeof OPTIONAL_METADATA)[R][number]
  : never;

/** The metadata that always accompanies a reason. */
type MetadataOf<R extends ErrorReason> = Readonly<Record<(typeof REASONS)[R]['metadata'][number], string>>;

/** The metadata that may accompany it too. */
type OptionalMetadataOf<R extends ErrorReason> = { readonly [Name in OptionalMetadataKey<R>]?: string };

/** The metadata that `reject` takes for a reason. */
export type MetadataArgument<R extends ErrorReason> = [(typeof REASONS)[R]['metadata'][number]] extends [never]
  ? [metadata?: OptionalMetadataOf<R>]
  : [metadata: MetadataOf<R> & OptionalMetadataOf<R>];

/** What a caller can do about a reason. */
export function remedyFor(reason: ErrorReason): string {
  return REASONS[reason].remedy;
}
