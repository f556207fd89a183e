/** Whether this run takes its time: rounds by the hundred in place of a few. */
export const FULL = process.env['ECT_TEST_FULL'] === '1';
