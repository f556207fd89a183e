// The provenance of an entry: the caller and the method that requested it, how the caller was authenticated, and the policy that
// permitted it. It is recorded as of the decision, and the ledger commits to it (ledger/entry.ts). It is canonical JSON of bounded size.

import { MAX_PROVENANCE_BYTES } from '../ledger/index.ts';
import { ACTIONS, type Action } from './authorizer.ts';
import { type Caller, type Proof, type ProofStrength, proofOf } from './caller.ts';

/** The provenance of an entry. */
export interface Provenance {
  /** The method of the request. An item of a batch counts as a call of its own. */
  readonly action: Action;
  /** The name of the caller; empty: anonymous. */
  readonly caller: string;
  readonly proof: Proof['method'] | 'none';
  readonly strength: ProofStrength;
  /** Who authenticated the caller; empty for an anonymous one. */
  readonly by: string;
  /** The digest of the policy that permitted it, or `built-in`. */
  readonly policy: string;
}

/** The caller of a write, and the decision that permitted it. */
export interface Writer {
  readonly caller: Caller;
  readonly action: Action;
  /** The digest of the policy that decided. */
  readonly policy: string;
}

/** Longer names are cut: names of callers and of authenticating parties are URIs of at most 2,048 bytes. */
const MAX_NAME_BYTES = 3 * 1024;

/** The provenance that a writer gives an entry. */
export function provenanceOf({ caller, action, policy }: Writer): Uint8Array {
  const proof = proofOf(caller);
  // This is canonical JSON: the members are in order, and RFC 8785 writes strings as JSON.stringify does.
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

/** Names that this service accepts are never cut; the limit does not depend on that. */
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

/** Reads a provenance. Undefined for bytes that this service does not write. */
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
