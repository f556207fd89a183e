// The names of keys in Redis. What is in braces decides the slot of a cluster, so a use is where the history of its group is.

/** Slots of a cluster are far more than its nodes: uses are in as many groups, each with a history of its own. */
export const CLUSTER_GROUPS = 256;

/** The group of a use, given its key of 32 bytes. */
export function groupOf(key: Uint8Array, groups: number): number {
  return key[0]! % groups;
}

/** The history of a group. */
export function historyName(prefix: string, group: number): string {
  return `${prefix}:{${group}}:history`;
}

/** One use: nothing but a hash. */
export function useName(prefix: string, group: number, key: Buffer): string {
  return `${prefix}:{${group}}:${key.toString('base64url')}`;
}
