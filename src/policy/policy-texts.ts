// The texts that are in force together, their digest, and the document in which a ledger stores them. The digest is in the log, in
// decisions and beside each entry; it identifies the document with the texts.

import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { LedgerDocument } from '../ledger/index.ts';

/** The contents of the files; undefined: there is no such file. */
export interface PolicyTexts {
  readonly policy?: string | undefined;
  readonly limits?: string | undefined;
}

/**
 * base64url(SHA-256(SHA-256(policy)
 *
 * SHA-256(limits))); a missing file counts as an empty one.
 */
export function digestOfPolicy({ policy = '', limits = '' }: PolicyTexts): string {
  const hash = createHash('sha256');
  for (const text of [policy, limits]) hash.update(createHash('sha256').update(text).digest());
  return hash.digest('base64url');
}

export function policyDocument(texts: PolicyTexts): LedgerDocument {
  const { policy, limits } = texts;
  const members = { ...(limits === undefined ? {} : { limits }), ...(policy === undefined ? {} : { policy }) };
  return { digest: digestOfPolicy(texts), content: Buffer.from(canonicalize(members) as string, 'utf8') };
}

/** The texts in a document. Undefined if they do not match the digest. */
export function textsIn({ digest, content }: LedgerDocument): PolicyTexts | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { policy, limits } = value as Readonly<Record<string, unknown>>;
  if (!isTextOrAbsent(policy) || !isTextOrAbsent(limits)) return undefined;
  return digestOfPolicy({ policy, limits }) === digest ? { policy, limits } : undefined;
}

function isTextOrAbsent(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}
