// Whether this is the full run: `npm run test:full`, which CI runs. `npm test` runs each rule with fewer rounds.

export const FULL = process.env['ECT_TEST_FULL'] === '1';

/** How many rounds a rule is tried: `many` in the full run, `few` otherwise. */
export function rounds(many: number, few: number): number {
  return FULL ? many : few;
}
