export {
  checkFormats,
  formatFaults,
  HASH_RULE,
  ID_FORMS,
  isHashClaim,
  isParty,
  MAX_AUDIENCES,
  MAX_EXEC_ACT_CHARACTERS,
  MAX_EXT_BYTES,
  MAX_EXT_DEPTH,
  MAX_PREDECESSORS,
  MAX_URI_BYTES,
  PARTY_RULE,
} from './claim-formats.ts';
export type { Claims, Jti, TypedClaims } from './claims.ts';
export { type CompactToken, readCompact } from './compact.ts';
export type { Draft } from './drafts.ts';
export { digestOfToken, hashClaim } from './hash.ts';
export { type Level, type LevelPolicy, requiredLevel } from './level.ts';
export { mintUnsigned, prepareToken, SEALED_BYTES, sealedBytes, sealToken, type Unsealed } from './mint.ts';
export { peekClaims, peekKey, peekLinks } from './peek.ts';
export { type Decision, type PolicyClaims, policyFaults, policyIn } from './policy-claims.ts';
export { isRejection } from './read-claims.ts';
export { SignatureCache } from './signature-cache.ts';
export { hasSpiffeScheme, isSpiffeId, isTrustDomain, isWorkloadId, trustDomainOf } from './spiffe-id.ts';
export { type JsonObject, type JsonValue, parseStrictObject, strictJsonProblem, TOO_DEEP } from './strict-json.ts';
export { canBeAbove, isWithin, namesAbove } from './uri-names.ts';
export { type Failure, type Outcome, TOKEN_STEPS, type TokenVerdict, Verification, verifyToken } from './verify.ts';
export type { TokenPolicy, VerifiedToken, VerifyOptions } from './verify-options.ts';
