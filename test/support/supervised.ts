// A start under a supervisor: it is repeated if the database was too busy to answer.

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
