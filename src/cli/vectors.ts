// Conformance vectors: JSON files with the expected verdict on one token or one bundle of tokens. They do not depend on this code;
// `vectors/README.md` describes them for other implementations.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Trusted keys, in the form of ECT_TRUST_FILE. */
export interface Trust {
  readonly issuers: readonly TrustedIssuer[];
}

export interface TrustedIssuer {
  readonly iss: string;
  /** `exact`: this name only. `below`: also the names below it. */
  readonly subjects: 'exact' | 'below';
  /** Public keys. `nbf`, `exp` and `revoked_at` of a key are seconds since the epoch. */
  readonly jwks: { readonly keys: readonly Readonly<Record<string, string | number>>[] };
}

interface VectorBase {
  /** The path of the file in the folder of the vectors, without `.json`. */
  readonly name: string;
  /** The rule that the vector tests, as a sentence. */
  readonly shows: string;
  /** A member of `profiles.json`: the settings that the verifier needs. */
  readonly profile: string;
  readonly trust: Trust;
  /** The time of the verification, in seconds since the epoch. */
  readonly now: number;
}

/** One token and the expected verdict. */
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
      /** The claims with the names of draft -01, for tokens of either draft. Absent claims are omitted. */
      readonly claims: Readonly<Record<string, unknown>>;
    }
  | {
      readonly valid: false;
      readonly reason: string;
      /** The step that must fail. */
      readonly step: string;
      /** The invalid claim, for CLAIM_MISSING and CLAIM_INVALID. */
      readonly claim?: string;
    };

/** One bundle of tokens and the expected state of its graph. */
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

/** The settings of the service for each profile: environment variables. */
export type Profiles = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The folder of the vectors that are part of this package. */
export const SHIPPED_VECTORS = fileURLToPath(new URL('../../vectors/', import.meta.url));

export function isGraphVector(vector: Vector): vector is GraphVector {
  return 'bundle' in vector;
}

/** The folders that contain vectors. */
const KINDS = ['valid', 'invalid', 'dag'];

/** Reads all vectors of a folder, in the order of their names. The files are trusted as the program is. */
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
