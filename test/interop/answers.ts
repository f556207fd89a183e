// Answers of the service as gRPC clients read them from the protos, with the fields that the tests look at.

import type { TlogProof } from '../../src/ledger/index.ts';

export interface Issued {
  readonly token: string;
  readonly kid: string;
  readonly claims: { readonly jti: string; readonly iss: string; readonly exp: { readonly seconds: string } };
}

export interface Verdict {
  readonly valid: boolean;
  readonly finding: Finding | null;
  readonly level: string;
}

interface Finding {
  /** `ERROR_REASON_TOKEN_REPLAYED` for example. */
  readonly reason: string;
  readonly message: string;
}

/** The reason as errors spell it; empty where the token is valid. */
export function reasonIn({ finding }: Pick<Verdict, 'finding'>): string {
  return finding?.reason.replace(/^ERROR_REASON_/, '') ?? '';
}

interface TaskName {
  readonly wid: string;
  readonly jti: string;
}

export interface Graph {
  readonly dag_report: { readonly status: string; readonly unresolved: readonly TaskName[] };
  readonly size: number;
  readonly roots: readonly TaskName[];
  readonly leaves: readonly TaskName[];
}

export interface TaskEntry {
  readonly name: { readonly wid: string; readonly jti: string };
  readonly token: string;
}

/** An entry of a list: with its leaf. The one of a task has `task`. */
export interface Entry {
  readonly index: string;
  readonly leaf: Buffer;
  readonly task?: TaskEntry;
}

export interface Receipt {
  readonly leaf: Buffer;
  readonly inclusion: {
    readonly leaf_index: string;
    readonly tree_size: string;
    readonly hashes: readonly Buffer[];
    readonly checkpoint: string;
    readonly salt: Buffer;
  };
}

/** The proof of a receipt, as the ledger's own check takes it. */
export function proofIn({ inclusion }: Receipt): TlogProof {
  const { leaf_index, hashes, checkpoint, salt } = inclusion;
  return { leafIndex: Number(leaf_index), hashes, checkpoint, salt: salt.length === 0 ? null : salt };
}

/** The entry of a task, and the receipt that has its leaf. */
export interface Recorded {
  readonly entry: { readonly index: string; readonly task: TaskEntry };
  readonly receipt: Receipt;
  readonly duplicate: boolean;
}

export interface Page {
  readonly entries: readonly Entry[];
  readonly next_page_token: string;
}
