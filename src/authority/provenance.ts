// How an entry came into the ledger: who asked for it by which method, how that caller was proven, and which policy allowed it.
// It is of the moment of the decision, and the ledger commits to it (ledger/entry.ts). Text of ours: canonical JSON, bounded.

import { MAX_PROVENANCE_BYTES } from '../ledger/index.ts';
import { ACTIONS, type Action } from './authorizer.ts';
import { type Caller, type Proof, type ProofStrength, proofOf } from './caller.ts';

/** What is said of an entry. */
export interface Provenance {
  /** The method that had it written. An item of a batch is a call of its own. */
  readonly action: Action;
  /** The name of the caller; empty: anonymous. */
  readonly caller: string;
  readonly proof: Proof['method'] | 'none';
  readonly strength: ProofStrength;
  /** Who vouched for the caller; empty for an anonymous one. */
  readonly by: string;
  /** The digest of the policy that allowed it, or `built-in`. */
  readonly policy: string;
}

/** For whom something is written, and which decision allowed it. */
export interface Writer {
  readonly caller: Caller;
  readonly action: Action;
  /** The digest of the policy that decided. */
  readonly policy: string;
}

/** The longest name that is written whole: names of callers and of who vouches for them are URIs of 2,048 bytes at most. */
const MAX_NAME_BYTES = 3 * 1024;

/** What an entry says of its writer. */
export function provenanceOf({ caller, action, policy }: Writer): Uint8Array {
  const proof = proofOf(caller);
  // Canonical as it stands: the members are in order, and RFC 8785 spells strings as JSON.stringify does.
  const text = JSON.stringify({
    action,
    by: bounded(proof?.by ?? ''),
    caller: bounded(caller.kind === 'anonymous' ? '' : caller.id),
    policy,
    proof: proof?.method ?? 'none',
    strength: proof?.strength ?? 'none',
  } satisfies Provenance);
  return Buffer.from(text, 'utf8');
}

/** Never needed for a name that this service accepts: a bound that does not hang on who made the name. */
function bounded(name: string): string {
  return 2 * name.length <= MAX_NAME_BYTES || Buffer.byteLength(JSON.stringify(name)) <= MAX_NAME_BYTES
    ? name
    : `${name.slice(0, MAX_NAME_BYTES / 8)}…`;
}

const PROOFS: ReadonlySet<unknown> = new Set<Provenance['proof']>([
  'mtls',
  'jwt',
  'wimse',
  'forwarded',
  'unix',
  'none',
]);
const STRENGTHS: ReadonlySet<unknown> = new Set<ProofStrength>(['possession', 'vouched', 'bearer', 'local', 'none']);

/** Reads what an entry says of its writer. Undefined for bytes that this service does not write. */
export function readProvenance(bytes: Uint8Array): Provenance | undefined {
  if (bytes.length > MAX_PROVENANCE_BYTES) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { action, by, caller, policy, proof, strength } = value as Partial<Record<keyof Provenance, unknown>>;
  const areTexts = [by, caller, policy].every((text) => typeof text === 'string');
  const isKnown = ACTIONS.some((known) => known === action) && PROOFS.has(proof) && STRENGTHS.has(strength);
  return areTexts && isKnown ? ({ action, by, caller, policy, proof, strength } as Provenance) : undefined;
}
