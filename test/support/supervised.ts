// A start as a supervisor has it: one that finds the database too busy to answer is repeated.

const MOST_STARTS = 20;

/** Repeats `start` until it succeeds. */
export async function supervised<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      if (attempt === MOST_STARTS || !/did not answer in time|cannot be reached/.test(String(error))) throw error;
    }
  }
}
