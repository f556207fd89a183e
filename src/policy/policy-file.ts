// The result of reading a policy: a policy that can be put in force, or its mistakes with their positions.

import type { Circumstances } from '../authority/index.ts';
import type { Entity } from './entities.ts';

/** A mistake or a warning in a policy file. Lines and columns count from 1. */
export interface PolicyProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** A request to Cedar. */
export interface CedarRequest {
  readonly principal: Entity;
  readonly action: Entity;
  readonly resource: Entity;
  readonly context: Readonly<Record<string, unknown>>;
  /** These, and their parents. */
  readonly entities: readonly Entity[];
}

export interface CedarAnswer {
  readonly allowed: boolean;
  /** Ids of the policies that decided. */
  readonly policies: readonly string[];
  /** Policies that could not be evaluated; they decide nothing. */
  readonly errors: readonly string[];
}

/** A policy that conforms to the schema. */
export interface CompiledPolicy {
  /** Ids and texts, in the order of the file. */
  readonly policies: readonly { readonly id: string; readonly text: string }[];
  decide(request: CedarRequest): CedarAnswer;
  /** The circumstances that a decision can depend on. */
  readonly circumstances: readonly (keyof Circumstances)[];
  /** Whether a decision can depend on the issuer, and on the workflow. */
  readonly asksForIssuer: boolean;
  readonly asksForWorkflow: boolean;
}

export type ReadPolicy =
  | { readonly ok: true; readonly policy: CompiledPolicy; readonly warnings: readonly PolicyProblem[] }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] };

/** The line and column of a byte offset in UTF-8. */
export function placeOf(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = Buffer.from(text).subarray(0, offset).toString('utf8');
  const start = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: before.length - start + 1 };
}
