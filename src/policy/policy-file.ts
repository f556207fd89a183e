// What a policy that was read comes to: one that can be put in force, or every mistake in it by its place.

import type { Circumstances } from '../authority/index.ts';
import type { Entity } from './entities.ts';

/** A mistake, or a doubt, in a policy file. Lines and columns count from 1. */
export interface PolicyProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** What Cedar is asked. */
export interface CedarRequest {
  readonly principal: Entity;
  readonly action: Entity;
  readonly resource: Entity;
  readonly context: Readonly<Record<string, unknown>>;
  /** These, and what they are in. */
  readonly entities: readonly Entity[];
}

export interface CedarAnswer {
  readonly allowed: boolean;
  /** Ids of the policies that decided. */
  readonly policies: readonly string[];
  /** Policies that could not be evaluated; they decide nothing. */
  readonly errors: readonly string[];
}

/** A policy that holds to the schema. */
export interface CompiledPolicy {
  /** Ids and texts, in the order of the file. */
  readonly policies: readonly { readonly id: string; readonly text: string }[];
  decide(request: CedarRequest): CedarAnswer;
  /** The circumstances that a decision can hang on. */
  readonly circumstances: readonly (keyof Circumstances)[];
  /** Whether it can hang on which issuer it is about, and on which workflow. */
  readonly asksForIssuer: boolean;
  readonly asksForWorkflow: boolean;
}

export type ReadPolicy =
  | { readonly ok: true; readonly policy: CompiledPolicy; readonly warnings: readonly PolicyProblem[] }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] };

/** Where a byte offset of UTF-8 is in a text. */
export function placeOf(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = Buffer.from(text).subarray(0, offset).toString('utf8');
  const start = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: before.length - start + 1 };
}
