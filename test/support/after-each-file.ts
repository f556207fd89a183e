// Hooks that run after the tests of a file. Test files of the pure rooms share a process, so a module that starts other processes is
// loaded once for several files, and cannot register a hook for each of them.

const endings: (() => unknown)[] = [];

/** Runs `end` after the tests of every file from now on, also if they fail. */
export function afterEachFile(end: () => unknown): void {
  endings.push(end);
}

export async function endFile(): Promise<void> {
  await Promise.all(endings.map((end) => end()));
}
