// Handles a process without a free file descriptor. The error can come from any code, even from the module loader, so it is handled where
// the program ends, and this file imports nothing.

/** Returns a sentence for the operator; undefined if the error and its causes have another reason. */
export function descriptorsFault(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < MAX_CAUSES; at = at.cause, depth++) {
    const code = 'code' in at ? at.code : undefined;
    if (code === 'EMFILE') {
      return 'This process may open no more files (EMFILE): raise its limit, ulimit -n. A service with the default settings needs 2,112.';
    }
    if (code === 'ENFILE')
      return 'This machine has too many open files (ENFILE): raise fs.file-max, or stop the processes that have them open.';
  }
  return undefined;
}

const MAX_CAUSES = 8;
