// The keys of foreign issuers.

import { cleanText, MAX_WHY_LENGTH } from '../event-lines.ts';
import type { EventSink } from './sink.ts';

/** Of a foreign issuer: those that are used, and a sentence for each that is not. */
export interface ForeignKeys {
  readonly keys: readonly unknown[];
  readonly problems: readonly string[];
}

export function foreignIssuerEvents({ lines, metrics, flushNow }: EventSink) {
  return {
    /** The keys of a foreign issuer were fetched. `isNews`: they, or what is wrong with some of them, differ from before. */
    foreignKeysTaken(iss: string, { keys, problems }: ForeignKeys, isNews: boolean): void {
      metrics.foreignKeyFetches.inc({ issuer: iss, outcome: 'taken' });
      metrics.foreignKeys.set({ issuer: iss }, keys.length);
      if (!isNews) return;
      const line = { event: 'foreign-keys-taken', issuer: cleanText(iss), keys: keys.length };
      if (problems.length === 0) lines.info(line);
      else lines.warn({ ...line, refused: problems.join('; ').slice(0, MAX_WHY_LENGTH) });
    },

    /** They could not be. The last good ones count until they are too old. `isNews`: it differs from the last report. */
    foreignKeysFailed(iss: string, why: string, isNews: boolean): void {
      metrics.foreignKeyFetches.inc({ issuer: iss, outcome: 'failed' });
      if (isNews) {
        lines.error({ event: 'foreign-keys-failed', issuer: cleanText(iss), why: why.slice(0, MAX_WHY_LENGTH) });
      }
    },

    /** The last good keys of a foreign issuer are too old: nothing that it signed is trusted until there are others. */
    foreignKeysExpired(iss: string): void {
      metrics.foreignKeys.set({ issuer: iss }, 0);
      lines.error({ event: 'foreign-keys-expired', issuer: cleanText(iss) });
      flushNow();
    },

    /** The operator took a foreign issuer out of the trust file. */
    foreignIssuerRemoved(iss: string): void {
      metrics.foreignKeys.remove({ issuer: iss });
      lines.info({ event: 'foreign-issuer-removed', issuer: cleanText(iss) });
    },
  };
}
