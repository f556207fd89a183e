// Callers with a Workload Identity Token (draft-ietf-wimse-workload-creds-02), which names them and their key, and a Workload Proof Token
// signed with that key for this request (draft-ietf-wimse-wpt: as -02 sends it, and as -01 did).

import { hash, type KeyObject } from 'node:crypto';
import type { Caller, ProofUse } from '../authority/index.ts';
import { EctError } from '../errors.ts';
import { CALLER_ALGORITHMS, readTrustedJwk } from '../keys/index.ts';
import { type JsonObject, type JsonValue, readCompact } from '../token/index.ts';
import type { Authenticator, Presented } from './authenticate.ts';
import { demandPlain, isTime, untrusted } from './jwt-rules.ts';
import { type JwtCallersPorts, type JwtKind, jwtVerifier } from './jwt-verifier.ts';

export interface WimseCallersPorts extends JwtCallersPorts {
  /** The base URLs of the service, without a path: the `aud` of a proof begins with one of them. */
  readonly publicUrl: string;
  /** Stores the use of a proof. Throws CALLER_UNTRUSTED if it was used before, and the errors of the replay guard. */
  readonly useOnce: (caller: Caller, use: ProofUse) => Promise<void>;
}

/** The longest validity of a proof. */
const MAX_PROOF_SECONDS = 300;
/** The limit for each of the two. */
const MAX_TOKEN_CHARACTERS = 4 * 1024;
const JWT = /^[A-Za-z0-9._-]+$/;
const [IDENTITY, PROOF, TRANSACTION] = ['workload-identity-token', 'workload-proof-token', 'txn-token'] as const;
/** The scheme of -02 in `authorization`. */
const SCHEME = /^WPT +/i;
const PROOF_TYPES: ReadonlySet<unknown> = new Set(['wpt+jwt', 'application/wpt+jwt']);
const JTI = /^[!-~]{16,256}$/;

/** The key of a workload, and the algorithm of its proofs. */
interface ProofKey {
  readonly alg: string;
  readonly publicKey: KeyObject;
}

/** The rules for a Workload Identity Token. It has no audience, and proves nothing without its proof. */
export const IDENTITY_TOKEN: JwtKind<ProofKey> = {
  method: 'wimse',
  types: new Set(['wit+jwt', 'application/wit+jwt']),
  take: ({ cnf }) => readProofKey(isObject(cnf) ? cnf['jwk'] : undefined),
};

/** Whether an `authorization` is a proof, and not a credential by itself. */
export function isProof(authorization: string): boolean {
  return SCHEME.test(authorization);
}

/**
 * Returns the caller of an identity token with its proof; undefined if a request has neither. Whether the proof was used before is
 * checked later, before the procedure of the call runs (`Proof.demandUnused`), because it takes time. Throws as jwtVerifier does.
 */
export function wimseCallers(ports: WimseCallersPorts): Authenticator {
  const verifyIdentity = jwtVerifier(ports, IDENTITY_TOKEN);
  const used = new UsedProofs(ports.maxRemembered);
  return (presented) => {
    const identities = presented.header(IDENTITY);
    const proofs = proofsIn(presented);
    if (identities.length === 0 && proofs.length === 0) return undefined;
    const identity = theOne(identities, 'identity token');
    const proof = theOne(proofs, 'proof token');
    const { caller, taken } = verifyIdentity(identity);
    const use = verifyProof(proof, identity, taken, presented, ports, used);
    const demandUnused = () => used.noting(use, ports.useOnce(caller, use));
    return { ...caller, proof: { ...caller.proof, demandUnused } };
  };
}

/**
 * Proofs that were used in this process: a repeated one is rejected by its headers, and charged to its connection, not to the caller that
 * the proof names. Only the newest are cached; the replay guard knows the others.
 */
class UsedProofs {
  readonly #digests = new Set<string>();
  readonly #max: number;

  constructor(max = 10_000) {
    this.#max = max;
  }

  has(digest: Uint8Array): boolean {
    return this.#digests.has(keyOf(digest));
  }

  /** The result of the replay guard, cached if the proof is now used, or was before. */
  async noting({ digest }: ProofUse, answer: Promise<void>): Promise<void> {
    try {
      await answer;
      this.#add(digest);
    } catch (error) {
      if (error instanceof EctError && error.reason === 'CALLER_UNTRUSTED') this.#add(digest);
      throw error;
    }
  }

  #add(digest: Uint8Array): void {
    if (this.#digests.size >= this.#max) this.#digests.delete(this.#digests.keys().next().value!);
    this.#digests.add(keyOf(digest));
  }
}

function keyOf(digest: Uint8Array): string {
  return Buffer.from(digest).toString('latin1');
}

function proofsIn(presented: Presented): readonly string[] {
  const authorization = presented.header('authorization');
  // A field with a proof has no other content.
  const proofs = authorization.some(isProof) ? authorization : [];
  return [...presented.header(PROOF), ...proofs.map((value) => value.replace(SCHEME, ''))];
}

/** The length is limited before anything is read. */
function theOne(values: readonly string[], what: string): string {
  const [value, ...more] = values;
  if (value === undefined) throw untrusted('it is missing', what);
  if (more.length > 0) throw untrusted('there is more than one', what);
  if (value.length > MAX_TOKEN_CHARACTERS)
    throw untrusted(`it is longer than ${MAX_TOKEN_CHARACTERS} characters`, what);
  if (!JWT.test(value)) throw untrusted('it is no JWT', what);
  return value;
}

function readProofKey(jwk: JsonValue | undefined): ProofKey {
  if (!isObject(jwk)) throw untrusted('it has no cnf with a jwk');
  const { alg } = jwk;
  if (typeof alg !== 'string') throw untrusted('the jwk in its cnf has no alg');
  // Only this token names the key.
  const read = readTrustedJwk({ ...jwk, kid: 'cnf' }, CALLER_ALGORITHMS);
  if (typeof read === 'string') throw untrusted(`the jwk in its cnf cannot be used: ${read}`);
  return { alg, publicKey: read.publicKey };
}

/** The signature is checked last, because it is most expensive. */
function verifyProof(
  token: string,
  identity: string,
  { alg, publicKey }: ProofKey,
  presented: Presented,
  { publicUrl, now }: WimseCallersPorts,
  used: UsedProofs,
): ProofUse {
  const read = readCompact(token);
  if (!read.ok) throw rejected(`it is no JWT: ${read.fault}`);
  const { header, payload, signingInput, signature } = read.parts;
  demandPlain(header, PROOF_TYPES, 'proof token');
  if (header['alg'] !== alg) throw rejected('its alg is not that of the key in the identity token');
  const { aud, exp, jti, wth } = payload;
  const at = now();
  if (!isTime(exp)) throw rejected('it has no exp');
  if (at >= exp) throw rejected('it has expired');
  if (exp - at > MAX_PROOF_SECONDS) throw rejected(`it ends in more than ${MAX_PROOF_SECONDS} s`);
  if (aud !== `${publicUrl}${presented.path}`) throw rejected('its aud is not the URL of the method that is called');
  if (wth !== digestOf(identity)) throw rejected('its wth is not the hash of the identity token');
  demandOthers(payload, presented);
  if (typeof jti !== 'string' || !JTI.test(jti)) throw rejected('its jti is not a string of 16 to 256 characters');
  const digest = hash('sha256', signingInput, 'buffer');
  if (used.has(digest)) throw rejected('it was used before');
  if (CALLER_ALGORITHMS.get(alg)?.verify(publicKey, signingInput, signature) !== true) {
    throw rejected('its signature does not verify');
  }
  return {
    jti,
    expires: Math.ceil(exp),
    issuedAfter: Math.floor(exp) - MAX_PROOF_SECONDS,
    digest,
  };
}

/** Other tokens in the request decide nothing here, but a proof that covers them must be correct. */
function demandOthers({ tth, oth }: JsonObject, presented: Presented): void {
  const [transaction, ...more] = presented.header(TRANSACTION);
  const expected = transaction === undefined ? undefined : digestOf(transaction);
  if (more.length > 0 || tth !== expected) throw rejected('its tth is not the hash of the transaction token');
  if (oth !== undefined) throw rejected('its oth names tokens that this service does not support');
}

function digestOf(token: string): string {
  return hash('sha256', token, 'base64url');
}

function rejected(why: string): EctError {
  return untrusted(why, 'proof token');
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
