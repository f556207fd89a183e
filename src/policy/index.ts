// Decides whether a caller may do something: the policy in force, its schema and its limits.

export {
  BUILT_IN,
  PolicyAuthorizer,
  type PolicyInForce,
  type PolicyRejection,
} from './authorizer.ts';
export { type AskedCase, type Case, isCallerName, type ReadCases, readCases, readQuestion } from './cases.ts';
export { KeptPolicies } from './policy-archive.ts';
export type { CompiledPolicy, PolicyProblem, ReadPolicy } from './policy-file.ts';
export { digestOfPolicy, type PolicyTexts, textsIn } from './policy-texts.ts';
export { type LimitsTable, NO_LIMITS, readLimits } from './table.ts';

/** Loads the engine, which needs about 40 MB and half a second, and only with a policy file. */
export function loadCedar(): Promise<typeof import('./cedar.ts')> {
  return import('./cedar.ts');
}
