// What a JSON Web Key says that it is for (RFC 7517, 4.2 to 4.4): a key that contradicts its purpose is used for nothing.

/** What somebody wants to do with a key. */
export interface Purpose {
  /** The `alg` values that fit; any where it is not said. */
  readonly algorithms?: readonly string[];
  /** The values that `key_ops` may have; one at least. The first one is needed. Any where it is not said. */
  readonly operations?: readonly [needed: string, ...others: string[]];
}

/**
 * Why the members `use`, `key_ops` and `alg` of a JWK forbid a purpose, as a sentence that begins with the member; undefined
 * where none of them does. Each may be absent: then it forbids nothing. Every purpose here is one of signatures.
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

/** RFC 7517, 4.3: no operation is there twice. */
function areFor(keyOps: unknown, operations: readonly [string, ...string[]]): boolean {
  if (!Array.isArray(keyOps) || new Set(keyOps).size !== keyOps.length) return false;
  return keyOps.includes(operations[0]) && keyOps.every((operation) => operations.includes(operation));
}
