// The names of keys in Redis. The part in braces determines the slot of a cluster, so each use is in the same slot as the history of its
// group.

/**
 * The number of groups in a cluster, each with a history of its own. It is much greater than the number of nodes, so that uses are spread
 * evenly.
 */
export const CLUSTER_GROUPS = 256;

/** Returns the group of a use, from its key of 32 bytes. */
export function groupOf(key: Uint8Array, groups: number): number {
  return key[0]! % groups;
}

/** Returns the key name of the history of a group. */
export function historyName(prefix: string, group: number): string {
  return `${prefix}:{${group}}:history`;
}

/** Returns the key name of a use. It contains only a hash. */
export function useName(prefix: string, group: number, key: Buffer): string {
  return `${prefix}:{${group}}:${key.toString('base64url')}`;
}
