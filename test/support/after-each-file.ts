// What is done when the tests of a file are over. Files of the pure rooms share a process, so a module that starts other processes is
// loaded once for several of them, and cannot register a hook for each by itself.

const endings: (() => unknown)[] = [];

/** Runs `end` after the tests of every file from now on, also where they fail. */
export function afterEachFile(end: () => unknown): void {
  endings.push(end);
}

export async function endFile(): Promise<void> {
  await Promise.all(endings.map((end) => end()));
}
