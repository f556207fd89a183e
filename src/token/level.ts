// The levels of assurance (draft -01): from an unsigned object to a signed token that a ledger contains.

/**
 * `L1`: unsigned. `L2`: signed. `L3`: signed and recorded. Each level includes those before it, so the names can be compared as texts.
 */
export type Level = 'L1' | 'L2' | 'L3';

/** The levels that a verifier requires. */
export interface LevelPolicy {
  readonly minimumLevel: Level;
  /** The required level for some values of `exec_act`, instead of the general minimum. */
  readonly minimumLevels: ReadonlyMap<string, Level>;
}

/**
 * Returns the level that a task needs: the minimum that the policy has for its `exec_act`, or the requested level if that is higher.
 * `execAct` may be unverified: it only selects the policy for tasks of that name.
 */
export function requiredLevel(policy: LevelPolicy, asked: Level | undefined, execAct: unknown): Level {
  const set = typeof execAct === 'string' ? policy.minimumLevels.get(execAct) : undefined;
  const configured = set ?? policy.minimumLevel;
  return asked !== undefined && asked > configured ? asked : configured;
}
