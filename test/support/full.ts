// Whether this is the full run: `npm run test:full`. `npm test` runs each rule with fewer rounds, and CI, which has 25 minutes, with a share
// of those of the full run: ECT_TEST_SHARE.

export const FULL = process.env['ECT_TEST_FULL'] === '1';

const SHARE = Number(process.env['ECT_TEST_SHARE'] ?? 1);

/** How many rounds a rule is tried: `many` in the full run, `few` otherwise. */
export function rounds(many: number, few: number): number {
  return FULL ? Math.max(few, Math.round(many * SHARE)) : few;
}
