// Conformance vectors: files in JSON that say what a verifier must answer about one token, or about one bundle of tokens.
// They do not depend on this code: `vectors/README.md` describes them for other implementations.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Trusted keys, as ECT_TRUST_FILE has them. */
export interface Trust {
  readonly issuers: readonly TrustedIssuer[];
}

export interface TrustedIssuer {
  readonly iss: string;
  /** `exact`: this name alone. `below`: the names below it too. */
  readonly subjects: 'exact' | 'below';
  /** Public keys. `nbf`, `exp` and `revoked_at` of a key are seconds since the epoch. */
  readonly jwks: { readonly keys: readonly Readonly<Record<string, string | number>>[] };
}

interface VectorBase {
  /** The path of its file below the folder of the vectors, without `.json`. */
  readonly name: string;
  /** The rule that it shows, as a sentence. */
  readonly shows: string;
  /** A member of `profiles.json`: the settings that the verifier must have. */
  readonly profile: string;
  readonly trust: Trust;
  /** Seconds since the epoch: when to judge. */
  readonly now: number;
}

/** One token and the verdict on it. */
export interface TokenVector extends VectorBase {
  readonly token: string;
  readonly audience: string;
  readonly inp_hash?: string;
  readonly out_hash?: string;
  readonly expected: ExpectedVerdict;
}

export type ExpectedVerdict =
  | {
      readonly valid: true;
      readonly level: 'L1' | 'L2';
      /** In the names of draft -01, whatever draft the token is written in. Absent claims are left out. */
      readonly claims: Readonly<Record<string, unknown>>;
    }
  | {
      readonly valid: false;
      readonly reason: string;
      /** The step that fails. */
      readonly step: string;
      /** The claim that is at fault, for CLAIM_MISSING and CLAIM_INVALID. */
      readonly claim?: string;
    };

/** One bundle of tokens and the state of the graph that they form. */
export interface GraphVector extends VectorBase {
  readonly bundle: readonly string[];
  readonly expected: ExpectedGraph;
}

export interface ExpectedGraph {
  readonly status: 'complete' | 'partial' | 'invalid';
  readonly violations: readonly { readonly reason: string; readonly tasks: readonly string[] }[];
  readonly unresolved: readonly string[];
  readonly size: number;
  readonly depth: number;
  readonly roots: readonly string[];
  readonly leaves: readonly string[];
}

export type Vector = TokenVector | GraphVector;

/** Settings of the service by the name of a profile: environment variables. */
export type Profiles = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The vectors that come with the program. */
export const SHIPPED_VECTORS = fileURLToPath(new URL('../../vectors/', import.meta.url));

export function isGraphVector(vector: Vector): vector is GraphVector {
  return 'bundle' in vector;
}

/** The folders that hold vectors. */
const KINDS = ['valid', 'invalid', 'dag'];

/** Every vector of a folder, in the order of their names. The files are trusted as the program itself is. */
export async function readVectors(folder: string): Promise<readonly Vector[]> {
  const lists = await Promise.all(
    KINDS.map(async (kind) => {
      const files = await readdir(join(folder, kind), { recursive: true });
      return files.filter((file) => file.endsWith('.json')).map((file) => join(folder, kind, file));
    }),
  );
  return Promise.all(lists.flatMap((paths) => paths.sort()).map((path) => readJson<Vector>(path)));
}

export function readProfiles(folder: string): Promise<Profiles> {
  return readJson(join(folder, 'profiles.json'));
}

async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(path, 'utf8')) as T;
}
