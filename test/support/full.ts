// Whether this is the full run: `npm run test:full`. `npm test` tests each rule with fewer rounds. CI, which has 25 minutes, uses a share
// of the full number: ECT_TEST_SHARE.

export const FULL = process.env['ECT_TEST_FULL'] === '1';

const SHARE = Number(process.env['ECT_TEST_SHARE'] ?? 1);

/** Returns the number of rounds for a rule: `many` in the full run, `few` otherwise. */
export function rounds(many: number, few: number): number {
  return FULL ? Math.max(few, Math.round(many * SHARE)) : few;
}
