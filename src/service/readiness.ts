// Whether the service is ready.

import type { Ledger } from '../ledger/index.ts';
import type { Events } from '../telemetry/events.ts';

/** Checks what readiness needs: the files are still those that were opened, and the ledger answers. */
export function askStorage(
  ledger: Ledger,
  replacedFile: () => string | undefined,
  events: Events,
): () => Promise<void> {
  let known: string | undefined;
  return async () => {
    const replaced = replacedFile();
    if (replaced !== known) events.storageReplaced(replaced);
    known = replaced;
    if (replaced !== undefined) throw new Error(`${replaced} was replaced`);
    await ledger.checkpoint();
  };
}
