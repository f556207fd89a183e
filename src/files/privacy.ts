// Whether a file that holds a secret is for its owner only, and what to do where it is not. Pure.

/** What the system says of a file. */
export interface FileFacts {
  readonly mode: number;
  readonly uid: number;
}

/** `tighten`: take the group's rights away, which the platform has given. Another text says what is wrong, after the file's name. */
export type Privacy = { readonly kind: 'private' | 'tighten' } | { readonly kind: 'open'; readonly fault: string };

const OTHERS = 0o007;
const GROUP = 0o070;
const GROUP_READS = 0o040;

/**
 * `uid`: of this process. `isOurs`: the service made the file itself.
 *
 * Kubernetes (`fsGroup`) gives the group of a volume read and write rights to every file in it, with each mount. On a file of this
 * user that is taken back. A secret that is mounted belongs to root, and is read as a member of its group: the rule for it is
 * that of PostgreSQL.
 */
export function privacyOf({ mode, uid: owner }: FileFacts, uid: number, isOurs: boolean): Privacy {
  if ((mode & OTHERS) !== 0) return { kind: 'open', fault: 'can be read by others: run chmod 600 on it' };
  if ((mode & GROUP) === 0) return { kind: 'private' };
  if (owner === uid || (isOurs && uid === 0)) return { kind: 'tighten' };
  if (isRootsForItsGroup({ mode, uid: owner })) return { kind: 'private' };
  return {
    kind: 'open',
    fault: `can be read by its group, and belongs to user ${owner}, not to user ${uid} who runs the service: run chmod 600 on it, and chown ${uid}`,
  };
}

/** As a secret is mounted: only root can change it, and the group can do no more than read it. */
export function isRootsForItsGroup({ mode, uid }: FileFacts): boolean {
  return uid === 0 && (mode & (GROUP | OTHERS)) === GROUP_READS;
}
