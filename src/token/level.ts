// The levels of assurance (draft -01), from an unsigned object to a signed token that a ledger holds.

/** `L1`: unsigned. `L2`: signed. `L3`: signed and recorded. Each includes those before it, and they sort as texts. */
export type Level = 'L1' | 'L2' | 'L3';

/** Which levels a verifier takes. */
export interface LevelPolicy {
  readonly minimumLevel: Level;
  /** Other minima, by `exec_act`. */
  readonly minimumLevels: ReadonlyMap<string, Level>;
}

/**
 * The level that a task needs: the minimum of the policy for its `exec_act`, or the requested one if that is higher.
 * `execAct` may be unverified: its value only selects the policy for a task of that name.
 */
export function requiredLevel(policy: LevelPolicy, asked: Level | undefined, execAct: unknown): Level {
  const set = typeof execAct === 'string' ? policy.minimumLevels.get(execAct) : undefined;
  const configured = set ?? policy.minimumLevel;
  return asked !== undefined && asked > configured ? asked : configured;
}
