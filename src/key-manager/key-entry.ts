// What the ledger says about a signing key: one entry for each change of its state, recorded before the change takes
// effect. The ledger is the only place where the states of keys are kept.

import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { EctError, reject } from '../errors.ts';
import { type Kid, type PublicJwk, readPublicJwk } from '../keys/index.ts';
import type { Candidate, LedgerRecord } from '../ledger/index.ts';

/** No `wid` contains such a character, whichever ids the service accepts. */
export const KEY_SCOPE = '†keys';

export type KeyState = 'announced' | 'active' | 'retired' | 'revoked';

/** A requested change of state. It is the content of the entry, as canonical JSON; the leaf commits to it. */
export interface KeyStatement {
  readonly state: KeyState;
  readonly jwk: PublicJwk;
  /** The locator of the key, `kms:…` or `data-dir:…`. Never a secret. */
  readonly locator: string;
  /** At most 256 characters. */
  readonly note: string;
  /** The authenticated administrator, or `service`. */
  readonly by: string;
  /** For the announcement of a root key: its number, from 0. */
  readonly generation?: number;
  /** For the announcement of a delegated key: its certificate. */
  readonly certificate?: string;
  /** For an announcement: milliseconds from the entry until the key may sign. */
  readonly lead_ms?: number;
  /** For a revocation: since when the key is compromised, milliseconds since the epoch; absent: since the entry. */
  readonly compromised_since?: number;
  /** For the activation of a root key: it is needed before its announced time. */
  readonly urgent?: true;
  /** For an announcement or an activation: identifies the request of an administrator that was made under a request id. */
  readonly request?: string;
  /** For an activation: milliseconds since the announcement, as measured by the process that activates the key. */
  readonly waited_ms?: number;
}

/** The leaf of an entry about a key: everything needed to compute the key set. Times are milliseconds since the epoch. */
export interface KeyLeaf {
  readonly v: 1;
  readonly type: 'key';
  readonly kid: Kid;
  readonly state: KeyState;
  readonly jwk: PublicJwk;
  readonly generation?: number;
  readonly certificate?: string;
  /** The time before which the key must not sign. */
  readonly use_from?: number;
  readonly compromised_since?: number;
  /** Whether the key is activated before its announced time. */
  readonly urgent?: true;
  /** The measured time between announcement and activation, which counts instead of the two dates, because clocks may have jumped. */
  readonly waited_ms?: number;
  /** The author of the change. */
  readonly iss: string;
  readonly recorded_at: number;
  readonly commitment: string;
}

/** An entry about a key, after it was read. */
export interface KeyEntry extends KeyLeaf {
  readonly index: number;
  /** From the content; undefined if that was erased. */
  readonly locator: string | undefined;
  readonly note: string;
  readonly request: string | undefined;
}

/** The candidate for a statement. `provenance`: see LedgerRecord; that of the request of a caller. */
export function asKeyCandidate(statement: KeyStatement, provenance?: Uint8Array): Candidate {
  const { state, jwk, generation, certificate, compromised_since: since, urgent, by } = statement;
  const { lead_ms: leadMs, waited_ms: waitedMs } = statement;
  const content = Buffer.from(canonicalize({ ...statement, kid: jwk.kid }) as string, 'utf8');
  return {
    scope: KEY_SCOPE,
    name: keyEntryName({ kid: jwk.kid, state, ...(generation === undefined ? {} : { generation }) }),
    author: by,
    digest: digestOfStatement(content),
    content,
    provenance,
    leaf: ({ recordedAtMs, commitment }) => {
      const leaf: KeyLeaf = {
        v: 1,
        type: 'key',
        kid: jwk.kid,
        state,
        jwk,
        ...(generation === undefined ? {} : { generation }),
        ...(certificate === undefined ? {} : { certificate }),
        ...(leadMs === undefined ? {} : { use_from: recordedAtMs + leadMs }),
        ...(since === undefined ? {} : { compromised_since: since }),
        ...(urgent === undefined ? {} : { urgent }),
        ...(waitedMs === undefined ? {} : { waited_ms: waitedMs }),
        iss: by,
        recorded_at: recordedAtMs,
        commitment,
      };
      return Buffer.from(canonicalize(leaf) as string, 'utf8');
    },
  };
}

/**
 * The name of an entry: a change of state happens once. Root keys are announced by number, so that of several processes that start the
 * same rotation one wins and the others use its key.
 */
export function keyEntryName({ kid, state, generation }: Pick<KeyLeaf, 'kid' | 'state' | 'generation'>): string {
  return generation === undefined ? `${kid}/${state}` : `root/${generation}`;
}

/** The digest of the content of an entry about a key. */
function digestOfStatement(content: Uint8Array): Uint8Array {
  return createHash('sha256').update(content).digest();
}

/** Whether a leaf has this kind, a valid form, and the name of its entry. */
export function isKeyLeafOf(leaf: { readonly type?: unknown }, { scope, name }: LedgerRecord): leaf is KeyLeaf {
  if (leaf.type !== 'key' || scope !== KEY_SCOPE) return false;
  const { kid, state, jwk, generation, certificate, use_from: useFrom, urgent, waited_ms } = leaf as Partial<KeyLeaf>;
  const isAnnouncement = state === 'announced';
  return (
    kid !== undefined &&
    state !== undefined &&
    readPublicJwk({ ...jwk })?.jwk.kid === kid &&
    Number.isSafeInteger(useFrom ?? 0) &&
    (useFrom !== undefined) === isAnnouncement &&
    (urgent === undefined || (urgent === true && state === 'active')) &&
    (waited_ms === undefined || (Number.isSafeInteger(waited_ms) && waited_ms >= 0 && state === 'active')) &&
    (generation !== undefined || certificate !== undefined) === isAnnouncement &&
    name === keyEntryName({ kid, state, ...(generation === undefined ? {} : { generation }) })
  );
}

/** Reads an entry about a key. An invalid one means that the store was damaged: LEDGER_CORRUPT. */
export function readKeyEntry(record: LedgerRecord): KeyEntry {
  const { index, content } = record;
  const leaf = parse(record.leaf);
  const statement = content === null ? {} : parse(content);
  if (leaf === undefined || statement === undefined || !isKeyLeafOf(leaf, record)) {
    throw new EctError(reject('LEDGER_CORRUPT', `Entry ${index} is not about a key.`));
  }
  const { locator, note = '', request } = statement as Partial<KeyStatement>;
  return { ...leaf, index, locator, note, request };
}

function parse(bytes: Uint8Array): object | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
