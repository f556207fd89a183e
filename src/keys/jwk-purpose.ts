// Checks the purpose of a JSON Web Key (RFC 7517, 4.2 to 4.4): a key with another purpose is not used.

/** The purpose of a use. */
export interface Purpose {
  /** The permitted `alg` values; any if undefined. */
  readonly algorithms?: readonly string[];
  /** The permitted values of `key_ops`; the first one is required. Any if undefined. */
  readonly operations?: readonly [needed: string, ...others: string[]];
}

/**
 * Why the members `use`, `key_ops` and `alg` of a JWK forbid a purpose, as a sentence that begins with the member; undefined if none
 * does. An absent member forbids nothing. All purposes here are signatures.
 */
export function contradictionOf(
  { use, key_ops: keyOps, alg }: Readonly<Record<string, unknown>>,
  { algorithms, operations }: Purpose,
): string | undefined {
  if (use !== undefined && use !== 'sig') return 'use must be sig';
  if (keyOps !== undefined && operations !== undefined && !areFor(keyOps, operations)) {
    const [needed, ...others] = operations;
    return `key_ops must be ${needed}${others.map((other) => `, with or without ${other},`).join('')} and nothing else`;
  }
  if (alg !== undefined && algorithms !== undefined && !(algorithms as readonly unknown[]).includes(alg)) {
    return `alg must be ${algorithms.join(' or ')}`;
  }
  return undefined;
}

/** RFC 7517, 4.3: no operation occurs twice. */
function areFor(keyOps: unknown, operations: readonly [string, ...string[]]): boolean {
  if (!Array.isArray(keyOps) || new Set(keyOps).size !== keyOps.length) return false;
  return keyOps.includes(operations[0]) && keyOps.every((operation) => operations.includes(operation));
}
